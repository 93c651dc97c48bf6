import argparse

import pytest

from guerdon.cli.command import Command, add_overrides, make_parser

COMMAND = Command(
    summary="does a thing",
    details="More about the thing.",
    examples=(("guerdon thing a", "the first"), ("guerdon thing long-argument", "the second")),
    configure=add_overrides,
    run=lambda args: 0,
)


def test_overrides_gather_in_order() -> None:
    args = make_parser("thing", COMMAND).parse_args(["--set", "a=1", "--set", "b=2"])
    assert args.overrides == ["a=1", "b=2"]
    assert make_parser("thing", COMMAND).parse_args([]).overrides == []


def test_examples_are_aligned_below_the_options() -> None:
    lines = make_parser("thing", COMMAND).format_help().splitlines()
    first, second = (next(line for line in lines if what in line) for what in ("the first", "the second"))
    assert first.index("the first") == second.index("the second")
    assert "More about the thing." in lines


def test_options_are_never_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    # `--se a=1` would change its meaning with the next option that begins so.
    with pytest.raises(SystemExit) as caught:
        make_parser("thing", COMMAND).parse_args(["--se", "a=1"])
    assert caught.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


def test_a_command_without_examples_has_no_heading() -> None:
    bare = Command(summary="x", examples=(), configure=_nothing, run=lambda args: 0)
    assert "examples" not in make_parser("x", bare).format_help()


def _nothing(parser: argparse.ArgumentParser) -> None:
    pass
