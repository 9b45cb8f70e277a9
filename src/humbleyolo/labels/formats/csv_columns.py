"""The columns of a CSV with boxes: known by their names, else by what stands in them.

`x_min`, `XMin` and `xmin` are one name. A column `bbox` holds `[a, b, c, d]`. Without a first line of names, a table
is known by the places of its image names, its numbers and its one column of text. Where the names leave two readings
of the four numbers, the numbers decide: corners must be in order, and boxes must lie inside their images.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from humbleyolo.inputs.file_names import is_image
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.csv import values_of
from humbleyolo.inputs.parsing.text import parse_number
from humbleyolo.labels.fractions_as_pixels import are_fractions
from humbleyolo.labels.labelled_image import FLAGS
from humbleyolo.storage.array_types import Bools, Floats

READINGS = {
    "corners": "left, top, right, bottom",
    "ltwh": "left, top, width, height",
    "centre": "centre x, y, width, height",
}
OWN = ("image", "label", "xmin", "ymin", "xmax", "ymax")  # always pixels
_OWN_ALIASES = {"filename": "image", "class": "label"}  # as TensorFlow's tools write them
IMAGE = "image filename filepath imagepath path imagename imgname imagefile imgpath file img imageid imgid"
_LABEL = "label class classname labelname category categoryname objectname objectclass"
_NUMBERED = ("classid", "labelid", "categoryid")
_SIZES = (("width", "height"), ("imagewidth", "imageheight"), ("imgwidth", "imgheight"), ("imgw", "imgh"))
_LENGTHS = ("width height", "w h", "bboxwidth bboxheight", "bboxw bboxh", "boxwidth boxheight", "boxw boxh")
_CORNERS = ("xmin ymin xmax ymax", "left top right bottom", "xtl ytl xbr ybr", "x1 y1 x2 y2", "x0 y0 x1 y1")
_STARTS = {  # of a box with lengths
    "left top": ("ltwh",),
    "xmin ymin": ("ltwh",),
    "bboxx bboxy": ("ltwh",),
    "bboxleft bboxtop": ("ltwh",),
    "xcenter ycenter": ("centre",),
    "cx cy": ("centre",),
    "centerx centery": ("centre",),
    "x y": ("ltwh", "centre"),
}
_BOXES: list[tuple[str, tuple[str, ...]]] = [  # four columns, best first, and the readings that their names leave
    *((names, ("corners",)) for names in _CORNERS),
    *((" ".join(f"bbox{name}" for name in names.split()), ("corners",)) for names in _CORNERS),
    *((f"{start} {lengths}", readings) for start, readings in _STARTS.items() for lengths in _LENGTHS),
]
_LISTS = {  # one column with four numbers
    "bbox": ("ltwh", "corners"),
    "boundingbox": ("ltwh", "corners"),
    "box": ("ltwh", "corners"),
    "bboxltwh": ("ltwh",),
    "bboxxyxy": ("corners",),
    "bboxcxcywh": ("centre",),
}
_MAY_BE_CLASS = re.compile(r".*(types?|kind|species|breed|object|tags?)")  # a name that tells a class
_NO_CLASS = re.compile(  # words of names that tell something else
    "annot|batch|box|camera|data|date|day|device|dtype|file|folder|format|frame|group|image|img|lens|light|mime|photo|region"
    "|scene|sensor|set|shape|source|split|time|user|weather"
)
_MOST = 0.9  # of a column's values decide what it holds; the others are mistakes of their lines
_FEW = 0.02  # of the boxes, by which two readings must differ at least, and five times over
_ENOUGH = 3  # boxes that do not fit one reading settle it, if all fit the other
_LOOK_AT = 1000  # rows that decide what a column holds
_ANGLE = re.compile(r"(b?box)?(rotation)?(angle|rotation|theta)(deg(rees?)?|rad(ians?)?)?")  # of turned boxes
_TURN = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_NO_ANGLE = re.compile(r"[-+]?0*(\.0*)?|nan|none|null", re.I)
_RENAME = "name the columns xmin,ymin,xmax,ymax, or left,top,width,height, or x_center,y_center,width,height"
_RENAME_LIST = "name the column bbox_ltwh, bbox_xyxy or bbox_cxcywh"


@dataclass(slots=True)
class Columns:
    """The columns of one table, by their names in it.

    Attributes:
        image: Column of the image's name.
        label: Column of the class; empty if there is none.
        box: Four columns of numbers, or one that holds four.
        readings: Keys of `READINGS` that the names leave for the box, best first.
        size: Columns of the image's width and height, if there are any.
        numbered: The class column holds numbers.
        own: The names are those that this project writes, so that the box is in pixels.
        header: Names for a table whose first line has none.
        relative: The box is in fractions of the image.
        guessed: The class column is one by its values, and by a name that is not the class's alone, as `cell_type`.
        unsure: A column of few words whose name does not tell a class, where there is no class column.
    """

    image: str
    label: str
    box: tuple[str, ...]
    readings: tuple[str, ...]
    size: tuple[str, str] | tuple[()] = ()
    numbered: bool = False
    own: bool = False
    header: tuple[str, ...] = ()
    relative: bool = field(default=False)
    guessed: bool = False
    unsure: str = ""

    def __str__(self) -> str:
        unit = "fractions" if self.relative else "pixels"
        box = f"box from {', '.join(self.box)} as {READINGS[self.readings[0]]} in {unit}"
        return f"image from {self.image}; {f'class from {self.label}' if self.label else 'no class'}; {box}"

    def texts(self, row: dict[str, str]) -> list[str]:
        """Return the four numbers of a row as they stand; four empty ones for no box. BadInput for another count."""
        texts = [row[name].strip() for name in self.box]
        if len(texts) == 1:
            inside = re.sub(r"^[\[(]|[\])]$", "", texts[0]).strip()
            texts = [text.strip() for text in inside.split(",")] if inside else [""] * 4
        if len(texts) != 4:
            raise BadInput("columns", shorten(row[self.box[0]]), "must be four numbers: [a, b, c, d]")
        return texts

    def numbers(self, texts: Iterable[str]) -> list[float]:
        """Return them as numbers; BadInput for all else."""
        titles = self.box if len(self.box) == 4 else self.box * 4
        return [parse_number(text, title) for text, title in zip(texts, titles, strict=True)]


def map_columns(text: str) -> Columns | None:
    """Return the columns of a table of boxes, by the beginning of its text; None if it is none."""
    rows = _beginning(text)
    if not rows:
        return None
    return _by_name([name.strip() for name in rows[0]], rows[1:]) or _by_content(rows)


def _beginning(text: str) -> list[list[str]]:
    """Return the first rows of a text, without a last one that is cut off."""
    rows: list[list[str]] = []
    with suppress(csv.Error):
        for row in csv.reader(io.StringIO(text), skipinitialspace=True):
            if row:
                rows.append(row)
            if len(rows) > _LOOK_AT:
                break
    return rows


def fold(name: str) -> str:
    """Return a column's name in small letters and digits alone, in American spelling."""
    return re.sub("[^a-z0-9]", "", name.lower()).replace("centre", "center")


def _by_name(header: Sequence[str], rows: list[list[str]]) -> Columns | None:
    own = {_OWN_ALIASES.get(name, name): name for name in header}
    if {*OWN} <= {*own}:
        size = ("width", "height") if {"width", "height"} <= {*header} else ()
        return Columns(own["image"], own["label"], OWN[2:], ("corners",), size, own=True)
    if {"ImageID", "LabelName", "XMin"} <= {*header}:  # Open Images has a reader of its own
        return None
    known = {fold(name): name for name in reversed(header)}
    image = next((known[name] for name in IMAGE.split() if name in known), "")
    box, readings = box_of(known)
    if not image or not box:
        return None
    rest = {name: column for name, column in known.items() if column not in box}
    size = next((((rest[wide], rest[high])) for wide, high in _SIZES if wide in rest and high in rest), ())
    label, numbered = _label_of(rest, header, rows)
    columns = Columns(image, label, box, readings, size, numbered)
    if not label:
        others = [name for name in rest.values() if name not in (image, *size, "split", "group", *FLAGS)]
        columns.label, columns.unsure = _of_few_words(others, header, rows)
        columns.guessed = bool(columns.label)
    return columns


def box_of(known: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns of the box among those `known` by folded names, and the readings that their names leave."""
    for names, readings in _BOXES:
        if all(name in known for name in names.split()):
            return tuple(known[name] for name in names.split()), readings
    return next((((known[name],), readings) for name, readings in _LISTS.items() if name in known), ((), ()))


def refuse_turned(header: Sequence[str], text: str, own: bool) -> BadInput | None:
    """Raise BadInput if columns beside the box say that boxes are not upright: a third corner, or an angle.

    Quarters of a turn beside the project's `own` columns may be those of a photograph: they are a warning.
    """
    known = {fold(name): name for name in header}
    if {"x3", "y3"} <= known.keys():
        why = "boxes here are upright: write the box around these corners, as xmin,ymin,xmax,ymax"
        raise BadInput("rotated-box", f"columns {known['x3']} and {known['y3']}", why, "line 1")
    for name in (known[key] for key in known if _ANGLE.fullmatch(key)):
        values = [value.strip() for value in values_of(text, name)]
        turned = sorted(value for value in values if _TURN.fullmatch(value) and not _NO_ANGLE.fullmatch(value))
        found = f"{shorten(turned[0])} in the column {name}" if turned else ""
        if turned and own and all(float(value) % 90 == 0 for value in turned):
            return BadInput("rotated-box", found, "taken for a photograph's; if boxes are turned, write those around")
        if turned:
            why = "boxes here are upright: write the box around each; if it is no box's, take the column away"
            raise BadInput("rotated-box", found, why)
    return None


def _label_of(known: dict[str, str], header: Sequence[str], rows: list[list[str]]) -> tuple[str, bool]:
    """Return the column of the class, and if it holds numbers.

    Raises:
        BadInput: If two columns may be it.
    """
    found = [known[name] for name in _LABEL.split() if name in known]
    values = {name: [row[place] for row in rows if place < len(row)] for place, name in enumerate(header)}
    texts = [name for name in found if not all(is_whole(text) for text in values[name] if text)]
    if len({tuple(values[name]) for name in texts}) > 1:
        why = f"two columns may be the class; rename {texts[1]}, or take it away"
        raise BadInput("csv-ambiguous", ", ".join(texts), why, "line 1")
    if found:
        return (texts or found)[0], False
    numbered = next((known[name] for name in _NUMBERED if name in known), "")
    return numbered, bool(numbered)


def _of_few_words(columns: Iterable[str], header: Sequence[str], rows: list[list[str]]) -> tuple[str, str]:
    """Return the one of some columns that holds few words and is called so, such as `cell_type`.

    Also the only one that holds few words, but has another name. Each is empty if it is not one alone.
    """
    values = {name: [row[place] for row in rows if place < len(row)] for place, name in enumerate(header)}
    texts = [name for name in columns if _kind(values[name]) == "t" and 2 * len({*values[name]}) <= len(values[name])]
    named = [name for name in texts if _MAY_BE_CLASS.fullmatch(fold(name)) and not _NO_CLASS.search(fold(name))]
    return named[0] if len(named) == 1 else "", texts[0] if len(texts) == 1 and not named else ""


def _by_content(rows: list[list[str]]) -> Columns | None:
    """Return the columns of a table without names: keras-retinanet's, MakeSense's, and others that are clear."""
    count = len(rows[0])
    if count < 5 or sum(len(row) == count for row in rows) < len(rows) - 1:  # the last may be cut off
        return None
    whole = [row for row in rows if len(row) == count]
    kinds = "".join(_kind(row[place].strip() for row in whole) for place in range(count))
    match = re.fullmatch("(?P<before>[it]*)(?P<box>nnnn)(?P<after>(?:[it]|nn(?!n))*)", kinds)
    if not match or kinds.count("i") != 1 or kinds.count("t") > 1:
        return None
    names = tuple(f"column {place + 1}" for place in range(count))
    start, after = match.start("box"), kinds.find("nn", match.end("box"))
    size = (names[after], names[after + 1]) if after >= 0 else ()
    readings = {"innnnt": ("corners",), "tnnnninn": ("ltwh",)}.get(kinds, ("corners", "ltwh"))
    label = names[kinds.index("t")] if "t" in kinds else ""
    image = names[kinds.index("i")]
    return Columns(image, label, names[start : start + 4], readings, size, header=names)


def _kind(values: Iterable[str]) -> str:
    """Return what a column holds: image names (i), numbers (n), text (t), nothing (e)."""
    some = [value for value in values if value]
    if not some:
        return "e"
    most = _MOST * len(some)
    if sum(map(is_image, some)) >= most:
        return "i"
    return "n" if sum(bool(re.fullmatch(r"-?[\d.]+(?:e-?\d+)?", value)) for value in some) >= most else "t"


def is_whole(text: str) -> bool:
    """Tell a whole number, also one that pandas has written as a float: `1.0`."""
    return bool(re.fullmatch(r"[0-9]+(\.0*)?", text.strip()))


def settle(columns: Columns, boxes: Floats, sizes: Callable[[], Floats]) -> None:
    """Leave one reading of the box, and its unit, by all boxes of the table, (M, 4).

    `sizes` gives each box the width and height of its image, (M, 2), NaN where they are not known.

    A few boxes may be mistakes: the reading is the one that clearly more boxes fit.

    Raises:
        BadInput: If two readings fit nearly as many.
    """
    if columns.own or not len(boxes):
        return
    columns.relative = are_fractions(boxes)
    if len(columns.readings) == 1:
        return
    limits = np.ones((len(boxes), 2)) if columns.relative else sizes()
    wrong = {reading: _misfits(to_corners(boxes, reading), limits) for reading in columns.readings}
    known: Bools = np.all(np.isfinite(limits), axis=1)  # the others misfit by their order alone
    chosen = _clear(wrong) or _clear({reading: some[known] for reading, some in wrong.items()}, _ENOUGH)
    if not chosen:
        misfits = {reading: int(some.sum()) for reading, some in wrong.items()}
        best, second, *_ = sorted(columns.readings, key=misfits.__getitem__)
        fits = all(not misfits[one] for one in (best, second))
        numbers = " and ".join(f"{misfits[one]:,}" for one in (best, second))
        why = f"may be {READINGS[best]} or {READINGS[second]}, and "
        why += "each fits; " if fits else f"{numbers} of {len(boxes):,} boxes do not fit; "
        fix = _RENAME_LIST if len(columns.box) == 1 else _RENAME
        names = "their column" if len(columns.box) == 1 else "their columns"
        fix += f" in a first line that says what {names} hold" if columns.header else ""
        raise BadInput("csv-ambiguous", ", ".join(columns.box), why + fix)
    columns.readings = (chosen,)


def _clear(wrong: dict[str, Bools], enough: float = np.inf) -> str:
    """Return the reading that clearly more boxes fit; empty if there is none.

    `wrong` are the boxes, (M,), that do not fit each. So many of one settle it if all boxes fit the other.
    """
    misfits = {reading: int(some.sum()) for reading, some in wrong.items()}
    best, second, *_ = sorted(misfits, key=misfits.__getitem__)
    if not misfits[best] and misfits[second] >= enough:
        return best
    return best if misfits[second] > 4 * misfits[best] + _FEW * len(wrong[best]) else ""


def _misfits(corners: Floats, limits: Floats) -> Bools:
    """Tell which boxes, (M,), are not in order or, by more than a pixel, not inside their images."""
    slack = np.where(limits > 1, 1.0, 1e-6)
    ordered = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    outside = (corners[:, :2] < -slack).any(axis=1) | (corners[:, 2:] > limits + slack).any(axis=1)
    wrong: Bools = np.asarray(outside | ~ordered, np.bool_)
    return wrong


def to_corners(boxes: Floats, reading: str) -> Floats:
    """Return boxes, (M, 4), as left, top, right, bottom."""
    if reading == "corners":
        return boxes
    start = boxes[:, :2] - (boxes[:, 2:] / 2 if reading == "centre" else 0)
    return np.concatenate([start, start + boxes[:, 2:]], axis=1)
