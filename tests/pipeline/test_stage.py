"""The end of a stage: a last line and a record of its environment, or its outputs put back."""

import os
import re
import shlex
import signal
import sys
from pathlib import Path

import pytest
from repository import ROOT
from ruamel.yaml import YAML

from humbleyolo.errors import UserError
from humbleyolo.pipeline import stage
from humbleyolo.pipeline.environment import RECORDS, describe_environment, recorded_environment
from humbleyolo.pipeline.stage import Made, read_paths, run_stage
from humbleyolo.storage.hashes import dvc_digest


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a stage writes into, in the project's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    return tmp_path / "out"


def test_a_stage_that_worked_says_so_and_leaves_a_record_of_its_outputs(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> Made:
        out.mkdir()
        (out / "a.txt").write_text("a")
        return Made("1 file drawn", Path("out"), "no more")

    run_stage("draw", work, "lower it")
    found = recorded_environment("draw", "out/a.txt", dvc_digest(out / "a.txt", out), out.parent)
    assert found == describe_environment()
    assert re.fullmatch(r"1 file drawn into out in \d+\.\d s; no more\n", capsys.readouterr().out)
    assert sorted(path.name for path in out.iterdir()) == ["a.txt"]  # the record is not among them


@pytest.mark.parametrize("terminal", [True, False])
def test_warnings_come_before_the_last_line_and_next_steps_after_it_in_80_columns_of_a_terminal(
    terminal: bool, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: terminal)
    texts = ["too few images: " + 20 * "a-word " + "train.augment", f"a long path /{'x' * 90}"]
    out.mkdir()
    run_stage("draw", lambda: Made("1 model measured", Path("out"), "AP 1", texts, texts), "lower it")
    told = capsys.readouterr()
    first, *steps = told.out.splitlines()
    assert re.fullmatch(r"1 model measured into out in \d+\.\d s; AP 1", first)
    for lines, word in ((told.err.splitlines(), "warning: "), (steps, "next: ")):
        assert " ".join(line.strip() for line in lines) == " ".join(f"{word}{text}".strip() for text in texts)
        if terminal:
            assert [line for line in lines if len(line) > 80] == [f"  /{'x' * 90}"]  # whole, to be copied
        else:
            assert len(lines) == len(texts)  # for programs that read lines


def test_one_that_could_not_leaves_none(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> Made:
        raise UserError("in: no such file")

    with pytest.raises(SystemExit, match="2"):
        run_stage("draw", refuse, "lower it")
    assert capsys.readouterr().err == "error: in: no such file\n"
    assert not (out.parent / RECORDS).exists()


def test_a_stage_stopped_puts_its_outputs_back_and_says_how_to_go_on(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setattr(stage, "end_with_parents", lambda: done.append("watches"))
    monkeypatch.setattr(stage, "_put_back_outputs", done.append)

    def work() -> Made:
        done.append("works")
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError

    with pytest.raises(SystemExit):
        run_stage("train", work, "lower it")
    assert done == ["watches", "works", "train"]
    assert capsys.readouterr().err.splitlines()[-1] == "stopped; `dvc repro` goes on with train"
    done.clear()
    out.mkdir()
    run_stage("train", lambda: Made("1 model trained", Path("out")), "lower it")
    assert done == ["watches"]
    assert re.fullmatch(r"1 model trained into out in \d+\.\d s\n", capsys.readouterr().out)


def test_a_stage_by_hand_puts_nothing_back(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "end_with_parents", lambda: pytest.fail("watches"))
    monkeypatch.setattr(stage, "_put_back_outputs", lambda name: pytest.fail(name))
    with pytest.raises(SystemExit, match="130"):
        run_stage("train", lambda: os.kill(os.getpid(), signal.SIGTERM), "lower it")  # type: ignore[arg-type, func-returns-value]


def test_a_stage_of_dvc_whose_dependencies_changed_fails(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setattr(stage, "end_with_parents", lambda: None)
    monkeypatch.setattr(stage, "_put_back_outputs", lambda name: None)
    out.mkdir()

    def work() -> Made:
        for number in range(7):
            (out.parent / f"in/{number}").write_text("a")
        return Made("1 model trained", Path("out"))

    (out.parent / "in").mkdir()
    with pytest.raises(SystemExit, match="2"):
        run_stage("train", work, "lower it", ["in"])
    assert capsys.readouterr().err == (
        "error: in/0, in/1, in/2, in/3, in/4 and 2 more: edited while train ran, so that nothing is kept of "
        "this run; `dvc repro` runs it again\n"
    )
    assert not (out.parent / RECORDS).exists()


@pytest.mark.parametrize("inputs", ["data/fonts", "My Project.v1i.yolov8.zip", "photos/ 2024", "photos /2024/ a"])
def test_a_path_with_spaces_comes_in_the_words_that_a_shell_makes_of_it(
    inputs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]["generate"]["cmd"]
    words = shlex.split(command.replace("${dataset.inputs}", inputs))
    monkeypatch.setattr(sys, "argv", words[2:])
    paths = read_paths("generate", None, "inputs...", "out")
    assert (paths.inputs, paths.out) == (Path(inputs), Path("data/dataset"))
