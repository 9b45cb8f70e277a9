"""DVC's queue of experiments, through its command line."""

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dvc.cli import main as dvc

from humbleyolo.errors import UserError


def queue(settings: Sequence[str], before: int) -> str:
    """Queue an experiment with these parameters, and return the name that DVC gives it.

    DVC is called in this process, since it takes longer to start than to queue. A parameter is a `KEY=VALUE` as
    `dvc exp run -S` takes it; `before` counts the trials of this search queued already, for an error message.

    Raises:
        UserError: If DVC refuses, after it has said why on standard error.
    """
    changes = [word for setting in settings for word in ("--set-param", setting)]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = dvc(["exp", "run", "--queue", *changes])
    named = re.search(r"^Queued experiment '(\S+)'", said.getvalue(), re.MULTILINE)
    if code or named is None:
        queued = f"; {before} are in the queue: `dvc queue remove --queued` empties it" if before else ""
        raise UserError(f"{' '.join(settings)}: DVC has not queued it, see above{queued}")
    return named[1]


def start_workers(jobs: int) -> None:
    """Start processes in the background that run the queue, with this environment's programs.

    Raises:
        UserError: If DVC refuses, after it has said why on standard error.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [sys.executable, "-m", "dvc", "queue", "start", "--quiet", "--jobs", str(jobs)]
    if subprocess.run(command, env=os.environ | {"PATH": path}).returncode:  # noqa: S603 - DVC
        raise UserError("DVC has not started to run what is queued, see above")
