"""Files of tools whose formats are not read, known by their beginnings, and what to export in their place."""

import re
from typing import NamedTuple

from humbleyolo.inputs.file_names import suffix


class Unread(NamedTuple):
    """A format that is not read: its title, and what to do."""

    title: str
    fix: str


_N = r"-?[\d.]+"
_WORD = r"(?![-+\d.,eE]*(?:\s|$))"  # what follows is no number
_BY_KEYS: tuple[tuple[str, Unread], ...] = (  # keys of JSON, all of a row, best first
    ("assets boundingBox", Unread("VoTT's JSON", "export as Pascal VOC from VoTT")),
    ("item slots", Unread("Darwin JSON of V7", "export as COCO from V7")),
    ("box2d", Unread("Scalabel JSON, as of BDD100K", "convert it with `python -m bdd100k.label.to_coco`")),
    ("imageGcsUri", Unread("Vertex AI's JSON lines", "write a CSV image,label,xmin,ymin,xmax,ymax")),
    ("topX bottomX", Unread("Azure ML's JSON lines", "export as COCO from Azure")),
    ("prefix suffix", Unread("JSON lines for a language model", "export as COCO from the tool, such as Roboflow")),
    ("data_row", Unread("Labelbox's JSON lines", "convert them to COCO with Labelbox's SDK")),
    ("source-ref", Unread("SageMaker's manifest", "write a CSV image,label,xmin,ymin,xmax,ymax")),
    ("gtboxes", Unread("CrowdHuman's odgt", "convert it to COCO")),
    ("classes labels bounding_box", Unread("FiftyOne's JSON", "export as `fiftyone.types.COCODetectionDataset`")),
    (
        "image_id category_id bbox score",
        Unread("detections of a model", "give the labels; `humbleyolo score` takes these"),
    ),
)
_BY_LINES: tuple[tuple[str, Unread], ...] = (  # first lines of text
    (
        rf"(?:imagesource.*\n|gsd.*\n)*(?:{_N} ){{8}}{_WORD}\S+ \d",
        Unread(
            "DOTA's text",
            "write the box around each turned one as YOLO or VOC; from Roboflow export as COCO or Pascal VOC",
        ),
    ),
    (
        rf"(?:{_N},){{5}}\d+,-?\d+,-?\d+,?\n",
        Unread("VisDrone's text", "convert it to YOLO or COCO, without its ignored regions"),
    ),
    (
        rf"(?:(?:{_N}, ?){{8}}[-\d.]*\n)*(?:{_N}, ?){{8}}{_WORD}\S",
        Unread("ICDAR's text", "write the box around each four corners as YOLO or VOC"),
    ),
    (rf"\S.*\.\w+\n\d+ *\n(?:{_N} ){{4}}", Unread("WIDER FACE's text", "convert it to YOLO or COCO")),
    (
        r"[^\W\d][^\n]* (?:0?\.\d+ ){3}0?\.\d+ *\n",
        Unread("YOLO text with names", "write their numbers, and the names in classes.txt"),
    ),
    (r"\d+(?:[,;] ?[01]?\.?\d+){4} *\n", Unread("YOLO text with commas", "separate its numbers by spaces")),
    (
        r"(?i:train|test|validation|unassigned),gs://",
        Unread("Vertex AI's CSV", "write it as image,label,xmin,ymin,xmax,ymax"),
    ),
)
_JSON = (".json", ".jsonl", ".manifest", ".ndjson", ".odgt")


def unread_format(name: str, head: bytes) -> Unread | None:
    """Return the format of a file by its first bytes, if it is known and not read."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Unread("UTF-16", "save it as UTF-8")
    text = head.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    if suffix(name) in _JSON:
        keys = {*re.findall(r'"([\w-]{1,40})"\s*:', text)}
        return next((one for words, one in _BY_KEYS if keys >= {*words.split()}), None)
    return next((one for pattern, one in _BY_LINES if re.match(pattern, text.lstrip())), None)
