"""COCO JSON: images, categories and annotations in one file, boxes as left, top, width, height in pixels.

Crowd regions (`iscrowd`) keep their flag. If an annotation has no `bbox`, its polygons or RLE give it. Ids are
only used to join the three lists: any whole number will do, 0 too. Those of images may be texts instead, as
Detectron2 writes them of Pascal VOC. Those of annotations may repeat, or be texts.
COCO's own files have two decimals: a box's edge may be up to 0.01 pixels beyond the border. It is cut, with a note.
"""

import json
import math
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from humbleyolo.dataset.coco_json import annotation_entry, dataset_head, image_entry
from humbleyolo.inputs.file_names import splits_in
from humbleyolo.inputs.folder import HEAD_BYTES, Source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.json import get, get_id, get_id_or_text, get_size, parse
from humbleyolo.inputs.parsing.json_stream import read_lists
from humbleyolo.labels.formats.masks import mask_corners
from humbleyolo.labels.formats.shapes import around_turned
from humbleyolo.labels.labelled_image import FLAGS, Corners, UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.labels.word_search import first_holding
from humbleyolo.labels.writing import WrittenImage, WrittenSet
from humbleyolo.process.terminal import counted

IMAGES = "images"
_SLACK = 0.01
_WHOLE_BYTES = 2**24  # of a file that is parsed at once, so that a mistake has its line
_MASK = "segmentation"
ImageId = int | str
_FIELDS = {  # that are read of each list's entries
    "images": ("id", "file_name", "height", "width"),
    "categories": ("id", "name", "supercategory"),
    "annotations": ("id", "image_id", "category_id", "bbox", "iscrowd", "ignore", "area", "attributes", _MASK),
}
_NUMBER = (int, float)
_NUMBER_AS_TEXT = re.compile(r"\s*(-?\d{1,18})(?:\.0*)?\s*")
_OTHERS = ("captions_", "stuff_", "panoptic_", "image_info_")
_POSES = "person_keypoints_"


def detect(source: Source) -> str:
    """Return the evidence that a source is in this format; empty if it is not."""
    name = first_holding(source, _files(source), (b'"images"', b'"categories"'), b'"annotations"')
    return f"{name} is JSON with images and categories" if name else ""


def _files(source: Source) -> list[str]:
    """Return the JSON files but COCO's own without boxes, and those of keypoints whose boxes another file has."""
    names = [name for name in source.ending(".json") if not posixpath.basename(name).startswith(_OTHERS)]
    boxed = {*names}
    return [name for name in names if (other := name.replace(_POSES, "instances_")) == name or other not in boxed]


def read(reader: SourceReader) -> UncheckedSet:
    """Return the images of every COCO file; see `registry.Format`."""
    result = UncheckedSet(background="an entry in images and none in annotations")
    names = _files(reader.source)
    others = [name for name in names if _is_of_something_else(reader.source, name)]
    for name in others if len(others) < len(names) else []:
        error = BadInput("not-read", name, f"has no {', '.join(_FIELDS)}")
        reader.ledger.note(name, error, "not read")
        names.remove(name)
    for name in names:
        with reader.ledger.reporting(name, "file dropped"):
            _CocoFile(name, _lists(reader.source, name), reader).add_to(result)
    return result


def _is_of_something_else(source: Source, name: str) -> bool:
    """Tell a small JSON file without any of the lists, such as `package.json`; one that is damaged may be labels."""
    head = source.head(name)
    if len(head) == HEAD_BYTES or any(f'"{key}"'.encode() in head for key in _FIELDS):
        return False
    try:
        return isinstance(parse(head), dict)
    except BadInput:
        return False


def read_ids(reader: SourceReader, name: str) -> tuple[dict[ImageId, str], dict[int, str]]:
    """Return the paths of the images and the names of the categories in a COCO file, each by its id.

    Raises:
        BadInput: If it is no such file.
    """
    file = _CocoFile(name, _lists(reader.source, name, "images", "categories"), reader)
    file._read_images()
    return {key: image.path for key, image in file.images.items()}, file._categories()


def _lists(source: Source, name: str, *wanted: str) -> dict[str, list[Any]]:
    """Return the lists of a file, or those `wanted`: of a large one entry by entry, without what is not used.

    Raises:
        BadInput: If it is no JSON, or has not these lists.
    """
    result: dict[str, list[Any]] = {key: [] for key in wanted or _FIELDS}

    def take(key: str, _number: int, entry: Any) -> None:
        if key in result:
            used = _FIELDS[key] if isinstance(entry, dict) else ()
            boxed = isinstance(entry, dict) and entry.get("bbox")
            kept = {field: entry[field] for field in used if field in entry and not (boxed and field == _MASK)}
            result[key].append(kept if isinstance(entry, dict) else entry)

    data = source.start(name, _WHOLE_BYTES + 1)
    if len(data) <= _WHOLE_BYTES:
        root = parse(data)
        return {key: get(root, key, list, "the file") for key in result}
    with source.open(name) as file:
        root = read_lists(file, take)
    for key in _FIELDS:
        get(root, key, list, "the file")
    return result


class _CocoFile:
    """One COCO file."""

    def __init__(self, name: str, lists: dict[str, list[Any]], reader: SourceReader) -> None:
        self.name, self.reader, self.report = name, reader, reader.ledger.reporting
        self.lists = lists
        self.images: dict[ImageId, UncheckedImage] = {}
        self.above: list[str] = []  # each category's supercategory
        self.hidden = 0  # boxes whose image is not known
        self.by_number: defaultdict[int | None, list[UncheckedImage]] = defaultdict(list)  # once ids disagree
        self.places: dict[ImageId, str] = {}  # of the images, by id, also of those that are dropped

    def add_to(self, result: UncheckedSet) -> None:
        names = self._categories()
        self._read_images()
        used = self._annotations(names)
        if len(names) > 1 and (root := self._root(names)) is not None and root not in used:
            why = "it is what Roboflow puts above all others, and no box is of it"
            error = BadInput("root-category", f"id {root}, name {shorten(names[root])}", why)
            self.reader.ledger.note(self.name, error, "no class")
            del names[root]
        result.add(self.images.values(), names.values())

    def _root(self, names: dict[int, str]) -> int | None:
        """Return the id of the first category, if all others name it as theirs above and it has none."""
        [root, *_], [above, *others] = names, self.above
        return root if above == "none" and {*others} == {names[root]} else None

    def _entries(self, key: str) -> Iterator[tuple[Any, str]]:
        entries = self.lists[key]
        for number, entry in enumerate(entries):
            entries[number] = None  # a million of them need not be held beside what is made of them
            yield entry, f"{key}[{number}]"

    def _categories(self) -> dict[int, str]:
        names: dict[int, str] = {}
        for entry, where in self._entries("categories"):
            with self.report(self.name, "category dropped", where):
                key, name = get_id(entry, "id", where), get(entry, "name", str, where)
                if key in names:
                    why = "each category needs its own id"
                    raise BadInput("repeated-id", f"id {key}, name {shorten(name)}", why)
                if name in names.values():  # as Roboflow's root category may be
                    error = BadInput(
                        "repeated-name", f"id {key}, name {shorten(name)}", "one name is one class", where
                    )
                    self.reader.ledger.note(self.name, error, "both ids read as it")
                names[key] = name
                self.above.append(str(entry.get("supercategory")))
        return names

    def _read_images(self) -> None:
        here = posixpath.dirname(self.name)
        above = posixpath.dirname(here)
        splits = splits_in(self.name)
        folders = [here, f"{here}/images".lstrip("/")]
        subset = posixpath.splitext(posixpath.basename(self.name))[0].partition("_")[2]  # instances_Validation.json
        for base in (above, f"{above}/images".lstrip("/")):
            folders += [base, *(f"{base}/{split}".lstrip("/") for split in (subset, *splits) if split)]
        for entry, where in self._entries("images"):
            with self.report(self.name, "image dropped", where):
                key, wanted = get_id_or_text(entry, "id", where), get(entry, "file_name", str, where)
                if key in self.places:
                    self._drop_other(key, wanted, where, folders)
                    raise _repeated(key, self.places[key])
                self.places[key] = where
                self.images[key] = UncheckedImage(
                    label_file=self.name,
                    path=self.reader.images.find(wanted, *folders),
                    where=where,
                    height=get_size(entry, "height", where),
                    width=get_size(entry, "width", where),
                    slack=_SLACK,
                    splits=splits,
                )

    def _drop_other(self, key: ImageId, wanted: str, where: str, folders: Sequence[str]) -> None:
        """Drop the first image of an id that another one has too: nobody knows whose its boxes are."""
        path = ""
        with suppress(BadInput):
            path = self.reader.images.find(wanted, *folders)
        if key in self.images and self.images[key].path != path:
            self.reader.ledger.problem(self.name, _repeated(key, where).at(self.places[key]), "image dropped")
            del self.images[key]

    def _annotations(self, names: dict[int, str]) -> set[object]:
        """Add the boxes to their images; return the ids of their categories."""
        id_of = get_id_or_text if any(isinstance(key, str) for key in self.places) else get_id
        ids: Counter[object] = Counter()
        used: set[object] = set()
        ignored = 0
        for entry, where in self._entries("annotations"):
            with self.report(self.name, "box dropped", where):
                with self._losing_any(entry):
                    image = id_of(entry, "image_id", where)
                if (key := entry.get("id")) is not None:
                    ids[key if isinstance(key, int | str) else shorten(key)] += 1
                if image not in self.images:
                    if image in self.places:
                        continue  # the row of its image tells it
                    self._lose_meant(image)
                    why = "no image has that id; correct it or delete the annotation"
                    raise BadInput("points-nowhere", f"image_id {shorten(image)}", why)
                used.add(entry.get("category_id") if isinstance(entry.get("category_id"), int | float) else None)
                with self.images[image].losing():
                    self.images[image].boxes.append(self._box(entry, where, names))
                ignored += is_ignored(entry)
        self._lose_hidden()
        if ignored:
            why = "their annotations say so, with ignore"
            error = BadInput("ignored", counted(ignored, "box", "boxes"), why)
            self.reader.ledger.note(self.name, error, "read as crowds")
        if repeated := sum(ids.values()) - len(ids):
            why = "the ids of annotations join nothing"
            self.reader.ledger.note(self.name, BadInput("repeated-id", f"{repeated} annotations", why), "read")
        return used

    @contextmanager
    def _losing_any(self, entry: Any) -> Iterator[None]:
        """Count a box whose image is not known: of the one that a text means, else of any. Other texts mean none."""
        try:
            yield
        except BadInput:
            meant = entry.get("image_id") if isinstance(entry, dict) else None
            if isinstance(meant, str) and meant.strip():
                self._lose_meant(meant)
            else:
                self.hidden += 1
            raise

    def _lose_meant(self, image_id: ImageId) -> None:
        """Count a box as lost by the images whose ids are the same number, if one of both is a text."""
        if not self.by_number:
            for key, image in self.images.items():
                self.by_number[_number(key)].append(image)
        for image in self.by_number[number] if (number := _number(image_id)) is not None else []:
            image.lost += 1

    def _lose_hidden(self) -> None:
        """Count the boxes of unknown images as lost by each image without a box, which would become background."""
        empty = [one for one in self.images.values() if not one.boxes]
        if not self.hidden or not empty:
            return
        for one in empty:
            one.lost += self.hidden
        found = f"{counted(self.hidden, 'annotation')} without a usable image_id"
        why = f"may be of any of the {counted(len(empty), 'image')} without a box, which would become background"
        error = BadInput("box-lost", found, f"{why}; correct the annotation, or delete it")
        self.reader.ledger.warn(self.name, error, "images without a box left out")

    def _box(self, entry: dict[str, Any], where: str, names: dict[int, str]) -> UncheckedBox:
        category = get_id(entry, "category_id", where)
        if category not in names:
            allowed = shorten(", ".join(f"{key} {name}" for key, name in names.items()))
            why = f"no category has that id; there are {allowed}; correct it"
            raise BadInput("unknown-class", f"category_id {category}", why)
        area = float(entry["area"]) if type(entry.get("area")) in _NUMBER else math.nan
        return UncheckedBox(where, names[category], self._upright(entry, where), read_flags(entry, where), area)

    def _upright(self, entry: dict[str, Any], where: str) -> Corners:
        """Return an annotation's corners. CVAT's `bbox` of a turned box is that before the turn, by `rotation`."""
        corners = _corners(entry, where)
        angle = float(get(get(entry, "attributes", dict, where, {}), "rotation", _NUMBER, where, 0))
        return around_turned(corners, angle, where, self.name, self.reader.ledger) if entry.get("bbox") else corners


def _number(key: ImageId) -> int | None:
    """Return the number that an id is, or that its text says; None for other texts."""
    found = _NUMBER_AS_TEXT.fullmatch(key) if isinstance(key, str) else None
    return key if isinstance(key, int) else int(found[1]) if found else None


def _repeated(key: ImageId, other: str) -> BadInput:
    return BadInput("repeated-id", f"image id {shorten(key)}", f"is also {other}; ids are unique")


def read_flags(entry: Mapping[str, Any], where: str) -> frozenset[str]:
    """Return the flags of an annotation. CVAT, and this project, put those without a key into `attributes`."""
    crowd = get(entry, "iscrowd", (int, bool), where, 0) or is_ignored(entry)
    others = get(entry, "attributes", dict, where, {}) | {"crowd": bool(crowd)}
    return frozenset(flag for flag in FLAGS if others.get(flag) in (True, 1))


def is_ignored(entry: Mapping[str, Any]) -> bool:
    """Tell an annotation that is no object to be found, such as a region of many; mmdetection leaves it out."""
    return entry.get("ignore") in (True, 1)


def _corners(entry: dict[str, Any], where: str) -> Corners:
    values = get(entry, "bbox", list, where, [])
    if not values:
        return mask_corners(entry.get("segmentation"), where)
    if len(values) != 4:
        raise BadInput("columns", f"bbox {shorten(values)}", "must be [left, top, width, height]")
    if not all(isinstance(value, _NUMBER) and not isinstance(value, bool) for value in values):
        raise BadInput("not-a-number", f"bbox {shorten(values)}", "must be four numbers: left, top, width, height")
    left, top, width, height = map(float, values)
    return left, top, left + width, top + height


def flag_fields(flags: frozenset[str]) -> dict[str, Any]:
    """Return an annotation's keys for flags: COCO's own for crowds; the others as CVAT writes them, if any."""
    others = dict.fromkeys(sorted(flags - {"crowd"}), True)
    return {"iscrowd": int("crowd" in flags)} | ({"attributes": others} if others else {})


def write(out: WrittenSet) -> None:
    """Write `annotations/instances_<split>.json`, or `instances_default.json` for images without a split."""
    for split, items in out.splits("default").items():
        out.text(f"annotations/instances_{split}.json", _to_json(items, out.classes))


def _to_json(items: Sequence[WrittenImage], classes: tuple[str, ...]) -> str:
    labels = {name: label for label, name in enumerate(classes)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, item in enumerate(items, 1):
        image = item.image
        images.append(image_entry(number, item.name, height=image.height, width=image.width))
        for box, name, flags in zip(image.boxes_ltwh.tolist(), image.labels, image.flags, strict=True):
            annotations.append(annotation_entry(len(annotations) + 1, number, labels[name], box, flag_fields(flags)))
    content = dataset_head(classes, {}) | {"images": images, "annotations": annotations}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"
