"""DVC's queue of experiments, through its command line."""

import re
import subprocess
import sys
from collections.abc import Sequence

from humbleyolo.errors import UserError


def queue(settings: Sequence[str], before: int) -> str:
    """Queue an experiment with these parameters, and return the name that DVC gives it.

    Args:
        settings: `KEY=VALUE` each, as `dvc exp run -S` takes them.
        before: How many of the same search are in the queue already, to be told where this fails.

    Raises:
        UserError: With DVC's reason where it will not.
    """
    changes = [word for setting in settings for word in ("--set-param", setting)]
    try:
        said = _dvc("exp", "run", "--queue", *changes)
    except UserError as error:
        left = f"\n{before} of them are queued; `dvc queue remove --queued` removes these" if before else ""
        raise UserError(f"{error}{left}") from None
    named = re.search(r"^Queued experiment '(\S+)'", said, re.MULTILINE)
    return named[1] if named else "queued"


def start_workers(jobs: int) -> None:
    """Have so many processes in the background run what is queued.

    Raises:
        UserError: With DVC's reason where it will not.
    """
    _dvc("queue", "start", "--jobs", str(jobs))


def _dvc(*arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace")  # noqa: S603
    if done.returncode:
        raise UserError(f"dvc {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
