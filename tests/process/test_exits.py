"""How a program ends: in words, with an exit code, and never with half of its settings changed."""

import errno
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

from humbleyolo.errors import SCREEN, ProblemsError, UserError
from humbleyolo.process.exits import Aftermath, exit_with


def test_what_a_user_can_mend_is_a_line_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise UserError("a.yaml: is empty")

    with pytest.raises(SystemExit) as ended:
        exit_with(fail)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: a.yaml: is empty\n"


def test_an_error_comes_whole_out_of_another_process() -> None:
    """Its arguments alone would not do: a kind of error has its own."""
    for error in (UserError("two", "  lines\nof a name"), ProblemsError("a", ["b", "c"] * 20, "see d")):
        other = pickle.loads(pickle.dumps(error))
        assert (type(other), str(other), other.__dict__) == (type(error), str(error), error.__dict__)


@pytest.mark.parametrize("terminal", [False, True])
def test_an_error_has_the_lines_of_its_text_and_shows_those_of_names(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a\n\x1b[2J\r.png"

    def fail() -> None:
        raise error

    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    for error, lines in (
        (UserError(f"{name}: bad"), [r"error: a\n\x1b[2J\r.png: bad"]),
        (UserError("two", f"  {name}"), ["error: two", r"  a\n\x1b[2J\r.png"]),
        (
            ProblemsError(name, [name, "b"], fix="mend both"),
            [r"error: a\n\x1b[2J\r.png: 2 problems", r"  a\n\x1b[2J\r.png", "  b", "mend both"],
        ),
    ):
        with pytest.raises(SystemExit):
            exit_with(fail)
        assert capsys.readouterr().err.splitlines() == lines
        assert str(error) == "\n".join(error.lines)


@pytest.mark.parametrize("count", [1, 2, SCREEN, SCREEN + 1, 1500])
@pytest.mark.parametrize("rest", ["", "see all.csv"])
@pytest.mark.parametrize("fix", ["", "mend them"])
def test_mistakes_alone_are_counted_and_a_screen_of_them_is_told(count: int, rest: str, fix: str) -> None:
    error = ProblemsError("a", [f"{number} is wrong" for number in range(count)], rest, fix)
    assert len(error.problems) == count
    head, *lines = error.lines
    assert head == ("a: 1 problem" if count == 1 else f"a: {count:,} problems")
    assert lines[: min(count, SCREEN)] == [f"  {number} is wrong" for number in range(min(count, SCREEN))]
    more = [f"  and {count - SCREEN:,} more{'; ' * bool(rest)}{rest}"] * (count > SCREEN)
    assert lines[min(count, SCREEN) :] == more + [fix] * bool(fix)


STOPPING = [number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None))]


class ResourceExhaustedError(Exception):
    """TensorFlow's is known by its name, which needs no import."""


TENSORFLOWS = ResourceExhaustedError(
    "{{function_node __wrapped__Relu_device_/job:localhost}} OOM when allocating tensor with shape[3,4] and type "
    "float on /job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu [Op:Relu]\nHint: more"
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MemoryError(), "not enough memory; lower it"),
        (MemoryError("Unable to allocate 7 GiB"), "not enough memory (Unable to allocate 7 GiB); lower it"),
        (OSError(errno.ENOMEM, "None left"), "not enough memory ([Errno 12] None left); lower it"),
        (TENSORFLOWS, "not enough memory (OOM when allocating tensor with shape[3,4] and type float); lower it"),
        (OSError(errno.ENOSPC, "No space left", "disk/a"), "disk/a: No space left; free some space"),
        (OSError(errno.ENFILE, "Too many files"), "a temporary file: Too many files; close other programs"),
    ],
)  # fmt: skip
def test_what_the_machine_has_too_little_of_is_a_line_and_code_2(
    error: Exception, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        exit_with(fail, less_memory="lower it")
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {text}\n"


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "No such file"), OSError("of no number"), RuntimeError()])
def test_a_mistake_of_the_program_is_shown_whole(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        exit_with(fail)


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_that_was_to_be_ignored_is(number: signal.Signals) -> None:
    """`nohup` has SIGHUP ignored, and `&` in a script Ctrl-C."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        exit_with(lambda: os.kill(os.getpid(), number))
    finally:
        signal.signal(number, before)


HELD = """
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
os.kill(os.getpid(), signal.SIGINT)
end_at_signals(Aftermath())
"""
WHILE_QUIET = """
end_at_signals(Aftermath())
with hold_stderr():
    os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows holds no signals back")
@pytest.mark.parametrize("code", [HELD, WHILE_QUIET])
def test_a_program_that_has_begun_ends_at_once_and_in_words(code: str) -> None:
    first = (
        "import os, signal; from humbleyolo.process.exits import Aftermath, end_at_signals;"
        "from humbleyolo.process.stderr import hold_stderr"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", f"{first}{code}raise AssertionError"], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_ends_it_with_a_line(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended:
        exit_with(lambda: os.kill(os.getpid(), number))
    assert ended.value.code == 130
    assert capsys.readouterr().err == "stopped\n"
    assert signal.getsignal(number) is before


AT_A_TERMINAL = """
import fcntl, os, sys, termios, time; from pathlib import Path
from humbleyolo.process.exits import Aftermath, end_at_signals, exit_with
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
aftermath = Aftermath(lambda: Path(sys.argv[1]).touch(), "stopped; go on")
def work():
    print("begun", flush=True)
    time.sleep(60)
    raise AssertionError
"""


@pytest.mark.parametrize("begin", ["exit_with(work, '', aftermath)", "end_at_signals(aftermath); work()"])
def test_a_terminal_that_is_closed_ends_it_as_well(begin: str, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="Windows has no such terminals")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", f"{AT_A_TERMINAL}{begin}", str(tmp_path / "cleaned up")], stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    ) as process:  # fmt: skip
        os.close(theirs)
        assert os.read(ours, 5) == b"begun"
        os.close(ours)
        assert process.wait(60) == 130
    assert (tmp_path / "cleaned up").exists()


def test_what_did_not_end_well_is_cleaned_up_after_with_no_signal_in_the_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done: list[str] = []

    def clean_up() -> None:
        os.kill(os.getpid(), signal.SIGINT)  # too late to stop it
        done.append("cleaned up")

    def work() -> None:
        done.append("works")
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(SystemExit):
        exit_with(work, aftermath=Aftermath(clean_up, "stopped; go on"))
    assert done == ["works", "cleaned up"]
    assert capsys.readouterr().err == "stopped; go on\n"
    done.clear()
    exit_with(lambda: None, aftermath=Aftermath(clean_up))
    assert done == []
