"""CSV tables of detections: each common name and form of columns gives the same boxes."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from detection_forms import joined, labels_in
from folders import Maker, picture

from humbleyolo.errors import UserError

Corners = tuple[float, float, float, float]
BOXES: dict[str, Sequence[Corners]] = {  # in images of 40 x 20 px
    "a.png": [(1, 2, 9, 8), (20, 4, 38, 19)],
    "b.png": [(0, 0, 12, 6), (30, 10, 40, 20)],
}


def corners(*box: float) -> list[object]:
    return [*box]


def lengths(x1: float, y1: float, x2: float, y2: float) -> list[object]:
    return [x1, y1, x2 - x1, y2 - y1]


def centre(x1: float, y1: float, x2: float, y2: float) -> list[object]:
    return [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]


def fractions(x1: float, y1: float, x2: float, y2: float) -> list[object]:
    return [x1 / 40, y1 / 20, x2 / 40, y2 / 20]


def as_list(form: Callable[..., list[object]]) -> Callable[..., list[object]]:
    return lambda *box: [f'"{form(*box)}"']


@pytest.fixture
def labels(make: Maker) -> Path:
    lines = [",".join(map(str, (name, "cat", *box))) for name, boxes in BOXES.items() for box in boxes]
    table = "\n".join(["image,label,xmin,ymin,xmax,ymax", *lines])
    return make.folder({"a.png": picture(1), "b.png": picture(2), "labels.csv": table})


def written(folder: Path, head: str, form: Callable[..., list[object]], boxes: dict[str, Sequence[Corners]]) -> Path:
    lines = [",".join(map(str, (name, "cat", 0.5, *form(*box)))) for name, some in boxes.items() for box in some]
    path = folder / "found.csv"
    path.write_text("\n".join([head, *lines]))
    return path


@pytest.mark.parametrize(
    ("head", "form", "told"),
    [
        ("image,label,score,x_min,y_min,x_max,y_max", corners, ""),
        ("Image Name,Label,Score,XMin,YMin,XMax,YMax", corners, ""),
        ("filename,class,score,x,y,w,h", lengths, "boxes: x, y, w, h as left, top, width, height"),
        ("filename,class,score,x,y,w,h", centre, "boxes: x, y, w, h as centre x, y, width, height"),
        ("filename,class,score,x_center,y_center,width,height", centre, ""),
        ("image,label,score,bbox", as_list(lengths), "boxes: bbox as left, top, width, height"),
        ("image,label,score,bbox", as_list(corners), "boxes: bbox as left, top, right, bottom"),
        ("ImageID,LabelName,Conf,XMin,YMin,XMax,YMax", fractions, "boxes: in fractions of the image"),
        ("image,label,score,xmin,ymin,xmax,ymax", fractions, "boxes: in fractions of the image"),
    ],
)
def test_columns_are_those_that_labels_may_have(
    head: str, form: Callable[..., list[object]], told: str, labels: Path, tmp_path: Path
) -> None:
    with labels_in(labels) as read:
        found = joined(read, written(tmp_path, head, form, BOXES))
    assert np.allclose(found.detections.boxes_ltwh, [lengths(*box) for some in BOXES.values() for box in some])
    assert ([line for line in found.told if line.startswith("boxes")] or [""]) == [told]


def test_numbers_that_fit_two_readings_are_asked_for(labels: Path, tmp_path: Path) -> None:
    path = written(tmp_path, "image,label,score,x,y,w,h", lengths, {"a.png": [(10, 8, 14, 12)]})
    with labels_in(labels) as read, pytest.raises(UserError) as error:
        joined(read, path)
    assert "may be left, top, width, height or centre x, y, width, height, and each fits; name" in str(error.value)


def test_turned_boxes_are_refused(labels: Path, tmp_path: Path) -> None:
    path = tmp_path / "found.csv"
    path.write_text("image,label,score,cx,cy,w,h,angle\na.png,cat,0.5,5,5,8,6,30\n")
    with labels_in(labels) as read, pytest.raises(UserError, match="30' in the column angle: boxes here are upright"):
        joined(read, path)
