"""JSON too large to be held: one object, whose lists are read entry by entry.

As strict as `parsing.json`: no key twice in one object, no NaN or Infinity, no number beyond 64 bits, few levels. A
mistake is told by its list and entry, since such files have one line.
"""

from collections.abc import Callable
from typing import IO, Any

import ijson

from humbleyolo.inputs.folder import STREAMED_BYTES
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.text import refuse_encoding
from humbleyolo.storage.json import MOST_BYTES

MOST_ENTRIES = 10_000_000  # of all lists; a million boxes take about 0.7 GiB
_LEVELS = 100
_PIECE = 1 << 20  # bytes
_BOM = b"\xef\xbb\xbf"
_FIX = "mend the file or export it again"

Take = Callable[[str, int, Any], None]


def read_lists(file: IO[bytes], take: Take) -> Any:
    """Read a file, calling `take` with each entry of the root's lists: the list's key, the entry's number, the entry.

    Returns:
        The root, whose lists are empty; or a scalar or an empty list, if it is no object.

    Raises:
        BadInput: For anything but one JSON value in UTF-8, and for what is too large: the file, one entry, or the
            number of entries.
    """
    pieces = _Pieces(file)
    tree = _Tree(take, pieces)
    try:
        for event, value in ijson.basic_parse(pieces, use_float=True, buf_size=_PIECE):
            if event == "number" and tree.append:  # nearly all events are of polygons
                tree.append(value)
            else:
                tree.add(event, value)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        said, _, excerpt = str(error).partition("\n")
        near = f" at {shorten(excerpt.partition(chr(10))[0].strip())}" if excerpt else ""
        raise BadInput("json", f"{said}{near}", f"must be JSON; {_FIX}", tree.place) from None
    return tree.root


class _Pieces:
    """A file whose bytes are counted as they are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._total = self.since_entry = 0

    def read(self, count: int) -> bytes:
        """Return the next bytes; BadInput if the file, or the entry they are of, is too large."""
        data = self._file.read(count)
        if not self._total:
            refuse_encoding(data)
            data = data.removeprefix(_BOM) or self._file.read(count)
        self._total += len(data)
        self.since_entry += len(data)
        for size, most, what in (
            (self._total, STREAMED_BYTES, "the file"),
            (self.since_entry, MOST_BYTES, "one entry of it"),
        ):
            if size > most:
                why = f"{what} may have {most:,}; split or shrink it"
                raise BadInput("too-large", f"more than {most:,} bytes", why)
        return data


class _Tree:
    """The values that are open, from the root on, as events of a parser build them.

    Attributes:
        root: The whole.
        append: Function that adds a scalar, where the innermost value that is open is a list inside an entry.
    """

    def __init__(self, take: Take, pieces: _Pieces) -> None:
        self.root: Any = None
        self.append: Callable[[Any], None] | None = None
        self._take, self._pieces = take, pieces
        self._open: list[Any] = []
        self._key = self._list_key = ""
        self._number = self._entries = 0

    @property
    def place(self) -> str:
        """Name of the entry that is being read."""
        return f"{self._list_key}[{self._number}]" if self._list_key else "the file"

    def add(self, event: str, value: Any) -> None:
        """Take an event of the parser."""
        holders = self._open
        if event == "map_key":
            if value in holders[-1]:
                error = f"key {value[:80]!r} twice in one object"
                raise BadInput("json", error, f"one must go; {_FIX}", self.place)
            self._key = value
            if len(holders) == 1:
                self._list_key = ""
            return
        if event == "end_map" or event == "end_array":
            holders.pop()
        else:
            self._put(event, {} if event == "start_map" else [] if event == "start_array" else value)
        self.append = holders[-1].append if len(holders) > 2 and type(holders[-1]) is list else None
        if len(holders) == 2 and (event != "start_map" and event != "start_array"):
            self._end_entry()

    def _put(self, event: str, value: Any) -> None:
        """Put a value, which is open if it begins here, where it belongs."""
        holders = self._open
        if not holders:
            self.root = value
        elif type(holders[-1]) is list:
            holders[-1].append(value)
        else:
            holders[-1][self._key] = value
        if event != "start_map" and event != "start_array":
            return
        holders.append(value)
        if len(holders) == 2 and event == "start_array":
            self._list_key, self._number = self._key, 0
        if len(holders) > _LEVELS:
            raise BadInput("json", "nested too deeply", f"such files have a few levels; {_FIX}", self.place)

    def _end_entry(self) -> None:
        """Hand over the entry that is complete, if it is one of a list."""
        self._pieces.since_entry = 0
        if not isinstance(self._open[1], list) or not isinstance(self.root, dict):
            return
        self._take(self._list_key, self._number, self._open[1].pop())
        self._number += 1
        self._entries += 1
        if self._entries > MOST_ENTRIES:
            raise BadInput("too-large", f"more than {MOST_ENTRIES:,} entries", "split the file", self.place)
