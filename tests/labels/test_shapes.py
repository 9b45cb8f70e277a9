"""Turned boxes, polygons and groups of shapes: one box around each object, in every format that has them."""

import cmath
import json
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from folders import Files, Maker, picture, voc
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.inputs.ledger import Finding, Ledger
from humbleyolo.labels.formats.shapes import around_turned

BOX = (13.0, 8.0, 27.0, 12.0)
Points = list[tuple[float, float]]


def turned(box: Sequence[float], degrees: float) -> Points:
    """The four corners of a box, each turned about its centre as a complex number."""
    left, top, right, bottom = box
    centre = complex(left + right, top + bottom) / 2
    spun = [
        centre + (complex(x, y) - centre) * cmath.exp(1j * math.radians(degrees))
        for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))
    ]
    return [(one.real, one.imag) for one in spun]


def around(points: Points) -> list[float]:
    across, down = zip(*points, strict=True)
    return [min(across), min(down), max(across), max(down)]


def in_voc(degrees: float) -> Files:
    rotation = (
        f"<attributes><attribute><name>rotation</name><value>{degrees}</value></attribute></attributes><bndbox>"
    )
    return {"a.png": picture(), "a.xml": voc("a.png", "cat 13 8 27 12").replace("<bndbox>", rotation)}


def in_coco(degrees: float) -> Files:
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [13, 8, 14, 4], "segmentation": []}
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [annotation | {"attributes": {"occluded": False, "rotation": degrees}}],
    }
    return {"a.png": picture(), "a.json": json.dumps(content)}


def cvat(*shapes: str, labels: str = "") -> Files:
    meta = f"<meta><task><labels>{labels}</labels></task></meta>" if labels else ""
    image = f'<image id="0" name="a.png" width="40" height="20">{"".join(shapes)}</image>'
    return {"a.png": picture(), "a.xml": f"<annotations>{meta}{image}</annotations>"}


def in_cvat(degrees: float) -> Files:
    return cvat(f'<box label="cat" xtl="13" ytl="8" xbr="27" ybr="12" rotation="{degrees}"/>')


def in_cvat_video(degrees: float) -> Files:
    box = f'<box frame="0" outside="0" xtl="13" ytl="8" xbr="27" ybr="12" rotation="{degrees}"/>'
    return {"0.png": picture(), "a.xml": f'<annotations><track id="0" label="cat">{box}</track></annotations>'}


def labelme(*shapes: dict[str, object]) -> Files:
    content = {"imagePath": "a.png", "imageHeight": 20, "imageWidth": 40, "shapes": shapes}
    return {"a.png": picture(), "a.json": json.dumps(content)}


def shape(kind: str, points: object, **more: object) -> dict[str, object]:
    return {"label": "cat", "shape_type": kind, "points": points, "flags": None} | more


def in_labelme(degrees: float) -> Files:
    return labelme(shape("oriented_rectangle", turned(BOX, degrees)))


def in_x_anylabeling(degrees: float) -> Files:
    return labelme(shape("rotation", turned(BOX, degrees), direction=math.radians(degrees)))


def in_yolo_obb(degrees: float) -> Files:
    numbers = " ".join(f"{x / 40:.12f} {y / 20:.12f}" for x, y in turned(BOX, degrees))
    return {"a.png": picture(), "a.txt": f"0 {numbers}\n", "classes.txt": "cat\n"}


@pytest.mark.parametrize("degrees", [90, 30.5, -45, 200, 359])
@pytest.mark.parametrize(
    "write",
    [in_voc, in_coco, in_cvat, in_cvat_video, in_labelme, in_x_anylabeling, in_yolo_obb],
    ids=lambda w: w.__name__,
)
def test_the_box_around_a_turned_box(make: Maker, write: Callable[[float], Files], degrees: float) -> None:
    data = make.read(write(degrees))
    assert np.allclose(data.images[0].boxes, [around(turned(BOX, degrees))], atol=1e-6)
    (row,) = data.ledger.rows
    assert (row.severity, row.kind) == ("note", "not-a-box" if write is in_yolo_obb else "rotated-box")


@pytest.mark.parametrize("write", [in_voc, in_coco, in_cvat, in_cvat_video])
def test_no_turn_changes_nothing(make: Maker, write: Callable[[float], Files]) -> None:
    data = make.read(write(0.0))
    assert data.images[0].boxes.tolist() == [list(BOX)]
    assert not data.ledger.rows


@given(st.tuples(*[st.floats(-100, 100)] * 2), st.tuples(*[st.floats(0.1, 100)] * 2), st.floats(-720, 720))
def test_all_turned_corners_touch_the_box(corner: Points, lengths: tuple[float, float], degrees: float) -> None:
    box = (*corner, corner[0] + lengths[0], corner[1] + lengths[1])
    assert np.allclose(around_turned(box, degrees, "", "", Ledger("error")), around(turned(box, degrees)), atol=1e-6)


def test_an_inverted_box_does_not_become_right_by_turning(one: Callable[..., Finding]) -> None:
    assert one(cvat('<box label="cat" xtl="27" ytl="8" xbr="13" ybr="12" rotation="90"/>')).kind == "inverted-box"


def test_cvats_shapes_with_an_area(make: Maker) -> None:
    shapes = {
        '<polygon label="cat" points="4,4;20.5,4;20,15;4,15"/>': [4, 4, 20.5, 15],
        '<polyline label="cat" points="1,2;9,2;9,7;1,2"/>': [1, 2, 9, 7],
        '<ellipse label="cat" cx="20" cy="10" rx="6" ry="3"/>': [14, 7, 26, 13],
        '<ellipse label="cat" cx="20" cy="10" rx="8" ry="3" rotation="90"/>': [17, 2, 23, 18],
        '<mask label="cat" rle="1, 2" left="3" top="2" width="10" height="5"/>': [3, 2, 13, 7],
        '<cuboid label="cat" xtl1="5" ytl1="3" xbl1="5" ybl1="9" xtr1="9" ytr1="4" xbr1="9" ybr1="10" xtl2="12" '
        'ytl2="2" xbl2="12" ybl2="8" xtr2="7" ytr2="2.5" xbr2="7" ybr2="7"/>': [5, 2, 12, 10],
    }
    data = make.read(cvat(*shapes))
    assert np.allclose(data.images[0].boxes, list(shapes.values()))
    assert [row.kind for row in data.ledger.rows] == ["rotated-box"]


def test_a_turned_ellipse_touches_its_box(make: Maker) -> None:
    data = make.read(cvat('<ellipse label="cat" cx="20" cy="10" rx="8" ry="3" rotation="30"/>'))
    angles = np.linspace(0, 2 * np.pi, 100_000)
    points = (8 * np.cos(angles) + 3j * np.sin(angles)) * cmath.exp(1j * math.radians(30)) + complex(20, 10)
    hull = [points.real.min(), points.imag.min(), points.real.max(), points.imag.max()]
    assert np.allclose(data.images[0].boxes, [hull], atol=1e-6)


def test_cvats_shapes_without_an_area_are_noted_and_without_a_rule_are_mistakes(make: Maker) -> None:
    shapes = (
        '<points label="cat" points="1,2"/>',
        '<polyline label="cat" points="1,2;3,4;5,9"/>',
        "<skeleton/>",
        "<blob/>",
    )
    rows = make.findings(cvat(*shapes, '<box label="cat" xtl="1" ytl="2" xbr="3" ybr="4"/>'))
    assert [(row.kind, row.severity) for row in rows] == [("not-a-box", one) for one in ["note"] * 3 + ["error"]]


def test_cvats_polygons_in_tracks_and_classes_of_other_shapes(make: Maker) -> None:
    labels = "".join(
        f"<label><name>{name}</name><type>{kind}</type></label>"
        for name, kind in (("dog", "rectangle"), ("road", "polyline"), ("cat", "ellipse"))
    )
    closed = '<polyline label="road" points="1,2;9,2;9,7;1,2"/>'
    data = make.read(cvat(closed, labels=labels))
    assert (data.classes, data.images[0].labels) == (("dog", "road"), ("road",))
    track = '<polygon frame="0" outside="0" points="4,4;20,4;20,15"/>'
    track += '<polygon frame="2" outside="1" points="1,1;2,2;3,3"/>'
    content = {f"{n}.png": picture(n) for n in range(3)}
    data = make.read(content | {"a.xml": f'<annotations><track id="0" label="cat">{track}</track></annotations>'})
    assert [image.boxes.tolist() for image in data.images] == [[[4, 4, 20, 15]], [[4, 4, 20, 15]], []]


def test_shapes_of_one_group_and_class_are_one_object(make: Maker) -> None:
    parts = [
        shape("polygon", [[4, 4], [10, 4], [10, 9]], group_id=0),
        shape("rectangle", [[8, 2], [20, 3]], group_id=0),
    ]
    others = [shape("rectangle", [[30, 2], [35, 5]]), shape("rectangle", [[30, 8], [35, 15]], group_id=1)]
    dog = shape("rectangle", [[1, 12], [8, 16]], group_id=0) | {"label": "dog"}
    data = make.read(labelme(*parts, *others, dog))
    assert data.images[0].boxes.tolist() == [[4, 2, 20, 9], [30, 2, 35, 5], [30, 8, 35, 15], [1, 12, 8, 16]]
    assert [(row.kind, row.severity, row.where) for row in data.ledger.rows] == [("grouped", "note", "shapes[0]")]
    polygon = '<polygon label="cat" group_id="{}" points="{},4;{},4;{},9"/>'
    boxes = [f'<box label="cat" group_id="3" xtl="{x}" ytl="2" xbr="{x + 2}" ybr="4"/>' for x in (30, 35)]
    data = make.read(
        cvat(*(polygon.format(group, x, x + 2, x + 2) for group, x in ((3, 1), (0, 9), (3, 5), (0, 20))), *boxes)
    )
    assert data.images[0].boxes[:, 0].tolist() == [1, 9, 20, 30, 35]
    assert data.images[0].boxes[0].tolist() == [1, 4, 7, 9]


def test_labelme_shapes_without_a_rule_are_mistakes(one: Callable[..., Finding]) -> None:
    row = one(labelme(shape("cuboid", [[1, 2], [3, 4]])))
    assert (row.kind, row.severity) == ("not-a-box", "error")
    assert "allowed: rectangle, polygon" in row.why


def test_a_mask_of_labelme_has_its_last_pixel(make: Maker) -> None:
    """Its corners are the first and the last pixel, as `mask` has them; with fractions it was moved by hand."""
    shapes = [
        shape("mask", [[3, 2], [39, 19]]),
        shape("mask", [[3.5, 2], [9, 9]]),
        shape("rectangle", [[1, 2], [5, 6]]),
    ]
    data = make.read(labelme(*shapes))
    assert data.images[0].boxes.tolist() == [[3, 2, 40, 20], [3.5, 2, 9, 9], [1, 2, 5, 6]]


@pytest.mark.parametrize(
    ("more", "flags"),
    [
        ({"difficult": True}, {"difficult"}),
        ({"difficult": False}, set()),
        ({"flags": {"difficult": True}}, {"difficult"}),
    ],
)
def test_difficult_of_x_anylabeling_is_beside_the_flags(make: Maker, more: dict, flags: set[str]) -> None:
    assert make.read(labelme(shape("rectangle", [[1, 2], [5, 6]], **more))).images[0].flags == (flags,)
