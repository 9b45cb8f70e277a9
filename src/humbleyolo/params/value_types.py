"""The types of single values in `params.yaml`: numbers with their ranges, colours, words, paths, patterns."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

Count = Annotated[int, Field(ge=1)]
Pixels = Annotated[int, Field(ge=1, le=8192)]
CellCount = Annotated[int, Field(ge=1, le=512)]  # rows or columns of a grid
BoxesPerCell = Annotated[int, Field(ge=1, le=64)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=1e6)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Name = Annotated[str, Field(min_length=1)]
MOST_DETECTIONS = 10_000  # of an image; COCO counts 100 of a class
MaxDetections = Annotated[int, Field(ge=1, le=MOST_DETECTIONS)]
Strength = Annotated[float, Field(ge=0, lt=1)]
Mirrored = Literal["none", "horizontal", "both"]
CellsAnObject = Literal["one", "several"]  # that may answer for an object
LabelFormat = Literal[
    "voc", "yolo", "coco", "cvat", "bbox_label_tool", "labelme", "label_studio", "via", "createml", "datumaro",
    "supervisely", "imagefolder", "kitti", "mot", "oidv4", "open_images", "csv", "article"
]  # fmt: skip  # each has a row in `labels/formats/registry.py`
ArticleMistake = Literal[
    "size_from_prediction", "empty_untaught", "square_for_abs", "mixed_units", "iou_gradient", "none_responsible"
]  # fmt: skip
Exif = Literal["error", "displayed", "stored"]
OnProblem = Literal["error", "skip", "skip_box", "clip"]
NearDuplicates = Literal["together", "error", "ignore"]


def _leaves_ink(word: str) -> str:
    if not word.strip() or not word.isprintable():
        raise ValueError("a text of printable characters, not only spaces")
    return word


Word = Annotated[str, AfterValidator(_leaves_ink)]


def _needs_no_quotes(path: str) -> str:
    if not re.fullmatch(r"(?!-)[\w./:,+@=-]+( (?!-)[\w./:,+@=-]+)*", path):
        allowed = "letters, digits, single spaces and _ . / : , + @ = - alone, no word with - in front"
        raise ValueError(f"a path of {allowed}, since a command line holds it; rename the folder or archive")
    return path


InputPath = Annotated[str, AfterValidator(_needs_no_quotes)]


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression, or '' ({error})") from None
    return text


Pattern = Annotated[str, AfterValidator(_is_pattern)]


def _is_score_or_threshold(value: Any) -> Any:
    is_number = isinstance(value, float | int) and not isinstance(value, bool)
    if value != "threshold" and not (is_number and 0 <= value <= 1):  # NaN too
        raise ValueError("0 to 1, or threshold: the one that evaluate found")
    return float(value) if is_number else value


LeastScore = Annotated[float | Literal["threshold"], BeforeValidator(_is_score_or_threshold)]
