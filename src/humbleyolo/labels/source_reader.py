"""The argument of every format's `read`: the source, what was said of it, and the ledger."""

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from humbleyolo.labels.file_names import is_image, is_label
from humbleyolo.labels.folder import Source
from humbleyolo.labels.image_lookup import ImageLookup
from humbleyolo.labels.labelled_image import ReadOptions, UncheckedSet
from humbleyolo.labels.ledger import BadInput, Ledger, shorten
from humbleyolo.labels.parsing.text import decode

TEXT_BYTES = 16 * 2**20  # the largest label file about one image
LISTS = ("", ".txt", ".lst", ".list")
"""Endings of files that list images."""

_WORDS = {"train": ("train", "training"), "val": ("val", "valid", "validation", "dev"), "test": ("test", "testing")}
_SPLITS = {word: split for split, words in _WORDS.items() for word in words}
_SPLIT_WORD = re.compile(rf"(?:^|[/_.-])({'|'.join(sorted(_SPLITS, key=len, reverse=True))})\d*(?=[/_.-]|$)", re.I)


@dataclass
class SourceReader:
    """A source being read.

    Attributes:
        source: The files.
        options: Facts from the person who labelled.
        ledger: Place for mistakes and notes.
    """

    source: Source
    options: ReadOptions
    ledger: Ledger

    @cached_property
    def images(self) -> ImageLookup:
        """The source's images."""
        others = (name for name in self.source.names if not is_image(name) and not is_label(name))
        return ImageLookup(self.source.images(), others, self.source.ending(".json", ".txt", ".xml"))

    def content(self, read: Callable[["SourceReader"], UncheckedSet]) -> UncheckedSet:
        """Return the images of a format's `read`. One that two different paths claim has lost a box."""
        result = read(self)
        for image in result.images:
            image.lost += image.path in self.images.doubted
        for wanted, found in self.images.renamed.items():
            why = "differs by extension or case alone, and no other name is that of this image"
            self.ledger.note(found, BadInput("name-differs", f"labelled as {shorten(wanted)}", why), "read")
        return result

    def text(self, name: str, limit: int = TEXT_BYTES) -> str:
        """Return a label file's text.

        Raises:
            BadInput: If it cannot be read, holds more than `limit` bytes, or is not UTF-8.
        """
        return decode(self.source.read(name, limit))


def splits_in(path: str) -> tuple[str, ...]:
    """Return the split in a path's words, `train`, `val` or `test`, as a tuple; `valid/1.txt` is val."""
    words = _SPLIT_WORD.findall(path)
    return (_SPLITS[words[-1].lower()],) if words else ()


def split_of_list(name: str) -> str:
    """Return the split that a list's name says; empty if it says none. `test.lst` is of test, `trainval` of train."""
    stem, ending = posixpath.splitext(posixpath.basename(name).lower())
    return _SPLITS.get(stem.removesuffix("val") if stem == "trainval" else stem, "") if ending in LISTS else ""


def splits_of_folder(path: str) -> tuple[str, ...]:
    """Return the split in a path's folders. The file's own name does not count: `test.jpg` is any image."""
    return splits_in(posixpath.dirname(path))
