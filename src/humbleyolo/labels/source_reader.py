"""The argument of every format's `read`: the source, what was said of it, and the ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from humbleyolo.inputs.file_names import is_image, is_label
from humbleyolo.inputs.folder import Source
from humbleyolo.inputs.ledger import BadInput, Ledger, shorten
from humbleyolo.inputs.parsing.text import decode
from humbleyolo.labels.image_lookup import ImageLookup
from humbleyolo.labels.labelled_image import ReadOptions, UncheckedSet
from humbleyolo.process.terminal import counted

TEXT_BYTES = 16 * 2**20  # the largest label file about one image


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

    @cached_property
    def listed(self) -> ImageLookup:
        """The source's images, for lists, which name them apart from the labels."""
        return ImageLookup(self.source.images())

    def content(self, read: Callable[["SourceReader"], UncheckedSet]) -> UncheckedSet:
        """Return the images of a format's `read`. One that two different paths claim has lost a box."""
        told = len(self.ledger.rows)
        result = read(self)
        if self.images.settle():
            del self.ledger.rows[told:]
            result = read(self)
        for image in result.images:
            image.lost += image.path in self.images.doubted
        for wanted, found in self.images.renamed.items():
            why = "differs by extension or case alone, and no other name is that of this image"
            self.ledger.note(found, BadInput("name-differs", f"labelled as {shorten(wanted)}", why), "read")
        if moved := self.images.moved:
            wanted, found = next(iter(moved.items()))
            what = f"{counted(len({*moved.values()}), 'image')} named by another path, such as {shorten(wanted)}"
            why = f"{found} is the only one whose path ends alike"
            self.ledger.note(".", BadInput("path-differs", what, why), "read")
        return result

    def text(self, name: str, limit: int = TEXT_BYTES) -> str:
        """Return a label file's text.

        Raises:
            BadInput: If it cannot be read, holds more than `limit` bytes, or is not UTF-8.
        """
        return decode(self.source.read(name, limit))
