"""How a program ends: in words, with an exit code, and never with half of its settings changed."""

import os
import signal

import pytest

from humbleyolo import errors
from humbleyolo.errors import UserError, exit_with


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_STAGE", raising=False)


def test_what_a_user_can_mend_is_a_line_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise UserError("a.yaml: is empty")

    with pytest.raises(SystemExit) as ended:
        exit_with(fail)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: a.yaml: is empty\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_line(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended:
        exit_with(lambda: os.kill(os.getpid(), number))
    assert ended.value.code == 130
    assert capsys.readouterr().err == "stopped\n"
    assert signal.getsignal(number) is before


def test_a_stage_puts_its_outputs_back_and_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setattr(errors, "end_with_parents", lambda: done.append("watches"))
    monkeypatch.setattr(errors, "_put_back_outputs", done.append)

    def work() -> None:
        done.append("works")
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(SystemExit):
        exit_with(work)
    assert done == ["watches", "works", "train"]
    assert capsys.readouterr().err.splitlines()[-1] == "stopped; `dvc repro` goes on with train"
    done.clear()
    exit_with(lambda: None)
    assert done == ["watches"]
