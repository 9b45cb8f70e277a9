"""Label Studio, VIA, CreateML, Datumaro, Supervisely, imagefolder, KITTI, MOT, OIDv4: the same boxes in each."""

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from folders import GOOD, Files, Maker, encoded, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from humbleyolo.errors import UserError
from humbleyolo.inputs.folder import HEAD_BYTES
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.labels.convert import convert
from humbleyolo.labels.formats.registry import FORMATS
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions

Box = Sequence[float]
WIDTH, HEIGHT = 40, 20


def ltwh(box: Box) -> list[float]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def rectangle(box: Box, label: str, **more: object) -> dict:
    left, top, width, height = (100 * one / side for one, side in zip(ltwh(box), (WIDTH, HEIGHT) * 2, strict=True))
    value = {"x": left, "y": top, "width": width, "height": height, "rotation": 0, "rectanglelabels": [label]}
    return {"original_width": WIDTH, "original_height": HEIGHT, "type": "rectanglelabels", "value": value, **more}


def task(*annotations: dict, image: str = "0123abcd-a.png", **more: object) -> dict:
    return {"id": 1, "data": {"image": image}, "annotations": list(annotations), "predictions": [], **more}


def drawn(*results: dict, **more: object) -> dict:
    return {"id": 5, "completed_by": 1, "result": list(results), "was_cancelled": False, **more}


def label_studio(boxes: list[Box], label: str) -> Files:
    return {"export.json": json.dumps([task(drawn(*(rectangle(box, label) for box in boxes)))])}


def label_studio_min(boxes: list[Box], label: str) -> Files:
    found = [{**one["value"], "original_width": WIDTH, "original_height": HEIGHT} for one in
             (rectangle(box, label) for box in boxes)]  # fmt: skip
    record = {"image": "/data/local-files/?d=some/a.png", "id": 1, "label": found, "annotator": 1, "annotation_id": 2}
    return {"export.json": json.dumps([record])}


def label_studio_table(boxes: list[Box], label: str, mark: str = ",") -> Files:
    [record] = json.loads(str(label_studio_min(boxes, label)["export.json"]))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(record), delimiter=mark)
    writer.writeheader()
    writer.writerow(record | {"label": json.dumps(record["label"])})
    return {f"project-1.{'csv' if mark == ',' else 'tsv'}": text.getvalue()}


def label_studio_tsv(boxes: list[Box], label: str) -> Files:
    return label_studio_table(boxes, label, "\t")


def region(box: Box, label: str) -> dict:
    shape = {"name": "rect"} | dict(zip(("x", "y", "width", "height"), ltwh(box), strict=True))
    return {"shape_attributes": shape, "region_attributes": {"label": label, "note": "blurred"}}


def via(boxes: list[Box], label: str) -> Files:
    item = {"filename": "a.png", "size": 1, "regions": [region(box, label) for box in boxes], "file_attributes": {}}
    return {"via_project.json": json.dumps({"_via_settings": {}, "_via_img_metadata": {"a.png1": item}})}


def via_1(boxes: list[Box], label: str) -> Files:
    regions = {str(n): region(box, label) for n, box in enumerate(boxes)}
    return {"via_region_data.json": json.dumps({"a.png1": {"filename": "a.png", "regions": regions}})}


def via_csv(boxes: list[Box], label: str) -> Files:
    def quoted(value: object) -> str:
        return '"' + json.dumps(value).replace('"', '""') + '"'

    head = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
    lines = [
        f'a.png,1,"{{}}",{len(boxes)},{n},{quoted(one["shape_attributes"])},{quoted(one["region_attributes"])}\n'
        for n, one in enumerate(region(box, label) for box in boxes)
    ]
    return {"via_export_csv.csv": head + "".join(lines or ['a.png,1,"{}",0,0,"{}","{}"\n'])}


def createml(boxes: list[Box], label: str) -> Files:
    some = []
    for left, top, right, bottom in boxes:
        place = {"x": (left + right) / 2, "y": (top + bottom) / 2, "width": right - left, "height": bottom - top}
        some.append({"label": label, "coordinates": place})
    return {"_annotations.createml.json": json.dumps([{"image": "a.png", "annotations": some}])}


def datumaro(boxes: list[Box], label: str, **annotation: object) -> Files:
    some = [
        {"id": 0, "type": "bbox", "attributes": {}, "group": 0, "label_id": 1, "bbox": ltwh(box), **annotation}
        for box in boxes
    ]
    item = {"id": "a", "annotations": some, "image": {"path": "a.png", "size": [HEIGHT, WIDTH]}}
    labels = [{"name": name, "parent": ""} for name in ("other", label)]
    root = {"dm_format_version": "1.0", "infos": {}, "categories": {"label": {"labels": labels}}, "items": [item]}
    return {"annotations/default.json": json.dumps(root)}


def supervisely(boxes: list[Box], label: str) -> Files:
    some = [
        {"classTitle": label, "geometryType": "rectangle", "points": {"exterior": [[*box[:2]], [*box[2:]]]}}
        for box in boxes
    ]
    size = {"height": HEIGHT, "width": WIDTH}
    return {"ann/a.png.json": json.dumps({"description": "", "tags": [], "size": size, "objects": some})}


def imagefolder(boxes: list[Box], label: str) -> Files:
    objects = {"bbox": [ltwh(box) for box in boxes], "categories": [label] * len(boxes)}
    return {"metadata.jsonl": json.dumps({"file_name": "a.png", "objects": objects}) + "\n"}


def kitti(boxes: list[Box], label: str) -> Files:
    rest = "1.65 1.67 3.64 -0.65 1.71 46.70 -1.59"
    return {"a.txt": "".join(f"{label} 0.00 0 -1.58 {' '.join(map(repr, box))} {rest}\n" for box in boxes)}


def oidv4(boxes: list[Box], label: str) -> Files:
    return {"Label/a.txt": "".join(f"{label} {' '.join(map(repr, box))}\n" for box in boxes)}


def mot(boxes: list[Box], label: str) -> Files:
    lines = [f"1,{n},{','.join(map(repr, ltwh(box)))},1,1,1.0\n" for n, box in enumerate(boxes)]
    info = f"[Sequence]\nname=x\nimDir=.\nframeRate=30\nseqLength=1\nimWidth={WIDTH}\nimHeight={HEIGHT}\nimExt=.png\n"
    return {"gt/gt.txt": "".join(lines), "gt/labels.txt": f"{label}\n", "seqinfo.ini": info}


def via_3(boxes: list[Box], label: str) -> Files:
    return via_3_of(*({"xy": [2, *ltwh(box)], "av": {"1": "k"}} for box in boxes), label=label)


def via_3_of(*records: dict, label: str = "cat", **parts: dict) -> Files:
    """A project of VIA 3, whose classes are options of a menu by their ids."""
    files = {"1": {"fid": "1", "fname": "a.png", "type": 2, "loc": 1, "src": ""}}
    attribute = {"1": {"aname": "class", "anchor_id": "FILE1_Z0_XY1", "type": 4, "options": {"k": label, "l": "dog"}}}
    content = {
        "project": {"pid": "x", "data_format_version": "3.1.1", "vid_list": ["1"]},
        "config": {"file": {"loc_prefix": {"1": ""}}},
        "attribute": attribute,
        "file": files,
        "metadata": {f"1_{n}": {"vid": "1", "flg": 0, "z": [], **one} for n, one in enumerate(records)},
        "view": {"1": {"fid_list": ["1"]}},
    }
    return {"via_project.json": json.dumps(content | parts)}


BUILDERS: dict[str, tuple[str, Callable[[list[Box], str], Files]]] = {
    "label_studio": ("label_studio", label_studio),
    "label_studio_min": ("label_studio", label_studio_min),
    "label_studio_csv": ("label_studio", label_studio_table),
    "label_studio_tsv": ("label_studio", label_studio_tsv),
    "via": ("via", via),
    "via_1": ("via", via_1),
    "via_csv": ("via", via_csv),
    "via_3": ("via", via_3),
    "createml": ("createml", createml),
    "datumaro": ("datumaro", datumaro),
    "supervisely": ("supervisely", supervisely),
    "imagefolder": ("imagefolder", imagefolder),
    "kitti": ("kitti", kitti),
    "oidv4": ("oidv4", oidv4),
    "mot": ("mot", mot),
}
PICTURE: dict[str, str] = {"mot": "000001.png", "datumaro": "images/default/a.png", "supervisely": "img/a.png"}
inside = st.floats(0.02, 0.48, allow_subnormal=False)


@pytest.mark.parametrize("kind", BUILDERS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(some=st.lists(st.tuples(inside, inside, inside, inside), min_size=1, max_size=3, unique=True))
def test_every_format_has_the_same_boxes(tmp_path_factory: pytest.TempPathFactory, kind: str, some: list) -> None:
    name, build = BUILDERS[kind]
    boxes = [(x * WIDTH, y * HEIGHT, (0.5 + z) * WIDTH, (0.5 + w) * HEIGHT) for x, y, z, w in some]
    files = {PICTURE.get(kind, "a.png"): picture(), **build(boxes, "cat")}
    data = Maker(tmp_path_factory.mktemp("field")).read(files)
    assert data.format == name
    assert np.allclose(data.images[0].boxes, boxes, atol=1e-6)
    assert {*data.images[0].labels} == {"cat"}


@pytest.mark.parametrize("kind", [kind for kind in BUILDERS if kind not in ("kitti", "oidv4", "mot")])
def test_no_boxes_are_background(make: Maker, kind: str) -> None:
    name, build = BUILDERS[kind]
    files = {PICTURE.get(kind, "a.png"): picture(), **build([], "cat")}
    assert [one.labels for one in make.read(files, format=name).images] == [()]


@pytest.mark.parametrize("kind", BUILDERS)
def test_a_box_outside_or_without_area_is_a_mistake(make: Maker, kind: str) -> None:
    name, build = BUILDERS[kind]
    for box, expected in (((3, 4, 55.5, 8.5), "outside-image"), ((9.5, 4, 3, 8.5), "inverted-box")):
        rows = make.findings({PICTURE.get(kind, "a.png"): picture(), **build([box], "cat")}, format=name)
        mouse = kind == "supervisely" and expected == "inverted-box"  # its corners come in the order of the mouse
        assert [row.kind for row in rows if row.severity == "error"] == ([] if mouse else [expected])


@pytest.mark.parametrize(
    "kind", ["label_studio", "label_studio_min", "label_studio_csv", "datumaro", "supervisely", "mot"]
)
def test_the_size_that_a_file_says_is_compared(make: Maker, kind: str) -> None:
    name, build = BUILDERS[kind]
    files = {PICTURE.get(kind, "a.png"): picture(width=41), **build([(1.5, 2, 3, 4)], "cat")}
    rows = make.findings(files, format=name)
    assert [row.kind for row in rows if row.severity == "error"] == ["size-differs"]


HEAD_STUDIO = "annotation_id,annotator,image,label\n"


@pytest.mark.parametrize(
    ("text", "kind", "where"),
    [
        ("1,me,a.png,cat\n", "no-region", ""),
        ('1,me,a.png,"[{]"\n2,me,b.png,"[]"\n', "json", "line 2"),
        ('1,me,a.png,"[]\n', "csv", ""),
        ('1,me,,"[]"\n', "image-missing", "line 2"),
    ],
)
def test_tables_of_label_studio_that_cannot_be_read(make: Maker, text: str, kind: str, where: str) -> None:
    """Classes of whole images are no boxes, and no background."""
    files: Files = {"a.png": picture(), "b.png": picture(1), "export.csv": HEAD_STUDIO + text}
    rows = [row for row in make.findings(files) if row.kind != "label-missing"]
    assert [(row.kind, row.where) for row in rows if row.severity == "error"] == [(kind, where)]
    assert kind != "no-region" or "export as JSON" in rows[0].why


@pytest.mark.parametrize("note", ["[draft] look", "[", "[1, 2]", '["cat"]'])
def test_text_in_brackets_is_no_region_of_label_studio(make: Maker, note: str) -> None:
    [(name, text)] = label_studio_table([(1.5, 2, 3, 4)], "cat").items()
    head, row = list(csv.reader(io.StringIO(str(text))))
    out = io.StringIO()
    csv.writer(out).writerows([[*head, "note"], [*row, note]])
    data = make.read({"a.png": picture(), name: out.getvalue()})
    assert [one.labels for one in data.images] == [("cat",)]


def test_many_regions_in_one_cell_of_label_studio(make: Maker) -> None:
    boxes = [(float(x), float(y), x + 0.5, y + 0.5) for x in range(40) for y in range(0, 20, 2)]
    data = make.read({"a.png": picture(), **label_studio_table(boxes, "cat")})
    assert len(data.images[0].labels) == 400


def read_studio(make: Maker, *tasks: dict, **options: object) -> LabelledSet:
    return make.read({"a.png": picture(), "export.json": json.dumps(tasks)}, **options)


def kinds(data: LabelledSet) -> list[str]:
    return [row.kind for row in data.ledger.rows]


BOX = (4.0, 3.0, 12.0, 9.0)


def turned_about_its_corner(box: Box, degrees: float) -> list[float]:
    """The box around a box turned clockwise about its upper left corner, pixel by pixel."""
    left, top, width, height = ltwh(box)
    angle = math.radians(degrees)
    ends = [(0, 0), (width, 0), (width, height), (0, height)]
    xs = [left + x * math.cos(angle) - y * math.sin(angle) for x, y in ends]
    ys = [top + x * math.sin(angle) + y * math.cos(angle) for x, y in ends]
    return [min(xs), min(ys), max(xs), max(ys)]


@pytest.mark.parametrize("degrees", [90, 30, 345])
def test_label_studio_turns_about_the_upper_left_corner(make: Maker, degrees: float) -> None:
    box = (20.0, 7.0, 26.0, 10.0)
    result = rectangle(box, "cat")
    result["value"]["rotation"] = degrees
    data = read_studio(make, task(drawn(result)))
    assert np.allclose(data.images[0].boxes, [turned_about_its_corner(box, degrees)])
    assert kinds(data) == ["rotated-box"]


def test_label_studio_other_shapes(make: Maker) -> None:
    polygon = {"type": "polygonlabels", "value": {"points": [[10, 10], [50, 20], [30, 80]], "polygonlabels": ["cat"]}}
    ellipse = {
        "type": "ellipselabels",
        "value": {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "ellipselabels": ["cat"]},
    }
    point = {"type": "keypointlabels", "value": {"x": 50, "y": 50, "width": 1, "keypointlabels": ["cat"]}}
    choice = {"type": "choices", "value": {"choices": ["night"]}}
    data = read_studio(make, task(drawn(polygon, ellipse, point, choice)))
    assert np.allclose(data.images[0].boxes, [[4, 2, 20, 16], [16, 6, 24, 14]])
    assert sorted(kinds(data)) == ["no-region", "not-a-box"]
    brush = {"type": "brushlabels", "value": {"format": "rle", "rle": [1, 2], "brushlabels": ["cat"]}}
    files = {"a.png": picture(), "export.json": json.dumps([task(drawn(brush))])}
    assert [row.kind for row in make.findings(files)] == ["not-a-box"]
    assert make.findings(files)[0].severity == "error"


def test_label_studio_labels_beside_rectangles(make: Maker) -> None:
    """`<Rectangle>` with `<Labels>` gives two results of one id."""
    first = rectangle(BOX, "cat", id="r1", type="rectangle")
    labels = first["value"].pop("rectanglelabels")
    second = {**first, "type": "labels", "value": {**first["value"], "labels": labels}}
    data = read_studio(make, task(drawn(first, second)))
    assert data.images[0].labels == ("cat",)
    assert np.allclose(data.images[0].boxes, [BOX])


def test_label_studio_what_is_not_annotated_is_not_background(make: Maker) -> None:
    done = task(drawn(rectangle(BOX, "cat")))
    for other in (task(image="b.png"), task({**drawn(), "was_cancelled": True}, image="b.png")):
        files = {"a.png": picture(), "b.png": picture(1), "export.json": json.dumps([done, other])}
        found = [(row.file, row.kind) for row in make.findings(files) if row.severity == "error"]
        assert found == [("b.png", "label-missing")]
    files["export.json"] = json.dumps([done, task(drawn(), image="b.png")])
    assert make.read(files).images[1].labels == ()


def test_label_studio_predictions_are_no_labels(make: Maker) -> None:
    data = read_studio(make, task(drawn(), predictions=[{"result": [rectangle(BOX, "cat")]}]), classes=("cat",))
    assert data.images[0].labels == ()
    assert kinds(data) == ["predictions"]


@pytest.mark.parametrize("winner", [0, 1])
def test_label_studio_several_annotators(make: Maker, winner: int) -> None:
    """The newest is read, whether in one entry of a task or in two, unless one is the ground truth, with a note."""
    names = ["cat", "dog"]
    dates = ["2024-01-02T00:00:00Z" if n == winner else "2024-01-01T00:00:00Z" for n in (0, 1)]
    both = [drawn(rectangle(BOX, name), created_at=date) for name, date in zip(names, dates, strict=True)]
    for tasks in ([task(*both)], [task(both[0]), task(both[1])]):
        data = read_studio(make, *tasks)
        assert data.images[0].labels == (names[winner],)
        assert kinds(data) == ["annotators"]
    both[1 - winner]["ground_truth"] = True
    assert read_studio(make, task(*both)).images[0].labels == (names[1 - winner],)


@pytest.mark.parametrize(
    "image",
    [
        "/data/upload/1/a.png",
        "/data/local-files/?d=x/y/a.png",
        "s3://bucket/x/a.png",
        "https://h/a.png?sig=1",
        "a.png",
    ],
)
def test_label_studio_addresses_of_images(make: Maker, image: str) -> None:
    assert read_studio(make, task(drawn(rectangle(BOX, "cat")), image=image)).images[0].path == "a.png"


def test_label_studio_wants_the_image_as_it_is(make: Maker) -> None:
    files = {"a.png": picture(), "e.json": json.dumps([task(drawn(rectangle(BOX, "cat", image_rotation=90)))])}
    assert [row.kind for row in make.findings(files)] == ["image-turned"]
    two = rectangle(BOX, "cat")
    two["value"]["rectanglelabels"] = ["cat", "dog"]
    files["e.json"] = json.dumps([task(drawn(two))])
    assert [row.kind for row in make.findings(files)] == ["no-class-names"]


def test_label_studio_is_written_as_it_reads(make: Maker, tmp_path: Path) -> None:
    """What `convert` writes has the fields that Label Studio's import needs, and percent of the image."""
    here = make.folder({"a.png": picture(), "e.json": json.dumps([task(drawn(rectangle(BOX, "cat")))])})
    convert(here, tmp_path / "out", "label_studio", ReadOptions())
    [written] = json.loads((tmp_path / "out/tasks.json").read_text())
    [result] = written["annotations"][0]["result"]
    assert np.allclose([result["value"][key] for key in ("x", "y", "width", "height")], [10, 15, 20, 30])
    assert {"from_name", "to_name", "type", "original_width", "original_height"} <= result.keys()
    assert '<Label value="cat"/>' in (tmp_path / "out/labeling_config.xml").read_text()


def test_labelme_is_written_beside_the_images(make: Maker, tmp_path: Path) -> None:
    here = make.folder({"train/a.png": picture(), "train/a.xml": GOOD["voc"][1], "b.png": picture(1), "b.xml":
                        GOOD["voc"][1].replace("a.png", "b.png")})  # fmt: skip
    convert(here, tmp_path / "out", "labelme", ReadOptions())
    assert json.loads((tmp_path / "out/images/b.json").read_text())["imagePath"] == "b.png"
    assert json.loads((tmp_path / "out/train/a.json").read_text())["imagePath"] == "../images/a.png"
    assert {one.path: one.splits for one in make.open(tmp_path / "out").images} == {
        "images/a.png": ("train",),
        "images/b.png": (),
    }


def via_of(*regions: dict) -> Files:
    return {"a.png": picture(), "v.json": json.dumps({"a": {"filename": "a.png", "regions": list(regions)}})}


def test_via_shapes_and_classes(make: Maker) -> None:
    shapes = [
        {"name": "polygon", "all_points_x": [4, 20, 12], "all_points_y": [2, 3, 16]},
        {"name": "circle", "cx": 20, "cy": 10, "r": 4.5},
        {"name": "ellipse", "cx": 20, "cy": 10, "rx": 8, "ry": 2, "theta": math.pi / 2},
        {"name": "point", "cx": 1, "cy": 1},
    ]
    data = make.read(via_of(*({"shape_attributes": one, "region_attributes": {"kind": "cat"}} for one in shapes)))
    expected = [[4, 2, 20, 16], [15.5, 5.5, 24.5, 14.5], [18, 2, 22, 18]]
    assert np.allclose(data.images[0].boxes, expected)
    assert kinds(data) == ["via-class", "not-a-box"]
    ticked = region(BOX, "x") | {"region_attributes": {"type": {"cat": True, "dog": False}}}
    assert make.read(via_of(ticked)).images[0].labels == ("cat",)
    bare = region(BOX, "x") | {"region_attributes": {}}
    assert make.read(via_of(bare), classes=("cat",)).images[0].labels == ("cat",)
    for attributes in ({"a": "x", "b": "y"}, {"class": "x", "type": "y"}):
        rows = make.findings(via_of(region(BOX, "x") | {"region_attributes": attributes}))
        assert rows[0].kind == "via-ambiguous"


def lone(*values: object) -> Files:
    """Regions whose only attribute is not named as a class."""
    return via_of(
        *(region((n, n, n + 5, n + 5), "") | {"region_attributes": {"fruit": one}} for n, one in enumerate(values))
    )


def test_the_only_attribute_of_via_is_the_class_and_a_note_says_so(make: Maker) -> None:
    data = make.read(lone("apple", "pear", "apple"))
    assert data.images[0].labels == ("apple", "pear", "apple")
    [row] = data.ledger.rows
    assert (row.kind, row.severity, row.done) == ("via-class", "note", "read so")
    assert row.what == "region attribute 'fruit': 'apple, pear'"
    ticked = make.read(lone({"apple": True, "pear": False}))
    assert ticked.ledger.rows[0].what == "region attribute 'fruit': 'apple, pear'"


@pytest.mark.parametrize(("own", "severity"), [(10, "note"), (11, "warning")])
def test_an_attribute_with_a_value_for_each_region_may_be_no_class(make: Maker, own: int, severity: str) -> None:
    """As a number or a text that was written down."""
    rows = make.findings(lone(*(f"no. {n}" for n in range(own))))
    assert [row.severity for row in rows if row.kind == "via-class"] == [severity]
    twice = make.findings(lone(*(f"no. {n // 2}" for n in range(24))))
    assert [row.severity for row in twice if row.kind == "via-class"] == ["note"]


def test_classes_do_not_rename_an_attribute_that_may_be_none(make: Maker) -> None:
    """A slip in `classes` would rename every object."""
    rows = make.findings(lone("cat", "cat"), classes=("Cat",))
    assert [row.kind for row in rows if row.severity != "note"] == ["unknown-class", "unknown-class"]


@pytest.mark.parametrize(
    ("file", "text", "key"),
    [
        (
            "v.json",
            '{"a.png1": {"filename": "a.png", "size": 1, "KEY": []}, "b.png1": {"filename": "b.png"}}',
            "regions",
        ),
        ("c.json", '[{"image": "a.png", "KEY": []}, {"image": "b.png"}]', "annotations"),
        ("d.json", '{"categories": {}, "items": [{"id": "a", "KEY": []}, {"id": "b"}]}', "annotations"),
    ],
)
def test_an_entry_without_the_list_of_shapes_declares_nothing(make: Maker, file: str, text: str, key: str) -> None:
    files = {"a.png": picture(), "b.png": picture(1), file: text.replace("KEY", key)}
    rows = [row for row in make.findings(files) if row.file == file]
    assert [(row.kind, row.what) for row in rows] == [("label-missing", f"no {key}")]
    assert f"{key}: []" in rows[0].why
    data = make.read(files, on_problem="skip")
    assert [(image.path, image.labels) for image in data.images] == [("a.png", ())]


def test_via_3_shapes_and_classes(make: Maker) -> None:
    """Numbers of shapes as its annotator writes them; texts, options, ticked boxes; regions of the whole image."""
    shapes = [
        [7, 4, 2, 20, 3, 12, 16],
        [3, 20, 10, 4.5],
        [4, 20, 10, 8, 2],
        [8, 4, 9, 12, 2, 20, 5, 11, 16],
        [2, 30, 10, 10.001, 5],
        [1, 5, 5],
        [6, 1, 1, 5, 5],
        [],
    ]
    values = ["k", "dog", "k", "l", "k", "k", "k", "k"]
    some = [{"xy": xy, "av": {"1": value}} for xy, value in zip(shapes, values, strict=True)]
    data = make.read({"a.png": picture(), **via_3_of(*some)})
    expected = [[4, 2, 20, 16], [15.5, 5.5, 24.5, 14.5], [12, 8, 28, 12], [4, 2, 20, 16], [30, 10, 40, 15]]
    assert np.allclose(data.images[0].boxes, expected)
    assert data.images[0].labels == ("cat", "dog", "cat", "dog", "cat")
    assert kinds(data) == ["not-a-box", "not-a-box", "rounding"]
    ticks = {"1": {"aname": "kind", "type": 2, "options": {"k": "cat", "l": "dog"}}}
    ticked = via_3_of({"xy": [2, 1, 2, 3, 4], "av": {"1": "l"}}, attribute=ticks)
    assert make.read({"a.png": picture(), **ticked}).images[0].labels == ("dog",)


@pytest.mark.parametrize(
    ("record", "parts", "kind"),
    [
        ({"xy": [2, 1, 2, 3]}, {}, "columns"),
        ({"xy": [9, 1, 2, 3, 4, 5, 6]}, {}, "not-a-box"),
        ({"xy": [2, 1, 2, 3, 4], "av": {"7": "x"}}, {}, "json"),
        (
            {"xy": [2, 1, 2, 3, 4], "av": {"1": "k,l"}},
            {"attribute": {"1": {"aname": "c", "type": 2, "options": {"k": "cat", "l": "dog"}}}},
            "no-class-names",
        ),
        ({"xy": [2, 1, 2, 3, 4], "av": {}}, {}, "no-class-names"),
        ({"xy": [2, 1, 2, 3, 4], "vid": "8"}, {}, "json"),
        ({"xy": [2, 1, 2, 3, 4]}, {"view": {"1": {"fid_list": ["1", "2"]}}}, "image-ambiguous"),
        ({"xy": [2, 1, 2, 3, 4]}, {"view": {"1": {"fid_list": [2]}}}, "points-nowhere"),
        ({"xy": [2, 1, 2, 3, 4]}, {"file": {"1": {"fname": "a.mp4", "type": 4}}}, "not-an-image"),
        ({"xy": [2, 1, 2, 3, 4]}, {"metadata": []}, "json"),
        ({"xy": []}, {"file": {"1": {"fname": "http://[::1/a.png"}}}, "unsafe-path"),
    ],
)
def test_what_via_3_may_not_say(make: Maker, record: dict, parts: dict, kind: str) -> None:
    files = via_3_of({"av": {"1": "k"}, **record}, **parts)
    rows = [row for row in make.findings({"a.png": picture(), **files}, format="via") if row.severity == "error"]
    assert rows[0].kind == kind


def test_a_box_of_via_3_in_no_view_makes_no_background(make: Maker) -> None:
    """It may be of any image without a box. A view was renamed by hand."""
    parts = {
        "file": {f"{n}": {"fname": f"{n}.png", "type": 2} for n in (1, 2)},
        "view": {"1": {"fid_list": ["1"]}, "two": {"fid_list": ["2"]}},
    }
    box = {"xy": [2, 1, 2, 3, 4], "av": {"1": "k"}}
    files = via_3_of(box, {**box, "vid": "2"}, **parts) | {f"{n}.png": picture(n) for n in (1, 2)}
    assert [image.path for image in make.read(files, on_problem="skip").images] == ["1.png"]


@pytest.mark.parametrize("record", [{"xy": [2, 1, 2, 3, 4], "vid": "2"}, {"xy": "2,1,2,3,4", "vid": "2"}])
def test_a_box_of_via_3_that_may_be_of_two_images_is_lost_by_both(make: Maker, record: dict) -> None:
    parts = {
        "file": {f"{n}": {"fname": f"{n}.png", "type": 2} for n in (1, 2, 3)},
        "view": {"1": {"fid_list": ["3"]}, "2": {"fid_list": ["1", "2"]}},
    }
    files = via_3_of({"xy": [2, 1, 2, 3, 4], "av": {"1": "k"}}, {"av": {"1": "k"}, **record}, **parts)
    files |= {f"{n}.png": picture(n) for n in (1, 2, 3)}
    assert [image.path for image in make.read(files, on_problem="skip").images] == ["3.png"]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ({"type": "polygon", "points": [4, 2, 20, 3, 12, 16]}, [4, 2, 20, 16]),
        ({"type": "ellipse", "points": [4, 2, 20, 16]}, [4, 2, 20, 16]),
        (
            {"type": "cuboid_2d", "points": [[4, 2], [20, 2], [20, 16], [4, 16], [6, 3], [22, 3], [22, 17], [6, 17]]},
            [4, 2, 22, 17],
        ),
        ({"attributes": {"rotation": 90.0}}, [5, 2, 11, 10]),
    ],
)
def test_datumaro_shapes(make: Maker, annotation: dict, expected: list) -> None:
    data = make.read({"a.png": picture(), **datumaro([BOX], "cat", **annotation)})
    assert np.allclose(data.images[0].boxes, [expected])
    assert data.classes == ("other", "cat")


def test_datumaro_what_is_no_box(make: Maker) -> None:
    for kind in ("points", "polyline", "label", "caption"):
        data = make.read({"a.png": picture(), **datumaro([BOX], "cat", type=kind)})
        assert (kinds(data), data.images[0].labels) == (["not-a-box"], ())
    for more, expected in (({"type": "cuboid_3d"}, "not-a-box"), ({"label_id": 9}, "unknown-class")):
        [row] = make.findings({"a.png": picture(), **datumaro([BOX], "cat", **more)}, on_problem="skip")
        assert (row.kind, row.severity) == (expected, "error")


def test_supervisely_counts_whole_pixels_to_the_last(make: Maker) -> None:
    """A rectangle over the whole image is 0 to 39, as its SDK says of an image of 40 pixels, or 0 to 40."""
    for box, expected in (((0, 0, 39, 19), (0, 0, 40, 20)), ((0, 0, 40, 20), (0, 0, 40, 20)), ((1, 2, 3.5, 4),) * 2):
        data = make.read({"img/a.png": picture(), **supervisely([box], "cat"), "meta.json": "{}"})
        assert data.images[0].boxes.tolist() == [list(expected)]
    assert kinds(data) == ["not-read"]
    bitmap = supervisely([BOX], "cat")["ann/a.png.json"].replace("rectangle", "bitmap")
    [row] = [
        row for row in make.findings({"img/a.png": picture(), "ann/a.png.json": bitmap}) if row.severity == "error"
    ]
    assert row.kind == "not-a-box"


def test_imagefolder_numbers_need_names(make: Maker) -> None:
    line = '{"file_name": "a.png", "objects": {"bbox": [[1, 2, 3, 4]], "category": [1]}}'
    files: Files = {"train/a.png": picture(), "train/metadata.jsonl": line}
    assert make.findings(files)[0].kind == "no-class-names"
    data = make.read(files, classes=("cat", "dog"))
    assert (data.images[0].labels, data.images[0].splits) == (("dog",), ("train",))
    files["train/metadata.jsonl"] = line.replace("[1]", "[1, 0]")
    assert make.findings(files, classes=("cat", "dog"), format="imagefolder")[0].kind == "columns"


def test_kitti_flags_and_regions_of_no_class(make: Maker) -> None:
    rest = "1.5 1.6 3.6 -0.6 1.7 46.7 -1.5"
    lines = f"Car 0.30 2 -1.58 1 2 9 9 {rest}\nCar 0.00 3 0 3 2 9 9 {rest}\nDontCare -1 -1 -10 1 1 5 5 {rest}\n"
    files: Files = {"training/image_2/000007.png": picture(), "training/label_2/000007.txt": lines}
    data = make.read(files)
    assert data.format == "kitti"
    assert data.images[0].flags == (frozenset({"truncated", "occluded"}), frozenset())
    assert [(row.kind, row.severity) for row in data.ledger.rows] == [("no-class", "note")]


@pytest.mark.parametrize(
    ("line", "kind", "kept"),
    [
        ("1.9,1,1,2,3,4,1,1,1", "not-an-integer", ["1", "2"]),  # it names no frame
        ("1,1,1,2,3,4,1,1.9,1", "not-an-integer", ["2"]),
        ("1,1,1,2,3", "columns", ["2"]),
        ("1,1,1,2,3,4,1,1,11,2,5,6,7,8,1,1,1", "columns", ["2"]),
        ("9,1,1,2,3,4,1,1,1", "image-missing", ["1", "2"]),
        ("1.0,1,1,2,3,4,1,1.0,0.5", "", ["1", "2"]),
        ("1,1,1,2,3,4,0.9,-1,-1,-1", "unknown-class", ["2"]),  # a detection
    ],
)
def test_mot_loses_no_box_in_silence(make: Maker, line: str, kind: str, kept: list[str]) -> None:
    files = {f"img1/{n}.png": picture(n) for n in (1, 2)} | {"gt/gt.txt": f"2,1,9,9,5,5,1,1,1\n{line}\n"}
    assert [row.kind for row in make.findings(files) if row.severity == "error"] == [kind] * bool(kind)
    data = make.read(files, on_problem="skip")
    assert [image.path for image in data.images] == [f"img1/{n}.png" for n in kept]


def test_mot_sequences(make: Maker) -> None:
    files: Files = {f"train/S-0{s}/img1/{n:06}.png": picture(10 * s + n) for s in (1, 2) for n in (1, 2, 3)}
    for s in (1, 2):
        files[f"train/S-0{s}/gt/gt.txt"] = f"1,1,2,3,4,5,1,1,1.0\n2,1,3,3,4,5,0,3,0.0\n2,2,{s},3,4,5,1,7\n"
    data = make.read(files)
    assert data.format == "mot"
    assert [len(one.labels) for one in data.images] == [1, 2, 0] * 2
    assert data.images[1].labels == ("car", "static person")
    assert data.images[1].flags[0] == {"crowd", "occluded"}
    assert {one.group for one in data.images} == {"train/S-01", "train/S-02"}
    assert {one.splits for one in data.images} == {("train",)}
    assert data.images[0].boxes.tolist() == [[2, 3, 6, 8]]
    assert make.read(files, one_based=True).images[0].boxes.tolist() == [[1, 2, 5, 7]]
    files["train/S-01/gt/gt.txt"] = "9,1,2,3,4,5,1,1,1.0\n1,1,2,3,4,5,1,99,1.0\n"
    found = [row.kind for row in make.findings(files) if row.severity == "error"]
    assert found == ["image-missing", "unknown-class"]


def test_oidv4_classes_in_folders(make: Maker) -> None:
    files: Files = {
        "train/Apple/1.png": picture(1),
        "train/Apple/Label/1.txt": "Apple 1.5 2 3 4\n",
        "validation/Human face/2.png": picture(2),
        "validation/Human face/Label/2.txt": "Human face 1.5 2 3 4\n",
    }
    data = make.read(files)
    assert data.format == "oidv4"
    assert data.classes == ("Apple", "Human face")
    assert [one.splits for one in data.images] == [("train",), ("val",)]


def test_yolo_labels_with_a_hash(make: Maker) -> None:
    files: Files = {
        "images/one.png": picture(),
        "images/two.png": picture(1),
        "labels/3fa91c02-one.txt": "0 0.5 0.5 0.2 0.2\n",
        "labels/77aa10fe-two.txt": "1 0.5 0.5 0.2 0.2\n",
        "classes.txt": "cat\ndog\n",
    }
    data = make.read(files)
    assert [one.labels for one in data.images] == [("cat",), ("dog",)]
    assert kinds(data) == ["hash-in-name"]
    files["labels/00000000-one.txt"] = "1 0.5 0.5 0.2 0.2\n"
    rows = make.findings(files)
    assert ("images/one.png", "label-ambiguous") in [(row.file, row.kind) for row in rows]


def test_labelme_with_the_picture_inside_alone(make: Maker) -> None:
    text = GOOD["labelme"][1].replace('"shapes"', '"imageData": "iVBORw0KGgo=", "shapes"')
    [row] = make.findings({"b.png": picture(), "a.json": text, "b.json": text.replace("a.png", "b.png")})
    assert (row.file, row.kind) == ("a.json", "image-missing")
    assert "imageData" in row.why
    assert "a.png" in row.why
    away = text.replace('"a.png"', '"C:\\\\Users\\\\me\\\\a.png"')
    assert len(make.read({"a.png": picture(), "a.json": away}).images) == 1


def test_unknown_labels_are_described(make: Maker) -> None:
    files: Files = {"a.png": picture(), "x.csv": "image,prompt\na.png,a cat\n", "y.txt": "a cat 7\n",
                    "z.json": '{"images": [], "annotations": [], "info": {}}'}  # fmt: skip
    with pytest.raises(Exception, match="no known labels among 4 files, images: 1") as caught:
        make.read(files)
    for text in ("x.csv (columns 'image, prompt')", "y.txt (begins with 'a cat 7", "z.json (keys images, annotations",
                 "looked for in a.txt", "nearest format is coco",
                 "Pascal VOC, YOLO or COCO", "docs/label-formats.md has all 18"):  # fmt: skip
        assert text in str(caught.value)


def test_detection_reads_little(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is opened once for all formats, and no more than its beginning is read."""
    files: Files = {f"{n}.png": encoded(Image.new("RGB", (4, 4))) for n in range(30)}
    files |= {f"{n}.txt": "0 0.5 0.5 0.1 0.1\n" for n in range(30)} | {"big.csv": "a,b\n" * HEAD_BYTES}
    with open_source(make.folder(files)) as source:
        opened: list[str] = []
        start = source.start
        monkeypatch.setattr(
            source, "start", lambda name, count: opened.append(name) or start(name, min(count, HEAD_BYTES))
        )
        fits = [name for name, row in FORMATS.items() if row.module.detect(source)]
    assert fits == ["yolo"]
    assert len(opened) == len({*opened}) <= 31


def test_regions_without_a_place_and_broken_lines_are_losses(make: Maker) -> None:
    bare = {"type": "rectanglelabels", "value": {"rectanglelabels": ["cat"]}}
    files: Files = {"a.png": picture(), "e.json": json.dumps([task(drawn(rectangle(BOX, "cat"), bare))])}
    lines = via_csv([BOX], "cat")["via_export_csv.csv"]
    broken: Files = {"a.png": picture(), "v.csv": f'{lines}a.png,1,"{{}}",1,1,"{{","{{}}"\na.png,1\n'}
    for some, kind in ((files, "not-a-box"), (broken, "json")):
        assert kind in [row.kind for row in make.findings(some) if row.severity == "error"]
        with pytest.raises(UserError, match="problem"):
            make.read(some, on_problem="error")
        assert make.read(some, on_problem="skip").images == []
        assert make.read(some, on_problem="skip_box").images[0].labels == ("cat",)


def test_words_in_labels_do_not_hide_a_format(make: Maker) -> None:
    """Fields tell a format, whatever classes are called; a first task may be larger than what detection reads."""
    data = read_studio(make, task(drawn(*(rectangle((1, 1, 2 + n / 999, 3), "items") for n in range(500)))))
    assert (data.format, {*data.images[0].labels}) == ("label_studio", {"items"})


def test_createml_by_apples_description(make: Maker) -> None:
    [(name, text)] = createml([BOX], "cat").items()
    text = text.replace('"image"', '"imagefilename"').replace('"annotations"', '"annotation"')
    data = make.read({"a.png": picture(), name: text})
    assert (data.format, data.images[0].boxes.tolist()) == ("createml", [[*BOX]])
