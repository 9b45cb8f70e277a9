"""CSV tables of other tools: columns known by name and by content."""

import csv
import io
from collections.abc import Sequence

import numpy as np
import pytest
from folders import Files, Maker, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from humbleyolo.errors import ProblemsError, UserError

PICTURES: Files = {"images/a.png": picture(0), "images/b.png": picture(1)}  # 40 x 20
GEOMETRIES = {
    "corners": lambda b: [*b],
    "ltwh": lambda b: [b[0], b[1], b[2] - b[0], b[3] - b[1]],
    "centre": lambda b: [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]],
}
NAMED = [
    ("x_min,y_min,x_max,y_max", "corners"),
    ("XMin,YMin,XMax,YMax", "corners"),
    ("x1,y1,x2,y2", "corners"),
    ("left,top,right,bottom", "corners"),
    ("bbox_x,bbox_y,bbox_width,bbox_height", "ltwh"),
    ("left,top,width,height", "ltwh"),
    ("x_min,y_min,w,h", "ltwh"),
    ("x_center,y_center,width,height", "centre"),
    ("cx,cy,w,h", "centre"),
    ("x,y,w,h", "ltwh"),
    ("x,y,width,height", "centre"),
    ("bbox", "ltwh"),
    ("bbox", "corners"),
    ("bbox_cxcywh", "centre"),
]
# One box in the upper left corner, one in the lower right: no other reading of them fits.
CORNERS = [(0.0, 0.0, 4.0, 3.0), (30.0, 12.0, 40.0, 20.0)]


def mistake(make: Maker, files: Files, **options: object) -> str:
    """The kind of the one mistake."""
    [row] = [row for row in make.findings(files, **options) if row.severity == "error"]
    return row.kind


def table(header: str, rows: Sequence[Sequence[object]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([header.split(","), *rows] if header else rows)
    return file.getvalue()


def rows_of(names: str, geometry: str, boxes: Sequence[Sequence[float]], scale: Sequence[float] = (1, 1)) -> list:
    places = [GEOMETRIES[geometry](np.array(box) / [*scale, *scale]) for box in boxes]
    return [[str([float(x) for x in place])] if "," not in names else [float(x) for x in place] for place in places]


@pytest.mark.parametrize("image", ["image_id", "filename", "image_path"])
@pytest.mark.parametrize(("names", "geometry"), NAMED)
def test_columns_by_name(make: Maker, names: str, geometry: str, image: str) -> None:
    name = "a" if image == "image_id" else "data/far/images/a.png"
    rows = [[name, *place, "cat"] for place in rows_of(names, geometry, CORNERS)]
    data = make.read({**PICTURES, "l.csv": table(f"{image},{names},class_name", [*rows, ["b.png", *rows[0][1:]]])})
    assert data.format == "csv"
    assert np.allclose(data.images[0].boxes, CORNERS)
    moved = [] if image == "image_id" else ["path-differs"]
    assert [row.kind for row in data.ledger.rows] == ["csv-columns", *moved]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from([one for one in NAMED if one[0] not in ("x,y,w,h", "x,y,width,height", "bbox")]),
    st.lists(st.tuples(*[st.floats(0.01, 0.49)] * 4), min_size=1, max_size=4, unique=True),
    st.booleans(),
)
def test_any_boxes_in_pixels_or_fractions(
    tmp_path_factory: pytest.TempPathFactory, named: tuple[str, str], some: list, fractions: bool
) -> None:
    names, geometry = named
    boxes = [(x * 40, y * 20, 40 * (0.5 + z), 20 * (0.5 + w)) for x, y, z, w in some]
    rows = rows_of(names, geometry, boxes, (40, 20) if fractions else (1, 1))
    text = table(f"file_name,{names},label", [["a.png", *place, "cat"] for place in rows])
    data = Maker(tmp_path_factory.mktemp("csv")).read({"a.png": picture(), "l.csv": text})
    assert np.allclose(data.images[0].boxes, boxes, atol=1e-6)


def test_a_size_of_nothing_was_not_recorded(make: Maker) -> None:
    rows = [["a.png", 0, 0, "cat", 2, 3, 10, 12]]
    text = table("filename,width,height,class,xmin,ymin,xmax,ymax", rows)
    assert make.read({"a.png": picture(), "l.csv": text}).images[0].boxes.tolist() == [[2, 3, 10, 12]]
    assert mistake(make, {"a.png": picture(), "l.csv": text.replace("0,0,cat", "0,20,cat")}) == "size-differs"


@pytest.mark.parametrize(
    ("names", "box", "readings"),
    [
        ("x,y,w,h", [15, 8, 4, 4], ["left, top, width, height", "centre x, y, width, height"]),
        ("bbox", ["[5, 4, 12, 10]"], ["left, top, width, height", "left, top, right, bottom"]),
    ],
)
def test_two_readings_are_asked_about(make: Maker, names: str, box: list, readings: list[str]) -> None:
    files = {"a.png": picture(), "l.csv": table(f"image_name,{names},class", [["a.png", *box, "cat"]])}
    with pytest.raises(ProblemsError) as caught:
        make.read(files)
    assert all(reading in str(caught.value) for reading in [*readings, "name the column"])
    assert make.findings(files, on_problem="skip")[0].kind == "csv-ambiguous"


def test_the_image_decides_between_readings(make: Maker) -> None:
    """A box that would leave its image, whose size no column tells, can only be a centre and lengths."""
    text = table("image_name,x,y,w,h,class", [["a.png", 35, 15, 8, 8, "cat"]])
    assert make.read({"a.png": picture(), "l.csv": text}).images[0].boxes.tolist() == [[31, 11, 39, 19]]


@pytest.mark.parametrize("geometry", ["corners", "ltwh"])
@pytest.mark.parametrize("bad", [[30.0, 2.0, 43.0, 9.0], [20.0, 5.0, 12.0, 9.0]], ids=["outside", "turned"])
def test_one_mistake_does_not_turn_the_reading(make: Maker, geometry: str, bad: list[float]) -> None:
    """Else a box beyond the border would make lengths of all corners."""
    rng = np.random.default_rng(1)
    first = rng.uniform(0, (20, 8), (30, 2))
    boxes = np.concatenate([first, first + rng.uniform(3, (20, 12), (30, 2))], axis=1).round(1)
    rows = [["a.png", *place, "cat"] for place in rows_of("bbox", geometry, [*boxes, np.array(bad)])]
    data = make.read({"a.png": picture(), "l.csv": table("file_name,bbox,label", rows)}, on_problem="skip_box")
    assert np.allclose(data.images[0].boxes, boxes)
    assert len(data.ledger.errors) == 1


def test_two_readings_that_few_boxes_tell_apart_are_asked_about(make: Maker) -> None:
    """One of 60 boxes does not fit one of them: it may be a mistake."""
    rows = [["a.png", f"[{n % 9}, {n % 7}, {20 + n / 20}, {10 + n / 20}]", "cat"] for n in range(60)]
    files: Files = {
        "a.png": picture(),
        "l.csv": table("file_name,bbox,label", [*rows, ["a.png", "[9,3,8,9]", "cat"]]),
    }
    with pytest.raises(ProblemsError, match="0 and 1 of 61 boxes do not fit"):
        make.read(files)


def test_two_readings_that_both_have_misfits_are_asked_about(make: Maker) -> None:
    """8 boxes against 3 are less than four times as many."""
    rows = [["a.png", f"[{n % 9}, {n % 7}, {20 + n / 20}, {10 + n / 20}]", "cat"] for n in range(49)]
    lengths, corners = ["a.png", "[9, 3, 8, 9]", "cat"], ["a.png", "[25, 3, 38, 9]", "cat"]
    text = table("file_name,bbox,label", [*rows, *[lengths] * 8, *[corners] * 3])
    with pytest.raises(ProblemsError, match="3 and 8 of 60 boxes do not fit"):
        make.read({"a.png": picture(), "l.csv": text})


@pytest.mark.parametrize("telling", [2, 3])
def test_images_whose_size_is_not_looked_at_are_no_doubt(make: Maker, telling: int) -> None:
    """Few images are opened, and a box cannot lie outside the others. Three of all whose size is known are enough."""
    first = [["a.png", 30, 15, 18, 8, "cat"]] * telling + [["a.png", 20, 10, 4, 4, "cat"]] * 40
    lost = [[f"{n}.png", 20, 10, 4, 4, "cat"] for n in range(160)]
    files: Files = {f"{n}.png": b"no image" for n in range(160)}
    read = {**files, "a.png": picture(), "l.csv": table("image,x,y,w,h,class", [*first, *lost])}
    asked = "csv-ambiguous" in [row.kind for row in make.findings(read, on_problem="skip")]
    assert not asked
    sized = [[*row, 40, 20] for row in [*first, *[["a.png", 20, 10, 4, 4, "cat"]] * 160]]
    text = table("image,x,y,w,h,class,img_w,img_h", sized)
    asked = "csv-ambiguous" in [row.kind for row in make.findings({"a.png": picture(), "l.csv": text})]
    assert asked == (telling < 3)


@pytest.mark.parametrize("names", ["x_min,y_min,x_max,y_max", "xmin,ymin,xmax,ymax"])
def test_a_fraction_above_one_makes_no_pixels_of_all(make: Maker, names: str) -> None:
    rows = [["a.png", 0.1 + n / 100, 0.2, 0.6, 0.9, "cat"] for n in range(20)]
    files: Files = {
        "a.png": picture(),
        "l.csv": table(f"filename,{names},class", [*rows, ["a.png", 0, 0, 1.2, 1, "cat"]]),
    }
    data = make.read(files, on_problem="skip_box")
    assert np.allclose(data.images[0].boxes, [[4 + n * 0.4, 4, 24, 18] for n in range(20)])
    assert [row.kind for row in data.ledger.errors] == ["outside-image"]


def test_keras_retinanet_without_header(make: Maker) -> None:
    lines = "images/a.png,2,3,10,12,cat\n/home/me/images/a.png,20,4,39,19,dog\nimages/b.png,,,,,\n"
    data = make.read({**PICTURES, "annotations.csv": lines, "classes.csv": "dog,0\ncat,1\n"})
    assert data.images[0].boxes.tolist() == [[2, 3, 10, 12], [20, 4, 39, 19]]
    assert data.images[0].labels == ("cat", "dog")
    assert data.images[1].labels == ()
    assert data.classes == ("dog", "cat")


def test_makesense_without_header(make: Maker) -> None:
    rows = "cat,2,3,8,9,a.png,40,20\nbig dog,20,4,19,15,b.png,40,20\n"
    data = make.read({**PICTURES, "labels_my-project.csv": rows})
    assert [one.boxes.tolist() for one in data.images] == [[[2, 3, 10, 12]], [[20, 4, 39, 19]]]
    wrong = make.findings({**PICTURES, "l.csv": rows.replace("40,20", "41,20")}, on_problem="skip")
    assert [row.kind for row in wrong].count("size-differs") == 2


def test_one_class_that_no_column_names(make: Maker) -> None:
    """As in Kaggle's wheat: `bbox` with left, top, width, height, and other numbers that are the image's size."""
    rows = [["a", 40, 20, "[2.0, 3.0, 8.0, 9.0]"], ["a", 40, 20, "[30, 4, 9, 15]"], ["b", 40, 20, ""]]
    files: Files = {**PICTURES, "train.csv": table("image_id,width,height,bbox", rows)}
    data = make.read(files, classes=("wheat",))
    assert data.images[0].boxes.tolist() == [[2, 3, 10, 12], [30, 4, 39, 19]]
    assert {*data.images[0].labels} == {"wheat"}
    assert data.images[1].labels == ()
    assert mistake(make, files) == "no-class-names"


def test_numbers_of_classes_need_names(make: Maker) -> None:
    files: Files = {"a.png": picture(), "l.csv": table("image,class_id,x1,y1,x2,y2", [["a.png", 1, 2, 3, 4, 5]])}
    assert mistake(make, files) == "no-class-names"
    assert make.read(files, classes=("cat", "dog")).images[0].labels == ("dog",)
    assert make.read({**files, "names.csv": "0,cat\n1,dog\n"}).images[0].labels == ("dog",)
    assert mistake(make, files, classes=("cat",)) == "unknown-class"


def test_two_columns_of_classes_are_asked_about(make: Maker) -> None:
    rows = [["a.png", "cat", "pet", 2, 3, 4, 5]]
    assert (
        mistake(make, {"a.png": picture(), "l.csv": table("image,class,category,x1,y1,x2,y2", rows)})
        == "csv-ambiguous"
    )


def test_a_table_without_boxes_is_told(make: Maker) -> None:
    text = table("image,x1,y1,x2,y2,label", [["a.png", 2, 3, 4, 5, "cat"]])
    data = make.read(
        {"a.png": picture(), "l.csv": text, "sample_submission.csv": "image_id,PredictionString,score\n"}
    )
    assert ("sample_submission.csv", "not read") in [(row.file, row.done) for row in data.ledger.rows]


def test_broken_numbers_are_losses(make: Maker) -> None:
    rows = [["a.png", "[1, 2, 3]", "cat"], ["b.png", "[1, 2, 3, x]", "cat"], ["b.png", "[1, 2, 3, 4]", "cat"]]
    data = make.findings({**PICTURES, "l.csv": table("image,bbox_ltwh,class", rows)}, on_problem="skip")
    assert [row.kind for row in data if row.severity == "error"] == ["columns", "not-a-number"]
    left = make.read(
        {**PICTURES, "l.csv": table("image,bbox_ltwh,class", [*rows, ["a.png", "[1,2,3,4]", "x"]])},
        on_problem="skip_box",
    )
    assert [len(one.labels) for one in left.images] == [1, 1]


def numbered(column: str, values: Sequence[str]) -> Files:
    """Return an image with a box for each value of a column of classes, and one without a box."""
    rows = [["a.png", value, 2 + number, 3, 10 + number, 12] for number, value in enumerate(values)]
    rows.append(["b.png", "", "", "", "", ""])
    return {**PICTURES, "l.csv": table(f"filename,{column},xmin,ymin,xmax,ymax", rows)}


@pytest.mark.parametrize("column", ["label", "class", "category_name"])
def test_whole_numbers_that_pandas_wrote_as_floats_are_whole(make: Maker, column: str) -> None:
    """A column of numbers with a gap, such as that of background, becomes one of floats."""
    whole, floats = (make.read(numbered(column, values)) for values in (["0", "2", "10"], ["0.0", "2.0", "10.0"]))
    assert floats.images[0].labels == whole.images[0].labels == ("0", "2", "10")
    assert floats.images[1].labels == ()
    said = [str(row) for row in make.findings(numbered(column, ["0.0", "2.0"])) if row.kind == "csv-columns"]
    assert any("without .0" in line for line in said)


@pytest.mark.parametrize("values", [["1.0", "cat"], ["1.0", "1.5"], ["-1.0", "2.0"], ["1.0.0", "2.0"]])
def test_names_that_are_not_all_whole_numbers_stay(make: Maker, values: list[str]) -> None:
    assert make.read(numbered("class", values)).images[0].labels == tuple(values)


@pytest.mark.parametrize("values", [["1", "0"], ["1.0", "0.0"]])
def test_whole_numbers_are_places_in_a_list_of_classes(make: Maker, values: list[str]) -> None:
    files = numbered("class", values)
    assert make.read(files, classes=("cat", "dog")).images[0].labels == ("dog", "cat")
    assert make.read({**files, "names.csv": "0,cat\n1,dog\n"}).images[0].labels == ("dog", "cat")
    assert make.read(files, classes=("1", "0")).images[0].labels == ("1", "0")  # names that are numbers
    assert mistake(make, numbered("class", [*values, "2"]), classes=("cat", "dog")) == "unknown-class"


def test_a_column_of_floats_beside_one_of_names_is_not_the_class(make: Maker) -> None:
    text = table("img_path,class_name,class,xmin,ymin,xmax,ymax", [["a.png", "cat", "1.0", 2, 3, 10, 12]])
    assert make.read({"a.png": picture(), "l.csv": text}).images[0].labels == ("cat",)


@pytest.mark.parametrize("head", ["image,label,xmin,ymin,xmax,ymax", "image_id,class_name,x_min,y_min,x_max,y_max"])
def test_spaces_behind_commas_are_none_of_a_value(make: Maker, head: str) -> None:
    """As people write tables by hand. Quotes may stand behind them too."""
    rows = ["images/a.png,cat,1,2,30,14", 'images/b.png,"a, b",1,2,30,14']
    text = "\n".join([head, *rows, ""])
    plain = make.read(PICTURES | {"l.csv": text})
    spaced = text.replace(",", ", ").replace('"a,  b"', '"a, b"')
    for one in (plain, make.read(PICTURES | {"l.csv": spaced})):
        assert [(image.path, image.labels, image.boxes.tolist()) for image in one.images] == [
            ("images/a.png", ("cat",), [[1, 2, 30, 14]]),
            ("images/b.png", ("a, b",), [[1, 2, 30, 14]]),
        ]


@pytest.mark.parametrize("word", ["No finding", "none", "No_object", "Background", "nan"])
def test_words_that_there_is_no_object_are_background(make: Maker, word: str) -> None:
    """VinBigData has such lines; a class of another name without numbers has lost its box."""
    text = f"image_id,class_name,x_min,y_min,x_max,y_max\na,cat,1,2,30,14\nb,{word},,,,\n"
    data = make.read(PICTURES | {"l.csv": text})
    assert [(image.path, image.labels) for image in data.images] == [("images/a.png", ("cat",)), ("images/b.png", ())]
    assert data.classes == ("cat",)
    assert ("no-object", "note") in {(row.kind, row.severity) for row in data.ledger.rows}
    for other in ("nose", "cat", "noneuclid"):
        lost = make.read(PICTURES | {"l.csv": text.replace(word, other)}, on_problem="skip")
        assert [image.path for image in lost.images] == ["images/a.png"]


def test_the_one_column_of_words_is_the_class(make: Maker) -> None:
    """As BCCD calls it `cell_type`."""
    rows = [[n, f"{'ab'[n % 2]}.png", "RBC", n, n + 5, 2, 9] for n in range(6)]
    head = ",filename,cell_type,xmin,xmax,ymin,ymax"
    data = make.read(PICTURES | {"l.csv": table(head, rows)})
    assert data.classes == ("RBC",)
    assert data.images[0].boxes.tolist() == [[n, 2, n + 5, 9] for n in (0, 2, 4)]
    two = [[*row, f"{row[0] % 2} night"] for row in rows]
    assert make.read(PICTURES | {"l.csv": table(f"{head},taken", two)}).classes == ("RBC",)
    assert mistake(make, PICTURES | {"l.csv": table(f"{head},object", two)}) == "no-class-names"
    many = [[*row[:2], f"object {row[0]}", *row[3:]] for row in rows]
    assert mistake(make, PICTURES | {"l.csv": table(head, many)}) == "no-class-names"


@pytest.mark.parametrize("column", ["split", "group", "camera", "date", "annotator", "camera_type", "stage"])
def test_words_about_the_image_are_no_class(make: Maker, column: str) -> None:
    rows = [[f"{'ab'[n % 2]}.png", n, 2, n + 5, 9, ("train", "val")[n % 2]] for n in range(6)]
    files = PICTURES | {"l.csv": table(f"image_name,x1,y1,x2,y2,{column}", rows)}
    [row] = [row for row in make.findings(files) if row.severity == "error"]
    assert row.kind == "no-class-names"
    assert (f"or call {column!r} label" in row.why) == (column not in ("split", "group"))
    assert make.read(files, classes=("wheat",)).classes == ("wheat",)


def test_one_class_that_is_told_stands_before_words(make: Maker) -> None:
    rows = [["a.png", n, 2, n + 5, 9, ("hard", "soft")[n % 2]] for n in range(6)]
    files: Files = {"a.png": picture(), "l.csv": table("image_name,x1,y1,x2,y2,type", rows)}
    assert make.read(files).classes == ("hard", "soft")
    assert make.read(files, classes=("wheat",)).classes == ("wheat",)
    assert make.read({**files, "names.csv": "0,wheat\n"}).classes == ("wheat",)


@pytest.mark.parametrize(
    "text",
    [
        "image,label\na.png,0\nb.png,1\n",
        "class,count\ndog,1\ncat,0\n",
        "name,id\ncat,0\ndog,1\nhen,1\n",
        "cat,0\ncat,1\n",
    ],
    ids=["of images", "of numbers of boxes", "a number twice", "a name twice"],
)
def test_a_table_of_two_columns_that_names_no_classes(make: Maker, text: str) -> None:
    """Its words had become the names of the numbers."""
    data = make.read({**numbered("class", ["0", "1"]), "other.csv": text})
    assert data.classes == ("0", "1")
    assert ("other.csv", "csv", "not read") in [(row.file, row.kind, row.done) for row in data.ledger.rows]
    assert make.read({**numbered("class", ["0", "1"]), "names.csv": "name,id\ncat,0\ndog,1\n"}).classes == (
        "cat",
        "dog",
    )


@pytest.mark.parametrize("names", ["xmin,ymin,xmax,ymax", "x_center,y_center,width,height"])
@pytest.mark.parametrize("angle", ["angle", "Rotation", "theta", "bbox_angle", "angle_deg"])
def test_turned_boxes_are_refused(make: Maker, names: str, angle: str) -> None:
    rows = [["a.png", 20, 10, 22, 12, "cat", value] for value in ("0", "0.0", "", "nan")]
    files: Files = {"a.png": picture(), "l.csv": table(f"filename,{names},class,{angle}", rows[:1])}
    assert len(make.read(files).images[0].boxes) == 1
    turned = {**files, "l.csv": table(f"filename,{names},class,{angle}", [*rows, [*rows[0][:-1], "0.35"]])}
    [row] = [row for row in make.findings(turned) if row.severity == "error"]
    assert (row.kind, row.what) == ("rotated-box", f"'0.35' in the column {angle}")


@pytest.mark.parametrize("value", ["90", "270.0", "front", ""])
def test_a_turn_of_the_photograph_is_none_of_its_boxes(make: Maker, value: str) -> None:
    rows = [["a.png", "cat", 20, 10, 30, 16, value]]
    data = make.read({"a.png": picture(), "l.csv": table("image,label,xmin,ymin,xmax,ymax,rotation", rows)})
    assert data.images[0].boxes.tolist() == [[20, 10, 30, 16]]
    assert [row.kind for row in data.ledger.rows] == ["rotated-box"] * (value in ("90", "270.0"))


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("0,car\n1,car\n2,bus\n", ("car", "bus")),
        ("0,car\n0,car\n1,bus\n", ("car", "bus")),
        ("country_id,country\n0,Chad\n1,Mali\n", ("Chad", "Mali")),
        ("id,objects\n0,cup\n1,pen\n", ("cup", "pen")),
        ("class,num_id\ncup,0\npen,1\n", ("cup", "pen")),
    ],
)
def test_tables_that_name_classes(make: Maker, text: str, classes: tuple[str, ...]) -> None:
    data = make.read({**numbered("class", ["0", "1"]), "other.csv": text})
    assert set(data.classes) <= set(classes)
    assert data.images[0].labels[0] == classes[0]


def test_four_corners_of_a_box_are_refused(make: Maker) -> None:
    """The first two, one beside the other, had been read as the upper left and the lower right."""
    names = ",".join(f"{axis}{corner}" for corner in range(1, 5) for axis in "xy")
    files: Files = {
        "a.png": picture(),
        "l.csv": table(f"filename,{names},class", [["a.png", 2, 3, 9, 4, 8, 9, 1, 8, "cat"]]),
    }
    assert mistake(make, files) == "rotated-box"


@pytest.mark.parametrize(
    ("column", "value", "told"), [("score", "0.31", 1), ("Confidence", ".9", 1), ("score", "1", 0), ("x", "0.31", 0)]
)
def test_scores_of_a_model_get_a_warning(make: Maker, column: str, value: str, told: int) -> None:
    text = table(f"filename,class,xmin,ymin,xmax,ymax,{column}", [["a.png", "cat", 2, 3, 10, 12, value]])
    data = make.read({"a.png": picture(), "l.csv": text})
    assert len(data.images[0].boxes) == 1
    assert [(row.kind, row.severity) for row in data.ledger.rows] == [("scores", "warning")] * told


def test_a_table_of_whole_images_has_no_boxes(make: Maker) -> None:
    """As Roboflow exports classes of images."""
    with pytest.raises(UserError, match="classes of whole images, without boxes; export as object detection"):
        make.read(PICTURES | {"images/_classes.csv": "filename, cat, dog\na.png, 1, 0\nb.png, 0, 0\n"})
