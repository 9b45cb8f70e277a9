"""One of the label sets of a folder, and its mistakes in images that other sets speak of too."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from unicodedata import normalize

from humbleyolo.inputs.file_names import stem_of
from humbleyolo.inputs.folder import Source
from humbleyolo.inputs.ledger import Finding, Ledger
from humbleyolo.labels.corners_as_lengths import drop_corners
from humbleyolo.labels.fractions_as_pixels import read_as_fractions
from humbleyolo.labels.labelled_image import ReadOptions, UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader

SILENT = "label-missing"
"""Kind of the finding of an image that a set does not speak of: no mistake, if another set does."""

MISSING = "image-missing"
"""Kind of the finding of an image that is not here."""

NUMBERS = tuple(map(str, range(1000)))
"""Names of classes that have numbers alone."""


@dataclass(slots=True)
class LabelSet:
    """One label set of a folder.

    Attributes:
        format: Name of its format; `why`: the evidence for it.
        content: Images as labelled.
        ledger: Findings on the way.
        numbered: Its classes are numbers, because no file names them.
    """

    format: str
    why: str
    content: UncheckedSet
    ledger: Ledger
    numbered: bool = False

    def __str__(self) -> str:
        return f"{self.format} ({self.content.images[0].label_file if self.content.images else self.why})"

    def problems(self) -> list[Finding]:
        """Return the mistakes in its files, without images that it does not speak of."""
        return [row for row in self.ledger.errors if row.kind != SILENT]

    def problems_of(self, shared: Container[str], lone: Container[str]) -> list[Finding]:
        """Return the mistakes in images that other sets speak of too, or in files about all images.

        Args:
            shared: Paths of the images that this set and another speak of.
            lone: Names, without endings, of the images that no other set speaks of.
        """
        by_file: dict[str, list[UncheckedImage]] = defaultdict(list)
        for image in self.content.images:
            by_file[image.label_file].append(image)
            by_file[image.path].append(image)
        return [row for row in self.problems() if _concerns(row.file, by_file[row.file], shared, lone)]


def read_content(reader: SourceReader, name: str, read: Callable[[SourceReader], UncheckedSet]) -> UncheckedSet:
    """Return the content of labels in a format, by its `read`, with the numbers of boxes as they are meant.

    Class names that Unicode holds to be the same text are one: as the person gave it, else in the composed form. One
    that is written in one form alone stays, since models and detections have it so.
    """
    content = drop_corners(reader, name, read_as_fractions(reader, reader.content(read)))
    names = {*content.classes, *(box.label for image in content.images for box in image.boxes)}
    other = _other_forms(names, reader.options.classes)
    for image in content.images if other else ():
        for place, box in enumerate(image.boxes):
            if box.label in other:
                image.boxes[place] = replace(box, label=other[box.label])
    content.classes = tuple(dict.fromkeys(other.get(one, one) for one in content.classes))
    return content


def _other_forms(names: Iterable[str], given: Sequence[str]) -> dict[str, str]:
    """Return the form to take of each name that is written in several forms, or in another than the given one."""
    forms: dict[str, set[str]] = defaultdict(set)
    for name in names:
        if not name.isascii():
            forms[normalize("NFC", name)].add(name)
    meant = {normalize("NFC", one): one for one in given}
    taken = {
        composed: meant.get(composed, composed)
        for composed, some in forms.items()
        if composed in meant or len(some) > 1
    }
    return {name: form for composed, form in taken.items() for name in forms[composed] if name != form}


def read_set(
    name: str, why: str, read: Callable[[SourceReader], UncheckedSet], source: Source, options: ReadOptions
) -> LabelSet:
    """Return a label set with a ledger of its own. Classes without names get their numbers as names."""
    result = _read_set(name, why, read, SourceReader(source, options, Ledger(options.on_problem)))
    if any(row.kind == "no-class-names" for row in result.ledger.errors):
        named = replace(options, classes=NUMBERS)
        numbered = _read_set(name, why, read, SourceReader(source, named, Ledger(options.on_problem)))
        numbered.numbered = True
        return result if numbered.problems() else numbered
    return result


def _read_set(name: str, why: str, read: Callable[[SourceReader], UncheckedSet], reader: SourceReader) -> LabelSet:
    return LabelSet(name, why, read_content(reader, name, read), reader.ledger)


def _concerns(file: str, images: list[UncheckedImage], shared: Container[str], lone: Container[str]) -> bool:
    """Tell if a mistake in a file, which speaks of some images, may be in one of those that several sets speak of.

    A file that could not be read speaks of none. It is about one image if it has its name, else about all.
    """
    if not images:
        return stem_of(file) not in lone
    losing = [one for one in images if one.lost] or images
    return any(one.path in shared for one in losing)
