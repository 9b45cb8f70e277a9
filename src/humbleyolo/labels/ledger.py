"""What was wrong in the labels or images, and what was done about it: one row each, none without one."""

import csv
import io
import reprlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal

from humbleyolo.dataset.summary import LEDGER_COLUMNS
from humbleyolo.errors import ProblemsError
from humbleyolo.storage.atomic import atomic_write

OnProblem = Literal["error", "skip", "clip"]
Severity = Literal["error", "warning", "note"]
SHORT = 80  # characters of a value that a message shows


class BadInput(Exception):  # noqa: N818  (it becomes a row, and is not always an error)
    """Something in a file cannot be used.

    Args:
        kind: One word for tables, such as `zero-area`.
        what: The value found.
        why: What is allowed, and the fix.
        where: The line or element; empty for the whole file.
    """

    def __init__(self, kind: str, what: str, why: str, where: str = "") -> None:
        super().__init__(kind, what, why, where)
        self.kind, self.what, self.why, self.where = kind, what, why, where

    def at(self, where: str) -> "BadInput":
        """Return the same, said of another line or element."""
        return BadInput(self.kind, self.what, self.why, where)


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the ledger.

    Attributes:
        file: Path inside the folder or archive.
        where: Line or element; empty for the whole file.
        what: The value found.
        why: What is allowed, and the fix.
        done: What became of it.
        kind: One word, such as `zero-area`.
        severity: `error` stops everything under `on_problem: error`; `note` says what was done, and `warning`
            what a person should look at; they stop nothing.
    """

    file: str
    where: str
    what: str
    why: str
    done: str
    kind: str
    severity: Severity

    def __str__(self) -> str:
        place = f"{self.file}: {self.where}" if self.where else self.file
        return f"{place}: {self.what}: {self.why}"


_SHORT = reprlib.Repr()  # looks at a few of a list's values, so that aliases of YAML cannot multiply
_SHORT.maxlevel = 4
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 2 * SHORT


def shorten(value: object) -> str:
    """Return a value as a message shows it: quoted, at most `SHORT` characters, printable."""
    if isinstance(value, str | bytes):
        text = repr(value[: SHORT * 2])
    else:
        try:
            text = _SHORT.repr(value)
        except ValueError:  # Python writes no whole number of more than 4,300 digits
            text = "a very long number"
    return text if len(text) <= SHORT else f"{text[: SHORT - 3]}..."


class Ledger:
    """All findings about one dataset, in the order found.

    Args:
        on_problem: `error`: collect everything, then stop. `skip`: leave out what is wrong. `clip`: as
            `skip`, but boxes that cross the image's border are cut at it.
    """

    def __init__(self, on_problem: OnProblem) -> None:
        self.on_problem = on_problem
        self.rows: list[Finding] = []

    def problem(self, file: str, error: BadInput, done: str) -> None:
        """Add a mistake. `done` is what becomes of it where the policy goes on, such as `box dropped`."""
        done = "stopped" if self.on_problem == "error" else done
        self.rows.append(Finding(file, error.where, error.what, error.why, done, error.kind, "error"))

    def note(self, file: str, error: BadInput, done: str) -> None:
        """Add something that was changed or left out, but is no mistake."""
        self.rows.append(Finding(file, error.where, error.what, error.why, done, error.kind, "note"))

    def warn(self, file: str, error: BadInput) -> None:
        """Add something that may be wrong, and that a person should look at."""
        self.rows.append(Finding(file, error.where, error.what, error.why, "kept", error.kind, "warning"))

    @property
    def errors(self) -> list[Finding]:
        """The mistakes, without warnings and notes."""
        return [row for row in self.rows if row.severity == "error"]

    def counts(self) -> dict[str, int]:
        """Number of rows of each kind, most frequent first."""
        return dict(
            sorted(Counter(row.kind for row in self.rows).items(), key=lambda item: (-item[1], item[0]))
        )

    def stop_on_errors(self, headline: str) -> None:
        """Raise with every mistake found, where the policy is `error`.

        Raises:
            ProblemsError: One line for each.
        """
        if self.on_problem == "error" and self.errors:
            raise ProblemsError(headline, [str(row) for row in self.errors])


def write_ledger(path: Path, rows: Iterable[Finding]) -> None:
    """Write the rows as CSV (UTF-8), the first line naming the columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(LEDGER_COLUMNS)
    writer.writerows(astuple(row) for row in rows)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())
