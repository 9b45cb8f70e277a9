"""Numbers that are not allowed on a command line: refused by the name of their option, before any work."""

import argparse
from pathlib import Path

import pytest

from humbleyolo.cli import COMMANDS, main
from humbleyolo.commands.number_options import check_options
from humbleyolo.errors import UserError

NEEDED = {
    "predict": ["a.png"], "score": ["a", "b"], "next": ["a"], "serve": [], "export": ["--to", "onnx"], "audit": [],
    "curve": [], "init": ["a"], "search": ["seed=1..9", "--trials", "1", "--seed", "1"],
}  # fmt: skip


def number_options() -> list[tuple[str, str]]:
    """Each option of these commands that is a number."""
    found = []
    for command in NEEDED:
        parser = argparse.ArgumentParser()
        COMMANDS[command].add_arguments(parser)
        found += [(command, one.option_strings[0]) for one in parser._actions if one.type in (int, float)]
    assert len(found) > 24
    return found


@pytest.mark.parametrize(("command", "option"), number_options())
def test_a_number_below_its_limit_is_refused_by_its_option(
    command: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # there is no model, no picture and no output
    with pytest.raises(SystemExit) as ended:
        main([command, *NEEDED[command], option, "-7"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {option} -7")
    assert " is not allowed; allowed: " in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "good", "bad", "allowed"),
    [
        ("threshold", (0.0, 1.0), (-0.01, 1.01, float("nan")), "0 to 1"),
        ("nms_iou", (0.0, 1.0), (5.0,), "0 to 1"),
        ("max_detections", (1, 10_000), (0, 10_001), "1 to 10,000"),
        ("threads", (1, 99), (0,), "1 or more"),
        ("tile", (16, 10**6), (15,), "16 or more"),
        ("max_seconds", (0.001, float("inf")), (0.0, float("nan")), "more than 0"),
        ("minutes", (0.1, 1e5), (0.09, 100_000.5, float("nan")), "0.1 to 100,000"),
        ("stop_hopeless", (1, 100_000), (0, 100_001), "1 to 100,000"),
        ("seed", (0, 2**63 - 1), (-1, 2**63), "0 to 9,223,372,036,854,775,807"),
        ("timeout", (0.001, 3600.0), (0.0, 3600.5), "more than 0, to 3,600"),
    ],
)
def test_limits_are_allowed_and_what_is_beyond_is_told_with_them(
    name: str, good: tuple[float, ...], bad: tuple[float, ...], allowed: str
) -> None:
    for value in good:
        check_options(argparse.Namespace(**{name: value}))
    check_options(argparse.Namespace(**{name: None}))
    for value in bad:
        with pytest.raises(
            UserError, match=rf"--{name.replace('_', '-')} {value} is not allowed; allowed: {allowed}$"
        ):
            check_options(argparse.Namespace(**{name: value}))
