#!/usr/bin/env bash
# Makes .venv and installs Guerdon into it: `tools/setup.sh run|dev|docs`. Does nothing, offline too, when it is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
want=${1:-run}
python=${PYTHON:-python3}
venv=.venv
stamp=$venv/.installed-$want
key=$(sha256sum pyproject.toml tools/setup.sh | sha256sum | cut -c1-16)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ] && exit 0

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: $python is missing or older than Python 3.11; set PYTHON=/path/to/python3.11" >&2
    exit 2
fi
if [ ! -x $venv/bin/pip ]; then
    if ! "$python" -m venv $venv; then
        echo "setup: $python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2
        exit 2
    fi
fi
pip=("$venv/bin/python" -m pip --quiet --disable-pip-version-check)
# --group needs pip 25.1
"${pip[@]}" install --upgrade 'pip>=25.1'

# Without a GPU the plain index would bring gigabytes of CUDA libraries with torch.
if ! $venv/bin/python -c 'import torch' 2>/dev/null; then
    echo "setup: installing torch (once)"
    torch=torch==2.13.0
    cpu=https://download.pytorch.org/whl/cpu
    if command -v nvidia-smi >/dev/null 2>&1; then
        "${pip[@]}" install $torch
    elif ! "${pip[@]}" download --no-deps --no-index ${PIP_FIND_LINKS:+--find-links "$PIP_FIND_LINKS"} --dest "$(mktemp -d)" $torch >/dev/null 2>&1 &&
        "$venv/bin/python" -c "import urllib.request as u; u.urlopen('$cpu/torch/', timeout=8)" 2>/dev/null; then
        "${pip[@]}" install $torch --index-url $cpu --extra-index-url "${PIP_INDEX_URL:-https://pypi.org/simple}"
    else
        "${pip[@]}" install $torch
    fi
fi
echo "setup: installing guerdon ($want)"
case $want in
    run) "${pip[@]}" install --editable '.[train]' ;;
    dev) "${pip[@]}" install --editable '.[train,gym]' --group dev ;;
    docs) "${pip[@]}" install --editable . --group docs ;;
    *) echo "setup: unknown '$want'; run, dev or docs" >&2; exit 2 ;;
esac
echo "$key" > "$stamp"
