"""YOLO text, in the layouts of four tools."""

from collections.abc import Callable

import pytest
from folders import GOOD, Files, Maker, picture, read_labelled
from repository import ROOT

from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import BadInput, Finding
from humbleyolo.labels.formats.yolo import detect
from humbleyolo.labels.formats.yolo_dataset_files import Declared
from humbleyolo.labels.labelled_image import ReadOptions

YOLO_MARK = ROOT.parent / "shared/data/yolo_mark"
LINE = "1 0.5 0.5 0.25 0.5\n"
BOX = [15.0, 5.0, 25.0, 15.0]


def files(text: str | bytes = LINE, **changed: bytes | str) -> Files:
    return {"img/a.png": picture(), "img/a.txt": text, "obj.names": "cat\ndog\n"} | changed


LAYOUTS: dict[str, Files] = {
    "yolo mark": {
        "img/a.png": picture(),
        "img/a.txt": LINE,
        "obj.names": "cat\ndog",
        "obj.data": "classes= 2\ntrain  = data/train.txt\nvalid  = data/valid.txt\nnames = data/obj.names\n",
        "train.txt": "data/img/a.png\n",
    },
    "labelimg": {"a.png": picture(), "a.txt": LINE, "classes.txt": "cat\ndog\n"},
    "cvat": {
        "obj.names": "cat\ndog\n",
        "obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
        "train.txt": "data/obj_train_data/a.png\n",
        "obj_train_data/a.png": picture(),
        "obj_train_data/a.txt": LINE,
    },
    "ultralytics": {
        "data.yaml": "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['cat', 'dog']\n",
        "train/images/a.png": picture(),
        "train/labels/a.txt": LINE,
        "valid/images/b.png": picture(1),
        "valid/labels/b.txt": "",
    },
    "ultralytics, by kind": {
        "data.yaml": "path: ../here\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n",
        "images/train/a.png": picture(),
        "labels/train/a.txt": LINE,
        "images/val/b.png": picture(1),
        "labels/val/b.txt": "",
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(make: Maker, layout: str) -> None:
    content = dict(LAYOUTS[layout])
    rows = make.findings(content)
    if layout == "yolo mark":  # its list for validation is not there
        assert [row.kind for row in rows] == ["list-points-nowhere"]
        content["valid.txt"] = "data/img/a.png\n"
    else:
        assert not rows
    data = make.read(content)
    assert data.format == "yolo"
    assert data.classes == ("cat", "dog")
    assert data.images[0].boxes.tolist() == [BOX]
    assert data.images[0].labels == ("dog",)
    splits = {record.splits for record in data.images}
    expected = {
        "yolo mark": {("train",)},  # val lists the same, as in the file that it comes with
        "labelimg": {()},
        "cvat": {("train",)},
        "ultralytics": {("train",), ("val",)},
        "ultralytics, by kind": {("train",), ("val",)},
    }
    assert splits == expected[layout]


@pytest.mark.parametrize(
    ("line", "kind", "says"),
    [
        ("1 0.5 0.5 0.25", "columns", "4 columns"),
        ("1 0.5 0.5 0.25 0.5 0.9", "columns", "confidence"),
        ("1 0.1 0.1 0.2 0.1 0.2 0.2 0.3", "columns", "8 columns"),
        ("1,0.5,0.5,0.25,0.5", "columns", "spaces"),
        ("1 nan 0.5 0.25 0.5", "not-a-number", "centre x"),
        ("1 inf 0.5 0.25 0.5", "not-a-number", "'inf'"),
        ("1 1e999 0.5 0.25 0.5", "not-finite", "1e999"),
        ("1 0,5 0.5 0.25 0.5", "not-a-number", "decimal point"),
        ("1 0_1 0.5 0.25 0.5", "not-a-number", "0_1"),
        ("1 \u0660.\u0665 0.5 0.25 0.5", "not-a-number", "finite decimal"),
        ("1.0 0.5 0.5 0.25 0.5", "not-an-integer", "'1.0'"),
        ("dog 0.5 0.5 0.25 0.5", "not-an-integer", "'dog'"),
        ("-1 0.5 0.5 0.25 0.5", "unknown-class", "0 to 1"),
        ("2 0.5 0.5 0.25 0.5\n0 0.1 0.1 0.1 0.1", "unknown-class", "0 to 1"),
        (f"{'9' * 5000} 0.5 0.5 0.25 0.5", "not-an-integer", "whole number"),
        ("1 0.5 0.5 0 0.5", "zero-area", "no area"),
        ("1 0.5 0.5 -0.25 0.5", "inverted-box", "not swapped"),
        ("1 1.0 0.5 0.25 0.5", "outside-image", "0 to 1"),
        ("1 0.9 0.5 0.25 0.5", "outside-image", "0 to 1"),
        ("1 20 10 10 10", "pixels-not-fractions", "look like pixels"),
    ],
)
def test_bad_lines(one: Callable[..., Finding], line: str, kind: str, says: str) -> None:
    row = one(files(LINE + "\n" + line + "\n"), format="yolo")
    assert row.kind == kind
    assert (row.file, row.where) == ("img/a.txt", "line 3")
    assert says in str(row)


def test_the_sixth_decimal_is_not_a_mistake(make: Maker) -> None:
    for line in ("0 0.949306 0.5 0.101390 0.5", "0 0.5 0.5 1.0000005 0.5"):
        data = make.read(files(line))
        (row,) = data.ledger.rows
        assert (row.severity, row.kind) == ("note", "rounding")
        assert data.images[0].boxes[0, 2] == 40


@pytest.mark.parametrize("digits", [3, 4, 5, 6])
def test_the_slack_follows_from_the_digits_written(make: Maker, digits: int) -> None:
    """A box at the border, whose centre and width are both rounded up."""
    step = 10.0**-digits
    rows = make.findings(files(f"0 {1 - 0.2 + step:.{digits}f} 0.5 {0.4 + step:.{digits}f} 0.5\n"))
    assert [row.kind for row in rows] == ["outside-image"]
    data = make.read(files(f"0 0.8 0.5 {0.4 + step:.{digits}f} 0.5\n"))
    assert [row.kind for row in data.ledger.rows] == ["rounding"]


def test_polygons_give_the_box_around_them(make: Maker) -> None:
    data = make.read(files("1 0.1 0.1 0.2 0.15 0.15 0.5\n" + LINE))
    assert data.format == "yolo"
    assert data.images[0].boxes.tolist() == [[4, 2, 8, 10], BOX]
    assert [(row.severity, row.what) for row in data.ledger.rows] == [
        ("note", "1 line with polygons or turned boxes")
    ]
    assert data.ledger.rows[0].why == "only upright boxes are read; Roboflow exports those as COCO or Pascal VOC"


def test_a_polygon_with_a_word_among_its_numbers_costs_its_line_alone(make: Maker) -> None:
    rows = make.findings(files("0 0.5 0.5 0.25 0.5\n0 0.1 0.1 0.3 0.1 0.3 x\n"))
    assert [row.severity for row in rows].count("error") == 1


def test_poses_are_no_polygons(make: Maker) -> None:
    """Two points without visibility make nine numbers a line, as a turned box has."""
    content = files("0 0.5 0.5 0.25 0.5 0.1 0.1 0.2 0.2\n", **{"data.yaml": "names: [cat, dog]\nkpt_shape: [2, 2]\n"})
    data = make.read(content)
    assert data.images[0].boxes.tolist() == [BOX]
    assert [row.what for row in data.ledger.rows] == ["1 line with keypoints"]
    rows = make.findings(content | {"img/a.txt": "0 0.1 0.1 0.2 0.2 0.3 0.3\n"})
    assert [row.kind for row in rows] == ["columns"]


@pytest.mark.parametrize(
    ("root", "train", "split"),
    [
        ("v2", "images/train", {"v2/images/train/b.png"}),
        ("./v2/", "images/train", {"v2/images/train/b.png"}),
        ("../sets/v2", "images/train", {"v2/images/train/b.png"}),
        ("/home/me/v2", "images/train", {"v2/images/train/b.png"}),
        ("v2", "list.txt", {"v2/images/train/b.png"}),
        (".", "images/train", {"images/train/a.png"}),
        ("/home/me/all", "images/train", {"images/train/a.png"}),
        ("v2", "/home/me/images/train", {"images/train/a.png"}),
        ("v2", "images/val", None),
    ],
)
def test_the_path_of_a_yaml_file_is_the_root_of_its_lists(
    make: Maker, root: str, train: str, split: set[str] | None
) -> None:
    content: Files = {"data.yaml": f"path: {root}\ntrain: {train}\nnames: {{'0': cat, '1': dog}}\n"}
    for number, (folder, name) in enumerate((("", "train/a"), ("", "val/c"), ("v2/", "train/b"))):
        content |= {f"{folder}images/{name}.png": picture(number), f"{folder}labels/{name}.txt": LINE}
    content |= {"v2/list.txt": "./images/train/b.png\n", "list.txt": "./images/train/a.png\n"}
    if split is None:  # never the folder of that name in another place
        assert [row.kind for row in make.findings(content)] == ["list-points-nowhere"]
    else:
        images = make.read(content).images
        assert {image.path for image in images if "train" in image.splits} == split
        beside = {"images/val/c.png"} if "images/train/a.png" in split and "images" in train else set()
        assert {image.path for image in images if image.splits} == split | beside


def test_a_yaml_file_of_another_name(make: Maker) -> None:
    content = dict(LAYOUTS["ultralytics"])
    content["coco128.yaml"] = content.pop("data.yaml")
    content |= {"environment.yml": "names: [a]\n", "broken.yaml": "a: [", "list.yaml": "- 1"}
    data = make.read(content)
    assert data.classes == ("cat", "dog")
    assert {image.splits for image in data.images} == {("train",), ("val",)}


@pytest.mark.parametrize("ends", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark(make: Maker, ends: str, mark: bytes) -> None:
    text = mark + ends.join(["1 0.5 0.5 0.25 0.5", "0 0.5 0.5 0.5 0.5", ""]).encode()
    names = mark + ends.join(["cat", "dog", ""]).encode()
    data = make.read(files(text, **{"obj.names": names}))
    assert data.classes == ("cat", "dog")
    assert data.images[0].labels == ("dog", "cat")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (LINE.encode("utf-16"), "UTF-16"),
        (LINE.encode("utf-16-le"), "UTF-16"),
        (LINE.encode() + "0 0.5 0.5 0.5 0.5 é".encode("latin-1"), "line 2: byte 0xe9"),
    ],
)
def test_other_encodings(one: Callable[..., Finding], data: bytes, says: str) -> None:
    row = one(files(data, **{"img/b.png": picture(1), "img/b.txt": LINE}))
    assert row.kind == "encoding"
    assert says in str(row)
    assert "UTF-8" in row.why


def test_missing_is_a_mistake_and_empty_is_background(one: Callable[..., Finding]) -> None:
    row = one(files(**{"img/b.png": picture(1), "img/c.png": picture(2), "img/c.txt": ""}))
    assert (row.kind, row.file) == ("label-missing", "img/b.png")
    assert "background" in row.why


def test_label_without_image(one: Callable[..., Finding]) -> None:
    row = one(files(**{"img/b.txt": LINE}))
    assert (row.kind, row.file) == ("image-missing", "img/b.txt")


@pytest.mark.parametrize("labels", ["labels", "Labels", "annotations", "Annotations"])
@pytest.mark.parametrize("images", ["images", "Images", "IMAGES", "JPEGImages", "img"])
def test_folders_of_labels_beside_folders_of_images(make: Maker, images: str, labels: str) -> None:
    content: Files = {f"{images}/train/a.png": picture(), f"{labels}/train/a.txt": LINE, "classes.txt": "cat\ndog\n"}
    assert [image.boxes.tolist() for image in make.read(content).images] == [[BOX]]


@pytest.mark.parametrize("format_", ["yolo", "bbox_label_tool", "article"])
def test_labels_without_an_image_get_a_line_each(make: Maker, format_: str) -> None:
    """Beside other labels, whatever they are called, and in a folder where none has an image. Other texts do not."""
    text = GOOD[format_][1]
    lost = ["day2/labels/0.txt", "day2/labels/empty.txt"]
    lost += [f"images/{name}.txt" for name in ("notes7", "other", "test_3", "train_0001", "valve_17")]
    content: Files = {"images/a.png": picture(), "images/a.txt": text, "classes.txt": "cat\ndog\n"}
    content |= {name: "" if "empty" in name else text for name in lost}
    content |= dict.fromkeys(("images/readme.v2.txt", "LICENSE.txt", "notes.txt", "notes/of/me.txt"), "1 of 3 days")
    content |= dict.fromkeys(("images/train.txt", "images/all_of_train.txt"), "a.png\n")
    rows = make.findings(content, format=format_, classes=("cat", "dog"))
    assert [row.file for row in rows if row.kind == "image-missing"] == lost
    assert {row.severity for row in rows} <= {"error"}


def test_two_images_one_label(one: Callable[..., Finding]) -> None:
    row = one(files(**{"img/a.bmp": picture(1, kind="BMP")}))
    assert (row.kind, row.file, row.what) == ("label-shared", "img/a.png", "img/a.txt")
    assert "that of img/a.bmp already" in row.why


def test_numbers_without_names_mean_nothing(make: Maker) -> None:
    content = files()
    del content["obj.names"]
    rows = make.findings(content)
    assert [(row.kind, row.what) for row in rows] == [("no-class-names", "only class numbers, in 1 file")]
    assert make.read(content, classes=("x", "y")).images[0].labels == ("y",)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("obj.names", "cat\n\ndog\n", "class-name"),
        ("obj.names", "cat\ncat\n", "class-name"),
        ("obj.names", "", "no-class-names"),
        ("classes.txt", "dog\ncat\n", "class-names-differ"),
        ("obj.data", "classes = 3\n", "class-count"),
        ("data.yaml", "names: [cat, dog]\nnc: 3\n", "class-count"),
        ("data.yaml", "names: [cat, [dog]]\n", "yaml"),
        ("data.yaml", "names: {0: cat, 2: dog}\n", "yaml"),
        ("data.yaml", "names: [cat, dog", "yaml"),
        ("data.yaml", "names: [cat, dog]\ntrain: 3\n", "yaml"),
        ("data.yaml", "[" * 1000, "yaml"),
        ("data.yaml", "train: ../../etc\nnames: [cat, dog]\n", "list-points-nowhere"),
        ("train.txt", "img/z.png\n", "image-missing"),
        ("classes.txt", "# my classes\ncat\ndog\n", "class-name"),
    ],
)
def test_bad_names_and_lists(make: Maker, name: str, text: str, kind: str) -> None:
    rows = make.findings(files(**{name: text}))
    assert rows[0].kind == kind
    assert rows[0].file in (name, "obj.names")


def test_files_of_other_names_that_a_line_has_no_room_for_are_counted() -> None:
    files = [f"{letter}/classes.txt" for letter in "abcde"]
    declared = Declared(files=files, by_folder={letter: (letter,) for letter in "abcde"})
    with pytest.raises(BadInput, match=r"these differ: a/classes.txt, b/classes.txt, c/classes.txt and 2 more; add"):
        declared.names_for("f/x.txt")


def test_a_number_sign_in_yaml_is_no_comment(make: Maker) -> None:
    content = {name: text for name, text in files("0 0.5 0.5 0.25 0.5\n").items() if name != "obj.names"}
    assert make.read(content | {"data.yaml": "names: ['# sign', dog]\n"}).classes == ("# sign", "dog")


@pytest.mark.parametrize("word", ["null", "~", "true", "2.0", "1", "007", "1_000", "0x10", "2020-01-01", ".inf"])
@pytest.mark.parametrize(
    "form", ["names: [{}, dog]\n", "names:\n  1: dog\n  0: {}\n", "nc: 2\nnames:\n- {}\n- dog\n"]
)
def test_names_that_yaml_takes_for_no_text(make: Maker, word: str, form: str) -> None:
    """As names of classes they are the words that are written, as if in quotes."""
    content = {name: text for name, text in files("0 0.5 0.5 0.25 0.5\n").items() if name != "obj.names"}
    data = make.read(content | {"data.yaml": form.format(word)})
    assert data.classes == (word, "dog")
    assert data.images[0].labels == (word,)
    assert [(row.kind, row.severity) for row in data.ledger.rows] == [("class-name-as-written", "note")]
    assert data.ledger.rows[0].what == f"{word} (line {form[: form.index('{')].count(chr(10)) + 1})"
    quoted = make.read(content | {"data.yaml": form.format(f"'{word}'")})
    assert (quoted.classes, quoted.ledger.rows) == (data.classes, [])


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ("names:\n  0x0: 5\n  0x1: dog\n", ("5", "dog")),
        ("names:\n  0o0: null\n  1: dog\n", ("null", "dog")),
        ("base: &base {0: null, 1: dog}\nnames:\n  <<: *base\n", ("null", "dog")),
        ("one: &one {0: null}\nnames:\n  <<: [*one, {0: 1, 1: 007}]\n", ("null", "007")),
        ("one: &one {0: null}\nnames:\n  <<: *one\n  0: 1e3\n  1: dog\n", ("1e3", "dog")),
        ("names: &names\n  <<: *names\n  0: null\n  1: dog\n", ("null", "dog")),
    ],
)
def test_indices_in_other_forms(make: Maker, names: str, classes: tuple[str, ...]) -> None:
    """The names beside them are read as they are written, too."""
    content = {name: text for name, text in files("1 0.5 0.5 0.25 0.5\n").items() if name != "obj.names"}
    data = make.read(content | {"data.yaml": names})
    assert data.classes == classes
    assert [row.kind for row in data.ledger.rows] == ["class-name-as-written"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("names:\n- cat\n-\n", "line 3: a blank name"),
        ("names:\n- cat\n- [a]\n", "line 3: name ['a']"),
        ("nc: 2\nnames:\n  0: 1\n  1: '1'\n", "line 4: '1': is there twice"),
    ],
)
def test_a_bad_name_is_the_only_mistake(make: Maker, names: str, told: str) -> None:
    """That numbers are without names follows from it, and is not told besides."""
    content = {name: text for name, text in files().items() if name != "obj.names"}
    rows = [row for row in make.findings(content | {"data.yaml": names}) if row.severity == "error"]
    assert [row.file for row in rows] == ["data.yaml"]
    assert told in str(rows[0])
    others = make.findings(content | {"data.yaml": names, "img/a.txt": "0 0.5 0.5 7 0.5\n"})
    assert "pixels-not-fractions" in {row.kind for row in others}


def test_several_objects_in_one_place(make: Maker) -> None:
    text = "".join(f"0 0.5 0.5 {0.1 + n / 100} 0.5\n" for n in range(30))
    assert len(make.read(files(text)).images[0].labels) == 30


@pytest.mark.skipif(not YOLO_MARK.is_dir(), reason="the Yolo Mark folder is not here")
def test_yolo_mark() -> None:
    data = read_labelled(YOLO_MARK, ReadOptions(on_problem="skip"))
    assert data.classes == ("air", "bird")
    assert len(data.images) == 10
    assert [(row.kind, row.file, row.where) for row in data.ledger.rows] == [
        ("image-missing", "train.txt", "line 7"),
        ("list-is-train", "train.txt", ""),
        ("rounding", "img/air4.txt", "line 9"),
    ]
    assert {record.splits for record in data.images} == {("train",)}


def test_background_before_the_first_box_hides_no_labels(make: Maker) -> None:
    names = [f"{number:04}" for number in range(260)]
    content: Files = {f"images/{name}.png": picture() for name in names}
    content |= {f"labels/{name}.txt": LINE if name == names[-1] else "" for name in names}
    with open_source(make.folder(content | {"classes.txt": "cat\ndog\n"})) as source:
        assert detect(source) == f"labels/{names[-1]}.txt has lines of a class index and four fractions"


@pytest.mark.parametrize("split", ["test", "val", "train"])
def test_a_list_that_was_not_exported(make: Maker, split: str) -> None:
    """Roboflow names the three folders though one was not exported; without train there is nothing to learn from."""
    folders = {"train": "train", "val": "valid", "test": "test"}
    lists = "".join(f"{key}: ../{folder}/images\n" for key, folder in folders.items())
    content: Files = {"data.yaml": f"{lists}names: [cat, dog]\n"}
    for number, (key, folder) in enumerate(folders.items()):
        if key != split:
            content |= {f"{folder}/images/{number}.png": picture(number), f"{folder}/labels/{number}.txt": LINE}
    (row,) = make.findings(content)
    assert (row.kind, row.severity) == ("list-points-nowhere", "error" if split == "train" else "note")


@pytest.mark.parametrize("form", ["train: {0}\nval: {0}\n", "train: {0}\nval: {0}\ntest: {0}\n"])
@pytest.mark.parametrize("place", ["images/all", "all.txt"])
def test_a_list_of_val_that_is_that_of_train(make: Maker, form: str, place: str) -> None:
    """Beginners give train for both, as tools want a val. It is no list of val; one image less is another matter."""
    content: Files = {"data.yaml": form.format(place) + "names: [cat, dog]\n"}
    for number in range(3):
        content |= {f"images/all/{number}.png": picture(number), f"labels/all/{number}.txt": LINE}
    content["all.txt"] = "".join(f"images/all/{number}.png\n" for number in range(3))
    data = make.read(content)
    assert {one.splits for one in data.images} == {("train",)}
    assert {(row.kind, row.severity) for row in data.ledger.rows} == {("list-is-train", "note")}
    some = content | {"some.txt": "images/all/0.png\n"}
    some["data.yaml"] = f"train: {place}\nval: some.txt\nnames: [cat, dog]\n"
    assert {one.splits for one in make.read(some).images} == {("train",), ("train", "val")}  # to be corrected


def test_a_folder_called_test_that_no_list_names(make: Maker) -> None:
    """`test` is optional in data.yaml, and often left empty though the folder is there."""
    content: Files = {"data.yaml": "train: train/images\nval: valid/images\ntest:\nnames: [cat, dog]\n"}
    for number, folder in enumerate(("train", "valid", "test", "more")):
        content |= {f"{folder}/images/{number}.png": picture(number), f"{folder}/labels/{number}.txt": LINE}
    splits = {one.path.partition("/")[0]: one.splits for one in make.read(content).images}
    assert splits == {"train": ("train",), "valid": ("val",), "test": ("test",), "more": ()}
    moved = content | {"data.yaml": "train: train/images\nval: test/images\nnames: [cat, dog]\n"}
    splits = {one.path.partition("/")[0]: one.splits for one in make.read(moved).images}
    assert splits == {"train": ("train",), "valid": (), "test": ("val",), "more": ()}  # val is another folder


@pytest.mark.parametrize(
    ("folder", "split"), [("test_old", ()), ("old-test", ()), ("Test", ("test",)), ("test2017", ("test",))]
)
def test_a_folder_is_the_test_set_by_its_whole_name(make: Maker, folder: str, split: tuple[str, ...]) -> None:
    content: Files = {"data.yaml": "train: images/train\nval: images/val\nnames: [cat, dog]\n"}
    for number, name in enumerate(("train", "val", folder)):
        content |= {f"images/{name}/{number}.png": picture(number), f"labels/{name}/{number}.txt": LINE}
    splits = {one.path.split("/")[1]: one.splits for one in make.read(content).images}
    assert splits == {"train": ("train",), "val": ("val",), folder: split}


def test_roboflow_s_export_for_darknet(make: Maker) -> None:
    """Each folder has the same list of class names; of another name than darknet's own."""
    content: Files = {"README.roboflow.txt": "\nbirds - v1\n=====\n"}
    for number, folder in enumerate(("train", "valid")):
        content |= {f"{folder}/{number}.jpg": picture(number, kind="JPEG"), f"{folder}/{number}.txt": LINE}
        content[f"{folder}/_darknet.labels"] = "cat\ndog\n"
    data = make.read(content)
    assert data.classes == ("cat", "dog")
    assert [(one.labels, one.splits) for one in data.images] == [(("dog",), ("train",)), (("dog",), ("val",))]
    assert data.ledger.rows == []


@pytest.mark.parametrize(
    "names", [("train.lst", "test.lst"), ("training.txt", "testing.txt"), ("Train.txt", "Test.txt")]
)
def test_lists_of_other_names(make: Maker, names: tuple[str, str]) -> None:
    content: Files = {"classes.txt": "cat\n", "validation.txt": "buy milk\n"}
    for number, name in enumerate(names):
        content |= {f"{number}.png": picture(number), f"{number}.txt": "0 0.5 0.5 0.2 0.2\n", name: f"{number}.png\n"}
    assert [one.splits for one in make.read(content, on_problem="skip").images] == [("train",), ("test",)]


@pytest.mark.parametrize("name", ["labels.txt", "names.txt", "class_names.txt", "birds.txt"])
def test_a_list_of_class_names_of_another_name(make: Maker, name: str) -> None:
    content: Files = {"a.png": picture(), "a.txt": "0 0.5 0.5 0.2 0.2\n", name: "cat\ndog\n"}
    rows = [row for row in make.findings(content) if row.file == name]
    assert [row.kind for row in rows] == ["image-missing"]
    assert "if it is the list of class names, call it classes.txt" in str(rows[0])
    rows = make.findings(content | {"classes.txt": "cat\n", "b.txt": "0 0.5 0.5 0.2 0.2\n"})
    assert [row.why for row in rows if row.file == "b.txt"] == ["add the image or delete the label file"]


def test_labels_whose_extension_is_in_capitals(make: Maker) -> None:
    """As a camera's names make some tools write them; of two the one in small letters counts."""
    files: Files = {"A.JPG": picture(kind="JPEG"), "A.TXT": "0 0.5 0.5 0.5 0.5\n", "classes.txt": "cat\n"}
    data = make.read(files)
    assert [(one.path, one.label_file, one.labels) for one in data.images] == [("A.JPG", "A.TXT", ("cat",))]
    rows = make.findings(files | {"A.txt": "0 0.5 0.5 0.25 0.5\n"})
    assert [(row.file, row.kind) for row in rows] == [("A.TXT", "image-missing")]
