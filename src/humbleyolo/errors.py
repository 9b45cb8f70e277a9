"""Errors that a user can mend: shown as text, without a stack trace, with exit code 2."""

from collections.abc import Mapping, Sequence
from typing import Any

SCREEN = 12  # mistakes told at a time, where they may be very many


class UserError(Exception):
    """Something outside the program is wrong: a parameter, a file, a folder.

    The text names the place, the value found, what is allowed and the fix.

    Args:
        *lines: Lines of the text. A line break inside one is a name's, and people see it as an escape.
    """

    exit_code = 2

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines

    def __reduce__(self) -> tuple[Any, ...]:
        """Come out of another process with the same lines, whatever the arguments of a kind of error are."""
        return _as_it_was, (type(self), self.__dict__)


def _as_it_was(kind: type[UserError], facts: Mapping[str, Any]) -> UserError:
    error = kind.__new__(kind)
    UserError.__init__(error, *facts["lines"])
    error.__dict__.update(facts)
    return error


class ProblemsError(UserError):
    """Several mistakes, all found before any work was done.

    Args:
        headline: Name of what was checked, for example `params.yaml`.
        problems: One line for each mistake.
        rest: Way to see all, if only a screen of them is told; empty tells all.
    """

    def __init__(self, headline: str, problems: Sequence[str], rest: str = "") -> None:
        self.headline = headline
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        told = self.problems[:SCREEN] if rest else self.problems
        more = [f"and {len(self.problems) - len(told)} more; {rest}"] if len(told) < len(self.problems) else []
        super().__init__(f"{headline}: {count}", *(f"  {line}" for line in [*told, *more]))
