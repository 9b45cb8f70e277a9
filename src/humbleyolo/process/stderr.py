"""Standard error of libraries that talk while they start."""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_one_at_a_time = threading.RLock()


def _begin_child() -> None:
    global _one_at_a_time
    _one_at_a_time = threading.RLock()  # the parent's may be held by a thread that a fork does not have


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_child)


@contextmanager
def hold_stderr() -> Iterator[None]:
    """Hold back what native code writes to standard error; show it only if the body fails.

    Standard error is the whole process's, so that a second thread waits until the first is done.
    """
    with _one_at_a_time, tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        terminal = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(terminal, held.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
