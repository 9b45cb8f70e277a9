"""Which file of a source a label file means."""

import difflib
import posixpath
import unicodedata
from collections import defaultdict
from pathlib import PurePosixPath

from humbleyolo.labels.folder import Source
from humbleyolo.labels.ledger import BadInput, shorten

_MOST_COMPARED = 3000  # names that a suggestion is picked from
_MOST_GUESSES = 200  # suggestions of similar names; each takes milliseconds


class ImageLookup:
    """The images of a source, by path, by name and by name without extension."""

    def __init__(self, source: Source) -> None:
        self.images = source.images()
        self._paths = set(self.images)
        self._guesses = 0
        self._composed = _unique_composed(self.images)
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._by_folded: dict[str, list[str]] = defaultdict(list)
        for path in self.images:
            name = PurePosixPath(path).name
            self._by_name[name].append(path)
            self._by_stem[PurePosixPath(path).stem].append(path)
            self._by_folded[_fold(name)].append(path)

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def find(self, wanted: str, *folders: str, moved: bool = False) -> str:
        """Return the image that a label file names.

        Args:
            wanted: The name or path written there; a backslash is read as `/`.
            folders: Where it may lie, best first; `""` is the top.
            moved: Whether absolute paths are expected, of the machine where the list was written; then their
                end decides.

        Raises:
            BadInput: Where no image or more than one fits, or the path leaves the source. Names that Unicode
                holds to be the same text fit; names that differ by case alone do not.
        """
        path = wanted.replace("\\", "/")
        absolute = path.startswith("/") or path[1:2] == ":"
        if not path or (absolute and not moved):
            fix = "must be a name or a path inside the folder"
            raise BadInput("unsafe-path", shorten(wanted), fix)
        if moved:
            path = path.removeprefix(path[:2] if path[1:2] == ":" else "").lstrip("/")
        inside = [posixpath.normpath(posixpath.join(folder, path)) for folder in folders]
        for one in inside:
            if one in self._paths:
                return one
            if (composed := unicodedata.normalize("NFC", one)) in self._composed:
                return self._composed[composed]
        if not moved and any(one == ".." or one.startswith("../") for one in inside):
            raise BadInput("unsafe-path", shorten(wanted), "leaves the folder; must be a path inside it")
        tail = path
        while tail.startswith("../"):
            tail = tail.removeprefix("../")
        named = self._by_name.get(PurePosixPath(tail).name, [])
        while tail:
            fits = [one for one in named if one == tail or one.endswith("/" + tail)]
            if len(fits) == 1:
                return fits[0]
            if fits:
                names = ", ".join(fits[:3])
                raise BadInput(
                    "image-ambiguous", shorten(wanted), f"may be {names}; write the path, not the name"
                )
            if not moved:
                break
            tail = tail.partition("/")[2]
        raise self._missing(wanted, PurePosixPath(path).name)

    def stem(self, stem: str, *folders: str) -> str:
        """Return the image of that name without extension: in the first folder that has it, else anywhere.

        Raises:
            BadInput: Where none or several fit.
        """
        found = self._by_stem.get(stem, [])
        for folder in folders:
            here = [path for path in found if posixpath.dirname(path) == folder.strip("/")]
            if here:
                found = here
                break
        if len(found) > 1:
            raise BadInput("image-ambiguous", shorten(stem), f"may be {', '.join(found[:3])}; one must go")
        if not found:
            raise self._missing(stem, stem)
        return found[0]

    def _missing(self, wanted: str, name: str) -> BadInput:
        folded = self._by_folded.get(_fold(name), [])
        stem = self._by_stem.get(PurePosixPath(name).stem, [])
        if folded:
            hint = f"{folded[0]} differs by case or folder alone"
        elif stem:
            hint = f"did you mean {stem[0]}?"
        else:
            self._guesses += 1
            some = list(self._by_name)[:_MOST_COMPARED]
            near = (
                difflib.get_close_matches(name[:200], some, n=1, cutoff=0.8)
                if self._guesses <= _MOST_GUESSES
                else []
            )
            hint = f"did you mean {near[0]}?" if near else "no image has that name"
        return BadInput("image-missing", shorten(wanted), f"{hint}; add the image or correct the name")


def _unique_composed(paths: list[str]) -> dict[str, str]:
    """Return paths by composed form (NFC), where unique: archives made on a Mac hold decomposed names."""
    result: dict[str, str] = {}
    twice = set()
    for path in paths:
        if result.setdefault(unicodedata.normalize("NFC", path), path) != path:
            twice.add(unicodedata.normalize("NFC", path))
    return {composed: path for composed, path in result.items() if composed not in twice}


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
