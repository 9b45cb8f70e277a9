"""Errors that a user can mend: shown as text, without a stack trace, with exit code 2."""

from collections.abc import Sequence


class UserError(Exception):
    """Something outside the program is wrong: a parameter, a file, a folder.

    The text names the place, the value found, what is allowed and the fix.
    """

    exit_code = 2


class ProblemsError(UserError):
    """Several mistakes, all found before any work was done.

    Args:
        headline: Name of what was checked, for example `params.yaml`.
        problems: One line for each mistake.
    """

    def __init__(self, headline: str, problems: Sequence[str]) -> None:
        self.headline = headline
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n  ".join([f"{headline}: {count}", *self.problems]))
