"""Errors that a user can mend: shown as text, without a stack trace, with exit code 2."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

SCREEN = 12  # mistakes told at a time


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
    """Several mistakes, all found before any work was done. All are counted, and a screen of them is told.

    Args:
        headline: Name of what was checked, for example `params.yaml`.
        problems: One line for each mistake, and for nothing else.
        rest: Way to see those that are not told.
        fix: Advice for all of them, the last line.
    """

    def __init__(self, headline: str, problems: Sequence[str], rest: str = "", fix: str = "") -> None:
        self.headline = headline
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems):,} problems"
        lines = [f"  {line}" for line in self.problems[:SCREEN]]
        if len(self.problems) > SCREEN:
            lines.append(f"  and {len(self.problems) - SCREEN:,} more" + f"; {rest}" * bool(rest))
        super().__init__(f"{headline}: {count}", *lines, *[fix] * bool(fix))

    @classmethod
    def of_file(cls, path: Path, problems: Sequence[str], fix: str = "") -> Self:
        """Return the error of a reader that ends at a screen of mistakes, whose full number is unknown."""
        ended = ": reading stopped after the first" * (len(problems) >= SCREEN)
        return cls(f"{path}{ended}", problems[:SCREEN], fix=fix)
