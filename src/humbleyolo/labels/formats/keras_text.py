"""Text of keras-yolo3, Roboflow's "Keras TXT" and "YOLOv3 Keras": a line an image, with all its boxes.

    train/a.jpg 24,24,49,36,0 7,15,33,34,2
    empty.jpg                                 background, declared

Each box is left, top, right, bottom in pixels, and the number of a class. The names are in the nearest text called
`classes` or `..._classes`, in the folder or above it; else `classes` gives them. It is part of the format `csv`.
"""

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath

from humbleyolo.inputs.file_names import IMAGE_FORMATS, is_image, split_of_list, splits_in, stem_of
from humbleyolo.inputs.folder import LABEL_BYTES, Source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.text import numbered_lines, parse_integer, parse_number
from humbleyolo.labels.class_numbers import settle_count
from humbleyolo.labels.formats.yolo_dataset_files import names_listed
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedImage
from humbleyolo.labels.source_reader import SourceReader

_ENDINGS = "|".join(re.escape(ending) for ending in IMAGE_FORMATS)
_LINE = re.compile(rf"(?P<image>.*?(?:{_ENDINGS}))(?P<boxes>(?:\s.*)?)", re.I)
_BOX = re.compile(r"[-+.\deE]+(?:,[-+.\deE]+){4}")
_NUMBERS = re.compile(r",(\d{1,9})(?=\s|$)")  # of classes, behind four numbers
_CORNERS = ("left", "top", "right", "bottom")
_LOOK_AT = 50  # texts that detection opens
_LINES = 20  # lines of each, likewise


def detect_keras_text(source: Source) -> str:
    """Return the evidence that a source has such a text; empty if it has none."""
    name = next(_known(source), "")
    return f"{name} has lines of an image and all its boxes" if name else ""


def _texts(source: Source) -> list[str]:
    """Return the texts that may be such: none is named after an image."""
    images = {stem_of(name) for name in source.images()}
    return [name for name in source.ending(".txt") if stem_of(name) not in images]


def _known(source: Source) -> Iterator[str]:
    """Yield such texts as detection knows them, by their beginnings. A list of images has no boxes."""
    for name in _texts(source)[:_LOOK_AT]:
        head = numbered_lines(source.head(name).decode("utf-8-sig", "replace"))[:_LINES]
        if any(_has_boxes(line) for _, line in head):
            yield name


def _has_boxes(line: str) -> bool:
    found = _LINE.fullmatch(line)
    return bool(found and found["boxes"].strip() and all(map(_BOX.fullmatch, found["boxes"].split())))


def _files(reader: SourceReader) -> list[str]:
    """Return all such texts of a source that has one by its beginning.

    Of the others, most lines must be of an image, and one must have boxes. One without is background if another
    text of its name has some, as `valid/_annotations.txt`. Where the name says a split, it is a list.
    """
    known = {*_known(reader.source)}
    if not known:
        return []
    empty: list[str] = []
    for name in _texts(reader.source):
        with suppress(BadInput):  # what cannot be read as text is none
            lines = [] if name in known else [line for _, line in numbered_lines(reader.text(name, LABEL_BYTES))]
            boxes = [line for line in lines if _has_boxes(line)]
            if lines and 2 * (len(boxes) + sum(map(is_image, lines))) > len(lines):
                known |= {name} if boxes else set()
                empty += [] if boxes or split_of_list(name) else [name]
    stems = {stem_of(name) for name in known}
    return sorted(known | {name for name in empty if stem_of(name) in stems})


def read_keras_text(reader: SourceReader) -> tuple[list[UncheckedImage], tuple[str, ...]]:
    """Return the images of all such texts, and the names of their classes."""
    images: list[UncheckedImage] = []
    by_names: dict[tuple[str, ...], list[UncheckedImage]] = defaultdict(list)
    numbers: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)  # of the boxes of these names
    for file in _files(reader):
        with reader.ledger.reporting(file, "file dropped"):
            names = reader.options.classes or _names_near(reader, file)
            by_path: dict[str, UncheckedImage] = {}
            for number, line in numbered_lines(reader.text(file, LABEL_BYTES)):
                with reader.ledger.reporting(file, "line dropped", f"line {number}"):
                    _add(reader, by_path, file, names, (number, line))
                numbers[names].update(map(int, _NUMBERS.findall(line)))
            images += by_path.values()
            by_names[names] += by_path.values()
    for names, some in by_names.items():
        settle_count(reader, "csv", numbers[names], len(names), some)
    return images, tuple(dict.fromkeys(name for names in by_names for name in names))


def _add(
    reader: SourceReader,
    images: dict[str, UncheckedImage],
    file: str,
    names: tuple[str, ...],
    numbered: tuple[int, str],
) -> None:
    """Add the boxes of one line to its image."""
    number, line = numbered
    parts = _LINE.fullmatch(line)
    if not parts:
        if last := next(reversed(images.values()), None):  # its line may have been broken in two
            last.lost += 1
        raise BadInput("columns", shorten(line), "a line has an image, then left,top,right,bottom,class of each box")
    here = posixpath.dirname(file)
    path = reader.images.find(parts["image"], here, f"{here}/images".strip("/"))
    where = f"line {number}"
    image = images.setdefault(path, UncheckedImage(file, path, where, splits=splits_in(file)))
    for place, text in enumerate(parts["boxes"].split(), 1):
        with reader.ledger.reporting(file, "box dropped", f"{where}, box {place}"), image.losing():
            image.boxes.append(_box(text, f"{where}, box {place}", names))


def _box(text: str, where: str, names: tuple[str, ...]) -> UncheckedBox:
    columns = text.split(",")
    if len(columns) != 5:
        raise BadInput("columns", shorten(text), "a box is left,top,right,bottom,class without spaces")
    left, top, right, bottom = (parse_number(one, name) for one, name in zip(columns[:4], _CORNERS, strict=True))
    index = parse_integer(columns[4], "the class")
    if not 0 <= index < len(names):
        why = f"allowed: 0 to {len(names) - 1}; correct it, or add its name"
        raise BadInput("unknown-class", f"class {index}", why)
    return UncheckedBox(where, names[index], (left, top, right, bottom))


def _names_near(reader: SourceReader, file: str) -> tuple[str, ...]:
    """Return the class names in the nearest list of them.

    Raises:
        BadInput: If there is none, or it is no such list.
    """
    texts = [name for name in reader.source.ending(".txt") if stem_of(name).lower().endswith("classes")]
    for folder in PurePosixPath(file).parents:
        here = [name for name in texts if PurePosixPath(name).parent == folder]
        if here:
            return names_listed(reader, here[0])
    if len(texts) == 1:
        return names_listed(reader, texts[0])
    raise BadInput(
        "no-class-names", "only class numbers", "add _classes.txt, a name a line in their order, or classes"
    )
