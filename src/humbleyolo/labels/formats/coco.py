"""COCO JSON: images, categories and annotations in one file, boxes as left, top, width, height in pixels.

Crowd regions (`iscrowd`) keep their flag. Where an annotation has no `bbox`, its polygons or RLE give it. Ids
are only used to join the three lists: any whole number will do, 0 too. COCO's own files have two decimals: a
box's edge may be up to 0.01 pixels beyond the border; it is cut there, with a note.
"""

import json
import posixpath
from collections.abc import Sequence
from typing import Any

from humbleyolo.dataset.coco import annotation_entry, dataset_head, image_entry
from humbleyolo.geometry.boxes import xyxy_to_ltwh
from humbleyolo.labels.folder import LABEL_BYTES, Source
from humbleyolo.labels.formats.masks import mask_corners
from humbleyolo.labels.labelled_image import Corners, UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.ledger import BadInput, shorten
from humbleyolo.labels.parsing.json import get, parse
from humbleyolo.labels.source_reader import SourceReader, split_in
from humbleyolo.labels.writing import WrittenImage, WrittenSet

IMAGES = "images"
_SLACK = 0.01
_NUMBER = (int, float)
_OTHERS = ("captions_", "person_keypoints_", "stuff_", "panoptic_", "image_info_")


def detect(source: Source) -> str:
    """Return why a source is in this format; empty where it is not."""
    for name in _files(source):
        try:
            data = source.read(name)
        except BadInput:
            continue
        if b'"images"' in data and b'"categories"' in data:
            return f"{name} is JSON with images and categories"
    return ""


def _files(source: Source) -> list[str]:
    return [name for name in source.ending(".json") if not posixpath.basename(name).startswith(_OTHERS)]


def read(context: SourceReader) -> UncheckedSet:
    """Return the images of every COCO file; see `formats.Format`."""
    reading = UncheckedSet(background="an entry in images and none in annotations")
    for name in _files(context.source):
        data = context.bytes(name, LABEL_BYTES)
        if data is None:
            continue
        try:
            _File(name, parse(data), context).add_to(reading)
        except BadInput as error:
            context.ledger.problem(name, error, "file dropped")
    return reading


class _File:
    """One COCO file."""

    def __init__(self, name: str, root: Any, context: SourceReader) -> None:
        self.name, self.context = name, context
        self.lists: dict[str, list[Any]] = {
            key: get(root, key, list, "the file") for key in ("images", "categories", "annotations")
        }
        self.images: dict[int, UncheckedImage] = {}
        self.dropped: set[int] = set()

    def add_to(self, reading: UncheckedSet) -> None:
        names = self._categories()
        self._images()
        self._annotations(names)
        reading.images += self.images.values()
        reading.classes = tuple(dict.fromkeys([*reading.classes, *names.values()]))

    def _problem(self, error: BadInput, where: str, done: str) -> None:
        self.context.ledger.problem(self.name, error.at(where), done)

    def _categories(self) -> dict[int, str]:
        names: dict[int, str] = {}
        taken: set[str] = set()
        for number, one in enumerate(self.lists["categories"]):
            where = f"categories[{number}]"
            try:
                key, name = get(one, "id", int, where), get(one, "name", str, where)
                if key in names or name in taken:
                    why = "each category needs its own id and name"
                    raise BadInput("repeated-id", f"id {key}, name {shorten(name)}", why)
                names[key] = name
                taken.add(name)
            except BadInput as error:
                self._problem(error, where, "category dropped")
        return names

    def _images(self) -> None:
        here = posixpath.dirname(self.name)
        above = posixpath.dirname(here)
        split = split_in(self.name)
        folders = [here, f"{here}/images".lstrip("/")]
        for base in (above, f"{above}/images".lstrip("/")):
            folders += [base, *(f"{base}/{split}".lstrip("/") for _ in [split] if split)]
        for number, one in enumerate(self.lists["images"]):
            where = f"images[{number}]"
            key = None
            try:
                key, wanted = get(one, "id", int, where), get(one, "file_name", str, where)
                if key in self.images:
                    raise BadInput(
                        "repeated-id", f"image id {key}", f"is also {self.images[key].where}; ids are unique"
                    )
                self.images[key] = UncheckedImage(
                    label_file=self.name,
                    where=where,
                    path=self.context.finder.find(wanted, *folders),
                    height=get(one, "height", int, where, None),
                    width=get(one, "width", int, where, None),
                    slack=_SLACK,
                    splits=(split,) if split else (),
                )
            except BadInput as error:
                self._problem(error, where, "image dropped")
                if key is not None:
                    self.dropped.add(key)

    def _annotations(self, names: dict[int, str]) -> None:
        ids: set[int] = set()
        for number, one in enumerate(self.lists["annotations"]):
            where = f"annotations[{number}]"
            try:
                key = get(one, "id", int, where, None)
                if key is not None and key in ids:
                    raise BadInput("repeated-id", f"annotation id {key}", "ids are unique; give it another")
                image = get(one, "image_id", int, where)
                if image not in self.images:
                    if image in self.dropped:
                        why = "its image was dropped; see that row"
                    else:
                        why = "no image has that id; correct it or delete the annotation"
                    raise BadInput("points-nowhere", f"image_id {image}", why)
                category = get(one, "category_id", int, where)
                if category not in names:
                    allowed = shorten(", ".join(f"{key} {name}" for key, name in names.items()))
                    raise BadInput(
                        "unknown-class",
                        f"category_id {category}",
                        f"no category has that id; there are {allowed}; correct it",
                    )
                flags = {"crowd"} if get(one, "iscrowd", (int, bool), where, 0) else set()
                box = UncheckedBox(
                    where, names[category], _corners(one, where), frozenset(flags | _extra_flags(one, where))
                )
                self.images[image].boxes.append(box)
                if key is not None:
                    ids.add(key)
            except BadInput as error:
                self._problem(error, where, "box dropped")


def _extra_flags(one: dict[str, Any], where: str) -> set[str]:
    """CVAT, and this project, put what COCO has no key for into `attributes`."""
    attributes = get(one, "attributes", dict, where, {})
    return {flag for flag in ("difficult", "occluded", "truncated") if attributes.get(flag) in (True, 1)}


def _corners(one: dict[str, Any], where: str) -> Corners:
    values = get(one, "bbox", list, where, [])
    if not values:
        return mask_corners(one.get("segmentation"), where)
    if len(values) != 4:
        raise BadInput("columns", f"bbox {shorten(values)}", "must be [left, top, width, height]")
    for value in values:
        if not isinstance(value, _NUMBER) or isinstance(value, bool):
            raise BadInput(
                "not-a-number", f"bbox {shorten(values)}", "must be four numbers: left, top, width, height"
            )
    left, top, width, height = map(float, values)
    return left, top, left + width, top + height


def write(export: WrittenSet) -> None:
    """Write `annotations/instances_<split>.json`, or `instances_default.json` where images have no split."""
    splits = export.splits()
    rest = [item for item in export.items if item.split is None]
    for split, items in [*splits.items(), *([("default", rest)] if rest else [])]:
        export.text(f"annotations/instances_{split}.json", _to_json(items, export.classes))


def _to_json(items: Sequence[WrittenImage], classes: tuple[str, ...]) -> str:
    labels = {name: label for label, name in enumerate(classes)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, item in enumerate(items, 1):
        record = item.image
        images.append(image_entry(number, item.name, height=record.height, width=record.width))
        for box, name, flags in zip(
            xyxy_to_ltwh(record.boxes).tolist(), record.labels, record.flags, strict=True
        ):
            fields: dict[str, Any] = {"iscrowd": int("crowd" in flags)}
            if others := sorted(flags - {"crowd"}):
                fields["attributes"] = dict.fromkeys(others, True)
            annotations.append(annotation_entry(len(annotations) + 1, number, labels[name], box, fields))
    content = dataset_head(classes, {}) | {"images": images, "annotations": annotations}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"
