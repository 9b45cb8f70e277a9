"""How each stage of `dvc.yaml` is run and ends."""

import sys
from collections.abc import Callable
from pathlib import Path

from humbleyolo.environment import record_environment
from humbleyolo.errors import exit_with


def run_stage(name: str, main: Callable[[], None], less_memory: str) -> None:
    """Run a stage's `main`, then record what it ran with (`record_environment`).

    Args:
        name: Of the stage.
        main: What it does. The last argument of the command is the folder that it writes into.
        less_memory: What to do where memory does not suffice.

    Raises:
        SystemExit: As `exit_with`.
    """

    def run_and_record() -> None:
        main()
        record_environment(name, Path(sys.argv[-1]), Path())

    exit_with(run_and_record, less_memory)
