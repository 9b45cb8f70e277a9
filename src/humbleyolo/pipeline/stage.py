"""How each stage of `dvc.yaml` is run and ends."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from humbleyolo.errors import UserError
from humbleyolo.pipeline.edited_inputs import edited, look
from humbleyolo.pipeline.environment import record_environment
from humbleyolo.process.exits import exit_with

_TOLD = 5  # of what was edited


def read_paths(stage: str, doc: str | None, *names: str) -> argparse.Namespace:
    """Return the paths on a stage's command line by name; None for an option that is not there.

    Args:
        stage: Its name.
        doc: What it does, for `--help`.
        names: Of the paths, in order, and of options, which begin with two dashes.

    Raises:
        SystemExit: As `argparse` does.
    """
    parser = argparse.ArgumentParser(prog=f"python -m stages.{stage}", description=doc)
    for name in names:
        parser.add_argument(name, type=Path)
    return parser.parse_args()


def run_stage(name: str, main: Callable[[], Path], less_memory: str, inputs: list[str] | None = None) -> None:
    """Run a stage's `main`, then record what it ran with (`record_environment`).

    Where DVC has started it and what it depends on was edited meanwhile, it fails, so that DVC records nothing.

    Args:
        name: Of the stage.
        main: What it does; it returns the folder that it has written into.
        less_memory: What to do where memory does not suffice.
        inputs: Files and folders among what it reads that people edit.

    Raises:
        SystemExit: As `exit_with`.
    """

    def run_and_record() -> None:
        before = look(inputs or [])
        out = main()
        if "DVC_STAGE" in os.environ and (changes := edited(before, name, inputs or [])):
            more = f" and {len(changes) - _TOLD} more" if changes[_TOLD:] else ""
            raise UserError(
                f"{', '.join(changes[:_TOLD])}{more}: edited while {name} ran, so that nothing is kept of this run; "
                "`dvc repro` runs it again"
            )
        record_environment(name, out, Path())

    exit_with(run_and_record, less_memory)
