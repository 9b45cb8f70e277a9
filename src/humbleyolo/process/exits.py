"""The end of a process: signals, exit codes, and errors in words."""

import errno
import os
import re
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from humbleyolo.errors import UserError
from humbleyolo.process.terminal import coloured, shown

STOPPING = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}
"""The signals that stop a process: Ctrl-C, `kill`, and a terminal that is closed, which Windows has no signal for."""

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


@dataclass(frozen=True)
class Aftermath:
    """The end of a program that did not do its work.

    Attributes:
        clean_up: Last work, which no signal stops any more.
        stopped: The line to print after a signal.
    """

    clean_up: Callable[[], None] = lambda: None
    stopped: str = "stopped"


def end_at_signals(aftermath: Aftermath) -> None:
    """Have signals that stop this process end it at once, in words, until `exit_with` takes over.

    For a program that still imports: code that is not ours can lose an exception there, or show its stack trace.
    """
    terminal = os.dup(2)  # the terminal itself, beside what `hold_stderr` redirects

    def stop(*_: object) -> NoReturn:
        _leave(aftermath)
        with suppress(OSError):  # a terminal that was closed
            os.write(terminal, f"{aftermath.stopped}\n".encode())
        os._exit(_STOPPED)

    for number in heeded():
        signal.signal(number, stop)
    if hasattr(signal, "pthread_sigmask"):  # where they were held until now
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def exit_with(main: Callable[[], None], less_memory: str = "", aftermath: Aftermath | None = None) -> None:
    """Run `main`; print a `UserError` to standard error and exit with its code.

    Signals that stop it end it with a line too; so do too little memory and a disk that is full, read-only or broken.

    `less_memory` is advice for a machine with too little memory, `aftermath` the end if `main` does not end well.

    Raises:
        SystemExit: With code 2 if `main` raised a `UserError` or ran out of something, 130 if it was stopped.
    """
    aftermath = aftermath or Aftermath()
    before = {number: signal.signal(number, signal.default_int_handler) for number in heeded()}
    try:
        try:
            main()
        except UserError as error:
            first, *more = error.lines or ("",)
            lines, code = [f"error: {first}", *more], error.exit_code
        except KeyboardInterrupt:
            lines, code = [aftermath.stopped], _STOPPED
        except Exception as error:
            reason = _describe_shortage(error, less_memory)
            if reason is None:
                raise
            lines, code = [f"error: {reason}"], UserError.exit_code
        else:
            return
        _leave(aftermath)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    first, *more = lines
    with suppress(OSError):  # a terminal that was closed
        print(coloured(shown(first, sys.stderr), sys.stderr), file=sys.stderr)
        for line in more:
            print(shown(line, sys.stderr), file=sys.stderr)
    raise SystemExit(code)


def heeded() -> list[signal.Signals]:
    """Return the signals of `STOPPING` without those that this process was started to ignore.

    `nohup` has SIGHUP ignored, and a script's `&` Ctrl-C.
    """
    return [number for number in sorted(STOPPING) if signal.getsignal(number) is not signal.SIG_IGN]


def _describe_shortage(error: Exception, less_memory: str) -> str | None:
    """Return the text of an error that is not the program's but the machine's; None for any other."""
    advice = f"; {less_memory}" if less_memory else ""
    number = error.errno if isinstance(error, OSError) else None
    # TensorFlow's error is known by its name: importing it takes seconds.
    if isinstance(error, MemoryError) or number == errno.ENOMEM or type(error).__name__ == _TENSORFLOWS:
        what = _PLACE.sub("", str(error).strip().partition("\n")[0])
        return "not enough memory" + (f" ({what})" if what else "") + advice
    if isinstance(error, OSError) and number in _SHORTAGES:
        return f"{error.filename or 'a temporary file'}: {error.strerror}; {_SHORTAGES[number]}"
    return None


def _leave(aftermath: Aftermath) -> None:
    for number in heeded():
        signal.signal(number, signal.SIG_IGN)
    aftermath.clean_up()
