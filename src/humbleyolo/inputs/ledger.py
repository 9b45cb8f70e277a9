"""The ledger: a row for each mistake in labels or images, and for each change, with what was done about it."""

import csv
import io
import reprlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import BinaryIO, Literal, NamedTuple, Self

from humbleyolo.errors import SCREEN, ProblemsError
from humbleyolo.params.value_types import OnProblem
from humbleyolo.process.display_width import cut
from humbleyolo.process.terminal import printable

Severity = Literal["error", "warning", "note"]
SHORT = 80  # characters of a value that a message shows
_NAME_COLUMNS = 40  # of a class's name, on a terminal


class BadInput(Exception):  # noqa: N818  (it becomes a row, and is not always an error)
    """Something in a file cannot be used.

    Args:
        kind: One word for tables, such as `zero-area`.
        what: The value found.
        why: The rule, and the fix.
        where: Line or element; empty for the whole file.
        cause: One word for programs, where findings of one kind have several causes.
    """

    def __init__(self, kind: str, what: str, why: str, where: str = "", cause: str = "") -> None:
        super().__init__(kind, what, why, where, cause)
        self.kind, self.what, self.why, self.where, self.cause = kind, what, why, where, cause

    def at(self, where: str) -> Self:
        """Return the same, said of another line or element."""
        return type(self)(self.kind, self.what, self.why, where, self.cause)


class NoImage(BadInput):
    """A name in a label file that is not that of one image.

    Args:
        kind: As `BadInput`; likewise `why`, `where` and `cause`.
        name: The whole name. Messages show its end.
    """

    def __init__(self, kind: str, name: str, why: str, where: str = "", cause: str = "") -> None:
        shown = shorten(name) if len(name) <= SHORT - 2 else f"...{shorten(name[5 - SHORT :])}"
        super().__init__(kind, shown, why, where, cause)
        self.name = name

    def at(self, where: str) -> Self:
        """Return the same, said of another line or element."""
        return type(self)(self.kind, self.name, self.why, where, self.cause)


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the ledger.

    Attributes:
        file: Path inside the folder or archive; `.` for all of it, which messages do not name.
        where: Line or element; empty for the whole file.
        what: The value found.
        why: The rule, and the fix.
        done: The consequence, such as `box dropped`.
        kind: One word, such as `zero-area`.
        severity: `error` stops everything under `on_problem: error`. A `note` says what was done, a `warning`
            what a person should look at; they stop nothing.
        cause: As of `BadInput`; not in tables.
    """

    file: str
    where: str
    what: str
    why: str
    done: str
    kind: str
    severity: Severity
    cause: str = ""

    def __str__(self) -> str:
        place = [one for one in (self.file, self.where) if one not in ("", ".")]
        return printable(": ".join([*place, self.what, self.why]))


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
    return shorten_text(text)


def shorten_text(text: str) -> str:
    """Return a text, without quotes, of at most `SHORT` characters."""
    return text if len(text) <= SHORT else f"{text[: SHORT - 3]}..."


def short_name(name: str) -> str:
    """Return a class's name as a line of a terminal has room for it."""
    return cut(name, _NAME_COLUMNS)


class Ledger:
    """All findings about one dataset, in the order found.

    Args:
        on_problem: `error`: collect everything, then stop. `skip`: leave out what is wrong, and with a box its
            image. `skip_box`: keep the image, if it has other boxes. `clip`: as `skip`, but boxes that cross the
            image's border are cut at it.
    """

    def __init__(self, on_problem: OnProblem) -> None:
        self.on_problem = on_problem
        self.rows: list[Finding] = []

    def problem(self, file: str, error: BadInput, done: str) -> None:
        """Add a mistake. `done` is the consequence under `skip` and `clip`, such as `box dropped`."""
        self._add(file, error, "stopped" if self.on_problem == "error" else done, "error")

    def note(self, file: str, error: BadInput, done: str) -> None:
        """Add something that was changed or left out, but is no mistake."""
        self._add(file, error, done, "note")

    def warn(self, file: str, error: BadInput, done: str = "kept") -> None:
        """Add something that may be wrong, and that a person should look at."""
        self._add(file, error, done, "warning")

    def _add(self, file: str, error: BadInput, done: str, severity: Severity) -> None:
        found = Finding(file, error.where, error.what, error.why, done, error.kind, severity, error.cause)
        self.rows.append(found)

    @contextmanager
    def reporting(self, file: str, done: str, where: str = "") -> Iterator[None]:
        """Give a context that ends at a BadInput, adds it with `problem`, and lets the code after it go on.

        `where` is the line or element to name in place of the error's own; empty keeps that.
        """
        try:
            yield
        except BadInput as error:
            self.problem(file, error.at(where) if where else error, done)

    @property
    def errors(self) -> list[Finding]:
        """The mistakes, without warnings and notes."""
        return [row for row in self.rows if row.severity == "error"]

    def stop_on_errors(self, headline: str) -> None:
        """Raise every mistake found, under the policy `error`.

        Raises:
            ProblemsError: One line for each.
        """
        if self.on_problem == "error" and self.errors:
            rows = self.errors
            if len(rows) > SCREEN:  # some of each kind first
                rows = [row for some in zip(*by_kind(rows), strict=True) for kind in some for row in kind]
            rest = "`humbleyolo check` writes them all with --ledger"
            raise ProblemsError(headline, [str(row) for row in rows], rest)


class Kind(NamedTuple):
    """Findings of one severity and kind: those that are told, if a screen holds all kinds, and the others."""

    shown: list[Finding]
    hidden: list[Finding]


def grouped(rows: Iterable[Finding]) -> dict[tuple[str, str], list[Finding]]:
    """Return findings by severity and kind, in their order."""
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for row in rows:
        kinds.setdefault((row.severity, row.kind), []).append(row)
    return kinds


def by_kind(rows: Iterable[Finding]) -> list[Kind]:
    """Return findings by severity and kind, in their order. Told of all kinds are a screen, or one of each."""
    kinds = grouped(rows)
    room, shares = SCREEN, {}
    for left, kind in zip(range(len(kinds), 0, -1), sorted(kinds, key=lambda kind: len(kinds[kind])), strict=True):
        shares[kind] = min(max(room // left, 1), len(kinds[kind]))
        room -= shares[kind]
    return [Kind(some[: shares[kind]], some[shares[kind] :]) for kind, some in kinds.items()]


def write_ledger(file: BinaryIO, rows: Iterable[Finding]) -> None:
    """Write the rows as CSV (UTF-8), the first line naming the columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [field.name for field in fields(Finding) if field.name != "cause"]
    writer.writerow(columns)
    writer.writerows([getattr(row, name) for name in columns] for row in rows)
    file.write(text.getvalue().encode())
