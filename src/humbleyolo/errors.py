"""What a user can mend: errors that are shown as text, without a stack trace, with exit code 2."""

import sys
from collections.abc import Callable, Sequence


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

    Raises:
        SystemExit: With code 2 where `main` raised a `UserError`.
    """
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
