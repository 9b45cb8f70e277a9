"""What every format's reader is given."""

import posixpath
import re
from dataclasses import dataclass
from functools import cached_property

from humbleyolo.labels.folder import Source
from humbleyolo.labels.image_lookup import ImageLookup
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.labels.ledger import BadInput, Ledger
from humbleyolo.labels.parsing.text import decode

TEXT_BYTES = 16 * 2**20  # the largest label file about one image
_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"} | {
    "dev": "val",
    "test": "test",
    "testing": "test",
}
_SPLIT_WORD = re.compile(
    rf"(?:^|[/_.-])({'|'.join(sorted(_SPLITS, key=len, reverse=True))})\d*(?=[/_.-]|$)", re.I
)


@dataclass
class SourceReader:
    """A source being read: where readers look, and where they say what they found.

    Attributes:
        source: The files.
        options: What the person who labelled said.
        ledger: Takes what is wrong.
    """

    source: Source
    options: ReadOptions
    ledger: Ledger

    @cached_property
    def finder(self) -> ImageLookup:
        """The source's images."""
        return ImageLookup(self.source)

    def bytes(self, name: str, limit: int = TEXT_BYTES) -> bytes | None:
        """Return a label file's bytes; None, with a row in the ledger, where it cannot be read."""
        try:
            return self.source.read(name, limit)
        except BadInput as error:
            self.ledger.problem(name, error, "file dropped")
            return None

    def text(self, name: str, limit: int = TEXT_BYTES) -> str | None:
        """Return a label file's text; None, with a row in the ledger, where it cannot be read."""
        data = self.bytes(name, limit)
        try:
            return None if data is None else decode(data)
        except BadInput as error:
            self.ledger.problem(name, error, "file dropped")
            return None


def split_in(path: str) -> str | None:
    """Return the split that a path speaks of: `train`, `val`, `test`, or None. `valid/1.txt` is val."""
    words = _SPLIT_WORD.findall(path)
    return _SPLITS[words[-1].lower()] if words else None


def split_of_folder(path: str) -> str | None:
    """Return the split that the folders of a file speak of. Its own name does not count: `test.jpg` is any image."""
    return split_in(posixpath.dirname(path))
