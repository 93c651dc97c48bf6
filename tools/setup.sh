#!/usr/bin/env bash
# Makes .venv and installs Guerdon into it: `tools/setup.sh run|dev|docs`. Does nothing, offline too, when it is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
want=${1:-run}
python=${PYTHON:-python3}
venv=.venv
key=$(cat pyproject.toml tools/setup.sh | cksum | cut -d' ' -f1)
case $want in
    run) enough="run dev" ;; # what tests need contains what training needs
    dev | docs) enough=$want ;;
    *) echo "setup: unknown '$want'; run, dev or docs" >&2; exit 2 ;;
esac
for done in $enough; do
    [ "$(cat "$venv/.installed-$done" 2>/dev/null)" = "$key" ] && exit 0
done

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: $python is missing or older than Python 3.11; set PYTHON=/path/to/python3.11" >&2
    exit 2
fi
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv" # a half-made one, or one whose Python is gone
    if ! "$python" -m venv "$venv"; then
        echo "setup: $python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2
        exit 2
    fi
fi
pip=("$venv/bin/python" -m pip --quiet --disable-pip-version-check)
"${pip[@]}" install --upgrade 'pip>=25.1' # --group needs it

install_torch() {
    local torch=torch==2.13.0 cpu=https://download.pytorch.org/whl/cpu
    echo "setup: installing torch (once; a few minutes)"
    # Without a GPU the plain index would bring gigabytes of CUDA libraries. The CPU build's version, 2.13.0+cpu, is
    # the higher one, so pip prefers it wherever it can see it: in PIP_FIND_LINKS, or in PyTorch's own index. A
    # network that does not reach that index must not hang here.
    if ! command -v nvidia-smi >/dev/null 2>&1 &&
        ! "${pip[@]}" install --dry-run --no-index --no-deps "$torch" >/dev/null 2>&1 &&
        "$venv/bin/python" -c "import urllib.request as u; u.urlopen('$cpu/torch/', timeout=8)" 2>/dev/null; then
        "${pip[@]}" install "$torch" --extra-index-url "$cpu" && return
    fi
    "${pip[@]}" install "$torch"
}

if [ "$want" != docs ] && ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then
    install_torch
fi
echo "setup: installing guerdon ($want)"
case $want in
    run) "${pip[@]}" install --editable '.[train]' ;;
    dev) "${pip[@]}" install --editable '.[train,gym]' --group dev ;;
    docs) "${pip[@]}" install --editable . --group docs ;;
esac
echo "$key" >"$venv/.installed-$want"
