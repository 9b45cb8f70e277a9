"""The end of a process: signals, exit codes, and a stage's outputs put back."""

import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from humbleyolo.errors import UserError
from humbleyolo.process.parent_watch import end_with_parents

_STOPPING = (signal.SIGINT, signal.SIGTERM)
_STOPPED = 130  # the exit code, as shells have it for Ctrl-C
_TENSORFLOWS = "ResourceExhaustedError"
_PLACE = re.compile(r"\{\{.*?\}\}\s*| on /job:.*| by allocator.*|\[Op:.*")  # in its graph and in the machine
_SHORTAGES: dict[int | None, str] = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "choose another place",
    errno.EIO: "the disk or the network is broken",
    errno.EMFILE: "let the process open more (`ulimit -n`)",
    errno.ENFILE: "close other programs",
}


def begin() -> None:
    """Have Ctrl-C and SIGTERM end this process at once, in words, until `exit_with` takes over.

    For a stage that still imports: an exception in the middle of an import can be lost, or shown with its stack
    trace, by code that is not ours. A stage that DVC started ends with it from here on.
    """
    if _stage():
        end_with_parents()
    terminal = os.dup(2)  # the terminal itself, beside what `hold_stderr` redirects

    def stop(*_: object) -> NoReturn:
        _leave_as_it_was()
        os.write(terminal, f"{_stopped()}\n".encode())
        os._exit(_STOPPED)

    for number in _heeded():
        signal.signal(number, stop)
    if hasattr(signal, "pthread_sigmask"):  # where they were held until now
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


def exit_with(main: Callable[[], None], less_memory: str = "") -> None:
    """Run `main`; print a `UserError` to standard error and exit with its code.

    Ctrl-C and SIGTERM end it likewise, with a line that says how to go on; so do too little memory and a disk that is
    full, read-only or broken, wherever they are met. A stage that DVC started leaves its outputs as they were (see
    `_put_back_outputs`), and ends when DVC does.

    Args:
        main: What to run.
        less_memory: What to do where memory does not suffice.

    Raises:
        SystemExit: With code 2 where `main` raised a `UserError` or ran out of something, 130 where it was stopped.
    """
    if _stage():
        end_with_parents()
    before = {number: signal.signal(number, signal.default_int_handler) for number in _heeded()}
    try:
        try:
            main()
        except UserError as error:
            text, code = f"error: {error}", error.exit_code
        except KeyboardInterrupt:
            text, code = _stopped(), _STOPPED
        except Exception as error:
            reason = _what_ran_out(error, less_memory)
            if reason is None:
                raise
            text, code = f"error: {reason}", UserError.exit_code
        else:
            return
        _leave_as_it_was()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    print(text, file=sys.stderr)
    raise SystemExit(code)


def _stage() -> str | None:
    """Return the stage that this process is; DVC names it to the commands that it runs."""
    return os.environ.get("DVC_STAGE")


def _stopped() -> str:
    stage = _stage()
    return "stopped" + (f"; `dvc repro` goes on with {stage}" if stage else "")


def _heeded() -> list[signal.Signals]:
    """Return the signals that stop this process, without those that whoever started it had it ignore (`nohup`)."""
    return [number for number in _STOPPING if signal.getsignal(number) is not signal.SIG_IGN]


def _what_ran_out(error: Exception, less_memory: str) -> str | None:
    """Return what to tell of an error that is not the program's but the machine's; None for any other."""
    advice = f"; {less_memory}" if less_memory else ""
    number = error.errno if isinstance(error, OSError) else None
    # TensorFlow's error is known by its name: importing it takes seconds.
    if isinstance(error, MemoryError) or number == errno.ENOMEM or type(error).__name__ == _TENSORFLOWS:
        what = _PLACE.sub("", str(error).strip().partition("\n")[0])
        return "not enough memory" + (f" ({what})" if what else "") + advice
    if isinstance(error, OSError) and number in _SHORTAGES:
        return f"{error.filename or 'a temporary file'}: {error.strerror}; {_SHORTAGES[number]}"
    return None


def _leave_as_it_was() -> None:
    """Put a stage's outputs back; from here on nothing stops this process any more."""
    for number in _heeded():
        signal.signal(number, signal.SIG_IGN)
    if stage := _stage():
        _put_back_outputs(stage)


def _put_back_outputs(stage: str) -> None:
    """Undo what DVC does before it starts a stage: it removes the stage's outputs, whatever the stage then says.

    What the stage has written already goes: half of its outputs with half of those before would be no run's. They
    come from DVC's cache. Where they are not in it (`metrics.json` is in git), the next run makes them.
    """
    command = [sys.executable, "-m", "dvc", "checkout", "--quiet", "--force", stage]
    with suppress(OSError):  # without memory for a process, or with too many files open
        subprocess.run(  # noqa: S603 - the name is DVC's own; a session of its own, which Ctrl-C does not reach
            command, stderr=subprocess.DEVNULL, start_new_session=True
        )
