"""Standard error of native code: held back, shown after a failure, and given back whole."""

import os
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from humbleyolo.process.stderr import hold_stderr


def test_it_is_held_back_and_shown_only_after_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with hold_stderr():
        os.write(2, b"chatter\n")
    assert capfd.readouterr().err == ""
    with suppress(ValueError), hold_stderr():
        os.write(2, b"the reason\n")
        raise ValueError
    assert capfd.readouterr().err == "the reason\n"


def test_one_use_may_lie_within_another(capfd: pytest.CaptureFixture[str]) -> None:
    with hold_stderr():
        with hold_stderr():
            os.write(2, b"inner\n")
        os.write(2, b"outer\n")
    os.write(2, b"an error\n")
    assert capfd.readouterr().err == "an error\n"


def test_two_threads_at_once_give_it_back(capfd: pytest.CaptureFixture[str]) -> None:
    """Had the second begun within the first and ended after it, standard error would stay the first's file."""
    first_in, second_in = threading.Event(), threading.Event()

    def begin_first() -> None:
        with hold_stderr():
            first_in.set()
            second_in.wait(0.2)  # it does not come in

    def end_last() -> None:
        first_in.wait(60)
        with hold_stderr():
            second_in.set()
            first.join(60)

    first, last = threading.Thread(target=begin_first), threading.Thread(target=end_last)
    first.start()
    last.start()
    last.join(60)
    os.write(2, b"an error\n")
    assert capfd.readouterr().err == "an error\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_is_not_kept_waiting_by_a_thread_of_its_parent() -> None:
    program = """
import os, signal, threading
from humbleyolo.process.stderr import hold_stderr

held, done = threading.Event(), threading.Event()

def hold():
    with hold_stderr():
        held.set()
        done.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if not child:
    signal.alarm(5)  # ends a child that waits for ever
    with hold_stderr():
        os._exit(7)
status = os.waitpid(child, 0)[1]
done.set()
thread.join()
raise SystemExit(os.waitstatus_to_exitcode(status))
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == 7
