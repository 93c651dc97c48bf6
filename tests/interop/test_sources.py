from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.core.errors import ConfigError
from guerdon.interop import sources
from guerdon.interop.draft import Unreadable


def test_a_shell_script_with_continuations_variables_and_comments() -> None:
    text = """
    # a comment
    MODEL=org/model
    export N=8 LR=1e-6
    python -m trainer --model $MODEL \\
        --n ${N} --lr "$LR" \\
        --home $HOME/x --size ${SIZE:-4}  # and another
    """
    words = sources.shell_words(text)
    assert words == [
        "python",
        "-m",
        "trainer",
        "--model",
        "org/model",
        "--n",
        "8",
        "--lr",
        "1e-6",
        *words[9:],
    ]
    found = sources.flags(words)
    assert found["n"] == 8
    assert found["lr"] == 1e-6
    assert found["size"] == 4
    assert isinstance(found["home"], Unreadable)


def test_hydra_overrides_with_plus_signs_lists_and_quotes() -> None:
    words = sources.shell_words("""python -m main a.b=3 +a.c=[1,2] ++a.d='x y' a.e=null PATH=/bin plain""")
    assert sources.assignments(words) == {"a.b": 3, "a.c": [1, 2], "a.d": "x y", "a.e": None}


def test_interpolations_of_the_same_file_are_followed_and_others_shown() -> None:
    flat = sources.flatten({"a": {"b": 3, "c": "${a.b}"}, "d": "${oc.env:HOME}", "e": "${missing.key}"})
    assert flat["a.c"] == 3
    assert isinstance(flat["d"], Unreadable)
    assert isinstance(flat["e"], Unreadable)


def test_a_script_is_read_and_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    text = f"""
from pathlib import Path
from lib.rewards import good as best
Path({str(marker)!r}).touch()
LR = 1e-5
def mine(completions): ...
args = Config(lr=LR, seed=__import__("os").getpid(), names=[mine, best], inner=Inner(8, r=LR), n=-3)
"""
    script = sources.read_script(text, "x.py")
    call = script.calls["Config"][0]
    assert not marker.exists()
    assert call["lr"] == 1e-5
    assert call["n"] == -3
    assert str(call["seed"]) == "getpid(...)"
    assert call["names"] == ["mine", "best"]
    assert call["inner"] == {"0": 8, "r": 1e-5, "()": "Inner"}
    assert script.functions == {"mine"}
    assert script.imports == {"Path": "pathlib:Path", "best": "lib.rewards:good"}


def test_a_name_that_means_itself_does_not_go_on_for_ever() -> None:
    script = sources.read_script("x = f(x)\ny = [y, y]\ng(x, y)\n", "x.py")
    assert script.calls["g"][0]["()"] == "g"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1,\n", "x.yaml:2: not YAML"),
        ("- a\n", "expected keys and values; got list"),
        ("", "got NoneType"),
    ],
)
def test_bad_yaml_is_one_line(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        sources.read_yaml(text, "x.yaml")


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not YAML"):
        sources.read_yaml(f"a: !!python/object/apply:os.mkdir ['{tmp_path}/made']", "x.yaml")
    assert not (tmp_path / "made").exists()


def test_bad_python_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"x\.py:1: not Python"):
        sources.read_script("def (", "x.py")


def test_files_that_are_no_configuration_are_refused(tmp_path: Path) -> None:
    binary, huge = tmp_path / "a.bin", tmp_path / "b.sh"
    binary.write_bytes(b"\xff\xfe\x00")
    huge.write_bytes(b"#" * (2 << 20))
    for path, problem in ((binary, "not UTF-8"), (huge, "bytes"), (tmp_path / "c", "No such file")):
        with pytest.raises(ConfigError, match=problem):
            sources.read_text(path)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80))
def test_no_text_breaks_a_reader(text: str) -> None:
    words = sources.shell_words(text)
    sources.flags(words)
    sources.assignments(words)
    sources.scalar(text)
