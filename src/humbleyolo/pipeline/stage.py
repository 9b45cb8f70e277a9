"""A stage of `dvc.yaml` as it is run: its paths, the time it takes, its last line, and its outputs put back."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from humbleyolo.errors import UserError
from humbleyolo.pipeline.changed_dependencies import find_changes, take_snapshot
from humbleyolo.pipeline.environment import record_environment
from humbleyolo.process.exits import Aftermath, end_at_signals, exit_with
from humbleyolo.process.parent_watch import end_with_parents
from humbleyolo.process.terminal import coloured, first_few, shown, tell

_SHOWN_CHANGES = 5


class Made(NamedTuple):
    """The outcome of a stage, told on its last line.

    Attributes:
        what: The outcome in words, for example `6,500 images drawn`.
        folder: The folder that the stage wrote into.
        more: Further facts; empty if there are none.
        warnings: Doubts about the outcome, each with the fix, told before the last line.
        next_steps: Things to do next, told after it.
        beside: Files that the stage wrote elsewhere.
    """

    what: str
    folder: Path
    more: str = ""
    warnings: Sequence[str] = ()
    next_steps: Sequence[str] = ()
    beside: Sequence[Path] = ()


def begin_stage() -> None:
    """Have a stage that still imports end in words at a signal to stop, and with the DVC that started it."""
    if _dvc_stage():
        end_with_parents()
    end_at_signals(_aftermath())


def read_paths(stage: str, doc: str | None, *names: str) -> argparse.Namespace:
    """Return the paths on a stage's command line by name; None for an option that is not there.

    `doc` is the text for `--help`. `names` are those of the paths, in order, and of options, which begin with two
    dashes. A path whose name ends in `...` may have spaces, at which a shell divided it.

    Raises:
        SystemExit: As for `argparse`.
    """
    parser = argparse.ArgumentParser(prog=f"python -m stages.{stage}", description=doc)
    divided = [name.removesuffix("...") for name in names if name.endswith("...")]
    for name in names:
        if name.endswith("..."):
            parser.add_argument(name.removesuffix("..."), nargs="+")
        else:
            parser.add_argument(name, type=Path)
    parsed = parser.parse_args()
    for name in divided:
        setattr(parsed, name, Path(" ".join(getattr(parsed, name))))
    return parsed


def run_stage(name: str, main: Callable[[], Made], less_memory: str, inputs: list[str] | None = None) -> None:
    """Run a stage's `main`, print what it made, where and in how many seconds, and record its environment.

    Under DVC, a stage whose dependencies changed meanwhile fails, so that DVC records nothing. A stage that fails or
    is stopped leaves its outputs as they were, and ends when DVC does.

    `less_memory` is advice for a machine with too little memory; `inputs` are the files and folders among the
    dependencies that people edit.

    Raises:
        SystemExit: As for `exit_with`.
    """

    def run_and_record() -> None:
        before, started = take_snapshot(inputs or []), time.monotonic()
        made = main()
        seconds = time.monotonic() - started
        for text in made.warnings:
            print(coloured(shown(f"warning: {text}", sys.stderr), sys.stderr), file=sys.stderr)
        done = f"{made.what} into {made.folder} in {seconds:.1f} s" + (f"; {made.more}" if made.more else "")
        tell(done, *(f"next: {text}" for text in made.next_steps))
        if _dvc_stage() and (changes := find_changes(before, name, inputs or [])):
            raise UserError(
                f"{first_few(changes, _SHOWN_CHANGES)}: edited while {name} ran, so that nothing is kept of "
                "this run; `dvc repro` runs it again"
            )
        record_environment(name, made.folder, Path(), made.beside)

    if _dvc_stage():
        end_with_parents()
    exit_with(run_and_record, less_memory, _aftermath())


def _dvc_stage() -> str | None:
    """Return the stage that this process is; DVC names it to the commands that it runs."""
    return os.environ.get("DVC_STAGE")


def _aftermath() -> Aftermath:
    stage = _dvc_stage()
    if stage is None:
        return Aftermath()
    return Aftermath(lambda: _put_back_outputs(stage), f"stopped; `dvc repro` goes on with {stage}")


def _put_back_outputs(stage: str) -> None:
    """Bring a stage's outputs back from DVC's cache; DVC removes them before it starts the stage.

    Outputs that the stage has written go: half of them with half of those before would be no run's. The next run
    makes those that are not in the cache (`metrics.json` is in git).
    """
    command = [sys.executable, "-m", "dvc", "checkout", "--quiet", "--force", stage]
    with suppress(OSError):  # without memory for a process, or with too many files open
        subprocess.run(  # noqa: S603 - the name is DVC's own; a session of its own, which Ctrl-C does not reach
            command, stderr=subprocess.DEVNULL, start_new_session=True
        )
