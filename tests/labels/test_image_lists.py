"""Lists of train, val and test as text files, beside labels in any format."""

import json

import pytest
from folders import Files, Maker, picture, voc

from humbleyolo.splits.split_in_force import choose_by

NAMES = [f"pet {n}" if n == 3 else f"pet_{n}" for n in range(6)]
TRAIN, TEST = NAMES[:4], NAMES[4:]


def of_voc() -> Files:
    files: Files = {f"images/{name}.png": picture(n) for n, name in enumerate(NAMES)}
    return files | {f"annotations/{name}.xml": voc(f"{name}.png", "cat 3 4 10 12") for name in NAMES}


def of_coco() -> Files:
    files: Files = {f"images/{name}.png": picture(n) for n, name in enumerate(NAMES)}
    images = [{"id": n, "file_name": f"{name}.png", "width": 40, "height": 20} for n, name in enumerate(NAMES)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [3, 4, 7, 8]} for n in range(len(NAMES))]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    return files | {"annotations/all.json": json.dumps(content)}


def of_yolo() -> Files:
    files: Files = {f"images/{name}.png": picture(n) for n, name in enumerate(NAMES)}
    texts: Files = {f"labels/{name}.txt": "0 0.5 0.5 0.25 0.25\n" for name in NAMES}
    return files | texts | {"classes.txt": "cat\n"}


def of_csv() -> Files:
    files: Files = {f"images/{name}.png": picture(n) for n, name in enumerate(NAMES)}
    rows = "".join(f"images/{name}.png,cat,3,4,10,12\n" for name in NAMES)
    return files | {"labels.csv": f"image,label,xmin,ymin,xmax,ymax\n{rows}"}


FORMATS = {"voc": of_voc, "coco": of_coco, "yolo": of_yolo, "csv": of_csv}


def splits(make: Maker, files: Files) -> dict[str, tuple[str, ...]]:
    data = make.read(files)
    assert [row for row in data.ledger.rows if row.severity != "note"] == []
    assert choose_by(data.images)[0] == "lists"
    return {one.path.removeprefix("images/").removesuffix(".png"): one.splits for one in data.images}


WANTED = {name: ("train",) if name in TRAIN else ("test",) for name in NAMES}


LINES = ["{}", "{}.png", "images/{}.png", "./images/{}.png", "/home/me/pets/images/{}.png"]
PLACES = ["", "annotations/", "lists/", "ImageSets/", "ImageSets/Main/", "a/b/splits/"]


@pytest.mark.parametrize(
    ("format_", "line", "place"),
    [  # all, of which each format with each line, and each line at each place, are fast
        pytest.param(format_, line, place, marks=[pytest.mark.slow] * ((first + second + third) % 4 > 0))
        for first, format_ in enumerate(FORMATS)
        for second, line in enumerate(LINES)
        for third, place in enumerate(PLACES)
    ],
)
def test_lists_are_read_wherever_they_lie(make: Maker, format_: str, line: str, place: str) -> None:
    files = FORMATS[format_]()
    for split, names in (("train", TRAIN), ("test", TEST)):
        files[f"{place}{split}.txt"] = "".join(f"{line.format(name)}\n" for name in names)
    assert splits(make, files) == WANTED


@pytest.mark.parametrize(
    "line", ["{} 1 1 2", "{}.png 1", "./images/{0}.png ./annotations/{0}.xml", "annotations/{}.xml"]
)
@pytest.mark.parametrize("names", [("trainval.txt", "test.txt"), ("train_list.txt", "list-test.lst")])
def test_lists_as_datasets_have_them(make: Maker, line: str, names: tuple[str, str]) -> None:
    """As the Oxford pets (`trainval.txt`, numbers behind the name), and with the label's path behind the image's."""
    files = {name.replace(" ", "_"): text for name, text in of_voc().items()}
    files = {name: text.replace("pet 3", "pet_3") if isinstance(text, str) else text for name, text in files.items()}
    for file, some in zip(names, (TRAIN, TEST), strict=True):
        rows = [f"{line.format(name.replace(' ', '_'))}\n" for name in some]
        files[f"annotations/{file}"] = "".join(["#Image CLASS-ID SPECIES\n", *rows])
    assert splits(make, files) == {name.replace(" ", "_"): split for name, split in WANTED.items()}


def test_trainval_counts_without_train_alone(make: Maker) -> None:
    lists: Files = {
        f"{split}.txt": f"{name}\n" for split, name in zip(("train", "val", "test"), NAMES[3:], strict=True)
    }
    files = of_voc() | lists | {"trainval.txt": "".join(f"{name}\n" for name in NAMES[3:5])}
    assert [split for split in splits(make, files).values() if split] == [("train",), ("val",), ("test",)]


def test_lists_stand_before_folders(make: Maker) -> None:
    files: Files = {"train/a.png": picture(1), "train/a.xml": voc("a.png", "cat 3 4 10 12")}
    files |= {"train/b.png": picture(2), "train/b.xml": voc("b.png", "cat 3 4 10 12"), "splits/test.txt": "b\n"}
    assert [one.splits for one in make.read(files).images] == [("train",), ("test",)]


def test_a_name_in_two_folders_is_that_of_the_nearest(make: Maker) -> None:
    files: Files = {}
    for number, day in enumerate(("mon", "tue")):
        files |= {f"{day}/a.png": picture(number), f"{day}/a.xml": voc("a.png", "cat 3 4 10 12")}
    files |= {"mon/train.txt": "a\n", "tue/test.txt": "a\n"}
    assert [one.splits for one in make.read(files).images] == [("train",), ("test",)]


def test_a_name_of_two_images_as_near_is_a_mistake_and_chooses_none(make: Maker) -> None:
    files: Files = {}
    for number, name in enumerate(("mon/a", "tue/a", "tue/c")):
        files |= {f"{name}.png": picture(number), f"{name}.xml": voc(f"{name[4:]}.png", "cat 3 4 10 12")}
    rows = make.findings(files | {"train.txt": "c\na\n"})
    assert [(row.file, row.where, row.kind) for row in rows] == [("train.txt", "line 2", "list-points-nowhere")]


@pytest.mark.parametrize(
    "text", ["cat\n", "cat\ndog\n", "0 0.5 0.5 0.1 0.1\n", "1\n10 20 30 40\n", "see the paper\n", ""]
)
@pytest.mark.parametrize("name", ["train.txt", "notes/val.txt", "labels.txt"])
def test_a_text_of_something_else_is_no_list(make: Maker, name: str, text: str) -> None:
    data = make.read(of_voc() | {name: text})
    assert {one.splits for one in data.images} == {()}
    assert data.ledger.rows == []


def test_a_list_that_is_not_read_is_told(make: Maker) -> None:
    held_out = "".join(f"{name}\n" for name in TEST)
    assert told(make, of_voc() | {"held_out.txt": held_out}) == ["held_out.txt"]
    assert told(make, of_voc() | {"all.txt": "".join(f"{name}\n" for name in NAMES)}) == []
    assert told(make, of_voc() | {"test.txt": "x.png\ny.png\npet_4.png\n"}) == ["test.txt"]
    assert told(make, of_voc() | {"test.txt": "x.png\ny.png\n"}) == ["test.txt"]
    listed = {f"ImageSets/Main/{split}.txt": f"{name}\n" for split, name in (("train", "pet_0"), ("test", "pet_1"))}
    files = of_csv() | {"labels.csv": CSV_WITH_SPLITS}
    assert told(make, files | {"test.txt": held_out}) == []
    assert told(make, files | {"test.txt": "pet_0\n"}) == ["test.txt"]
    assert told(make, of_voc() | listed | {"lists/test.txt": "pet_0\n"}) == ["lists/test.txt"]


CSV_WITH_SPLITS = "image,label,xmin,ymin,xmax,ymax,split\n" + "".join(
    f"images/{name}.png,cat,3,4,10,12,{'train' if name in TRAIN else 'test'}\n" for name in NAMES
)


def told(make: Maker, files: Files) -> list[str]:
    rows = make.findings(files)
    assert {(row.kind, row.severity) for row in rows} <= {("list-not-read", "warning")}
    return [row.file for row in rows]


def test_a_line_without_an_image_is_a_mistake_and_the_others_count(make: Maker) -> None:
    rows = make.findings(of_voc() | {"train.txt": "pet_0\npet_1\ngone\nlost\n"})
    assert [(row.file, row.where, row.kind, row.severity) for row in rows] == [
        ("train.txt", "line 3", "list-points-nowhere", "error")
    ]
    assert "'gone' and 1 more" in str(rows[0])
