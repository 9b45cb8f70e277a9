"""A last line of a process that may be unable to say it: native code that waits lets no thread of Python run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CODE = """
import os, pathlib, sys, time
until = time.monotonic() + float(sys.argv[1])
while os.getppid() == int(sys.argv[2]):
    if time.monotonic() > until:
        print(sys.argv[3], file=sys.stderr)
        for path in sys.argv[4:]:
            pathlib.Path(path).unlink(missing_ok=True)
        break
    time.sleep(0.1)
"""


@contextmanager
def last_words(after_s: float, text: str, files: list[Path]) -> Iterator[None]:
    """Have a small process say an error and remove files, if the body is not through after so many seconds."""
    arguments = [str(after_s), str(os.getpid()), f"error: {text}", *map(str, files)]
    watch = subprocess.Popen([sys.executable, "-c", _CODE, *arguments], start_new_session=True)  # noqa: S603 - Python
    try:
        yield
    finally:
        watch.kill()
        watch.wait()
