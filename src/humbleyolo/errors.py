"""What a user can mend: errors that are shown as text, without a stack trace, with exit code 2."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

from humbleyolo.orphan import end_with_parents


class UserError(Exception):
    """Something outside the program is wrong: a parameter, a file, a folder.

    The text names the place, the value found, what is allowed and the fix.
    """

    exit_code = 2


class ProblemsError(UserError):
    """Several mistakes, all found before any work was done.

    Args:
        headline: What was looked at, for example `params.yaml`.
        problems: One line for each mistake.
    """

    def __init__(self, headline: str, problems: Sequence[str]) -> None:
        self.headline = headline
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n  ".join([f"{headline}: {count}", *self.problems]))


def exit_with(main: Callable[[], None]) -> None:
    """Run `main`; print a `UserError` to standard error and exit with its code.

    Ctrl-C and SIGTERM end it likewise, with a line that says how to go on. A stage that DVC started leaves its
    outputs as they were (see `_put_back_outputs`), and ends when DVC does.

    Raises:
        SystemExit: With code 2 where `main` raised a `UserError`, 130 where it was stopped.
    """
    stage = os.environ.get("DVC_STAGE")  # set by DVC for the commands that it runs
    if stage:
        end_with_parents()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except UserError as error:
        text, code = f"error: {error}", error.exit_code
    except KeyboardInterrupt:
        text, code = "stopped" + (f"; `dvc repro` goes on with {stage}" if stage else ""), 130
    else:
        return
    finally:
        signal.signal(signal.SIGTERM, before)
    if stage:
        _put_back_outputs(stage)
    print(text, file=sys.stderr)
    raise SystemExit(code)


def _put_back_outputs(stage: str) -> None:
    """Undo what DVC does before it starts a stage: it removes the stage's outputs, whatever the stage then says.

    They come from DVC's cache. Where they are not in it (`metrics.json` is in git), the next run makes them.
    """
    command = [sys.executable, "-m", "dvc", "checkout", "--quiet", stage]
    subprocess.run(command, stderr=subprocess.DEVNULL)  # noqa: S603 - the name is DVC's own
