"""Sets of new images copied into a labelled folder, as `next` writes them."""

import json
from pathlib import Path

import pytest
from folders import Files, Maker, picture, voc

from humbleyolo.errors import UserError
from humbleyolo.inputs.ledger import Ledger
from humbleyolo.labels.formats.registry import WRITABLE
from humbleyolo.labels.labelled_image import LabelledSet
from humbleyolo.labels.pre_labels import write_pre_labels
from humbleyolo.params.sections import Fractions, Split
from humbleyolo.splits.split_rules import Division, divide, divide_by_lists_alone

LINE = "0 0.5 0.5 0.25 0.5\n"  # a cat
NAMES = "names: [cat, dog]\n"
HEAD = "image,label,xmin,ymin,xmax,ymax"
NUMBERS = range(8)  # of labelled images; the last two are of test, where lists say so
NEW = {0: 20, 1: 21}  # the names of new images are those of old ones, their pictures are not


def split_of(number: int) -> str:
    return "train" if number < 6 else "test"


def pictures(place: str) -> Files:
    return {place.format(split=split_of(number)) + f"{number}.png": picture(number) for number in NUMBERS}


def texts(place: str) -> Files:
    return {place.format(split=split_of(number)) + f"{number}.txt": LINE for number in NUMBERS}


def xml(place: str) -> Files:
    labels = {number: voc(f"{number}.png", "cat 15 5 25 15") for number in NUMBERS}
    return {place.format(split=split_of(number)) + f"{number}.xml": text for number, text in labels.items()}


def coco(file: str, numbers: list[int], place: str = "") -> Files:
    images = [{"id": n, "file_name": f"{place}{n}.png", "width": 40, "height": 20} for n in numbers]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [15, 5, 10, 10]} for n in numbers]
    return {file: json.dumps({"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]})}


LISTS: Files = {
    f"ImageSets/Main/{split}.txt": "".join(f"{n}\n" for n in NUMBERS if split_of(n) == split)
    for split in ("train", "test")
}
ULTRALYTICS: Files = {"data.yaml": f"train: images/train\ntest: images/test\n{NAMES}"}
LAYOUTS: dict[str, Files] = {
    "flat YOLO": pictures("") | texts("") | {"classes.txt": "cat\ndog\n"},
    "flat COCO": pictures("") | coco("labels.json", [*NUMBERS]),
    "flat VOC": pictures("") | xml(""),
    "CSV": pictures("") | {"l.csv": "\n".join([HEAD, *(f"{n}.png,cat,15,5,25,15" for n in NUMBERS)])},
    "Ultralytics": pictures("images/{split}/") | texts("labels/{split}/") | ULTRALYTICS,
    "YOLO folders": pictures("{split}/") | texts("{split}/") | {"data.yaml": NAMES},
    "YOLO folders with names in each": pictures("{split}/") | texts("{split}/")
    | {f"{split}/classes.txt": "cat\ndog\n" for split in ("train", "test")},
    "VOC lists": pictures("JPEGImages/") | xml("Annotations/") | LISTS,
    "VOC folders": pictures("{split}/") | xml("{split}/"),
    "COCO of splits": pictures("images/")
    | coco("annotations/instances_train.json", [0, 1, 2, 3, 4, 5])
    | coco("annotations/instances_test.json", [6, 7]),
}  # fmt: skip
UNLISTED = ("flat YOLO", "flat COCO", "flat VOC", "CSV")


def grown(make: Maker, files: Files, to: str, name: str) -> Path:
    """A folder with a set of new images in it, in a format that `next` writes."""
    new = make.read(
        {f"{n}.png": picture(seed) for n, seed in NEW.items()}
        | {f"{n}.xml": voc(f"{n}.png", "dog 1 2 30 14") for n in NEW}
    )
    root = make.folder(files)
    read = [(one, lambda one=one: picture(NEW[int(one.path[0])])) for one in new.images]
    write_pre_labels(root / name, to, read, ("cat", "dog"))
    return root


def divided(data: LabelledSet, ledger: Ledger) -> Division:
    rule = Split(
        by="lists",
        fractions=Fractions(train=0.7, val=0.15, test=0.15),
        group="",
        stratify=False,
        near_duplicates="together",
    )
    return divide(data.images, rule, 0, ledger, data.listed)


ADDED = [(to, "to-correct") for to in sorted(WRITABLE)]
ADDED += [("voc", "next-2/to-correct"), ("yolo", "next-2/to-correct"), ("voc", "round two"), ("coco", "round two")]


@pytest.mark.parametrize(
    ("layout", "to", "name"),
    [  # all, of which each layout and each addition are fast twice or more
        pytest.param(layout, *added, marks=[pytest.mark.slow] * ((row + column) % 4 > 0))
        for row, layout in enumerate(LAYOUTS)
        for column, added in enumerate(ADDED)
    ],
)
def test_a_folder_and_its_new_images_are_read_whole(make: Maker, layout: str, to: str, name: str) -> None:
    root = grown(make, LAYOUTS[layout], to, name)
    data = make.open(root)  # a mistake would raise
    old = {one.path: one for one in make.read(LAYOUTS[layout]).images}
    assert {one.path: one.labels for one in data.images if one.path in old} == dict.fromkeys(old, ("cat",))
    assert {one.path: one.splits for one in data.images if one.path in old} == {
        p: one.splits for p, one in old.items()
    }
    new = [one for one in data.images if one.path not in old]
    assert [one.labels for one in new] == [("dog",)] * len(NEW)
    assert all(one.path.startswith(f"{name}/") for one in new)
    assert set(data.classes) == {"cat", "dog"}
    if layout in UNLISTED:
        assert {one.splits for one in data.images} == {()}
        return
    ledger = Ledger("error")
    division = divided(data, ledger)
    assert [one.path for one in division.splits["test"]] == [path for path in old if old[path].splits == ("test",)]
    assert None not in division.chosen
    assert [row.kind for row in ledger.rows if row.severity != "note"] == []
    text = f"2 images of a set that no list names, in train: {name.partition('/')[0]}"
    assert text in division.notes
    assert text in divide_by_lists_alone(data.images, Ledger("error")).notes
    assert [row.why for row in ledger.rows if row.kind == "split-added"] == [text]


@pytest.mark.parametrize("name", ["to-correct", "another"])
@pytest.mark.parametrize("to", ["voc", "coco"])
def test_a_set_that_is_larger_than_each_split_does_not_give_the_format(make: Maker, to: str, name: str) -> None:
    """Nothing lies beside the folders of the splits but data.yaml, and each has fewer images than the new set."""
    files: Files = {"data.yaml": f"train: train/images\nval: valid/images\n{NAMES}"}
    for number, split in enumerate(("train", "train", "valid") if name == "another" else ("train", "valid")):
        files |= {f"{split}/images/{number}.png": picture(number), f"{split}/labels/{number}.txt": LINE}
    data = make.open(grown(make, files, to, name))
    assert sorted(one.labels for one in data.images) == [("cat",)] * (len(files) // 2) + [("dog",)] * len(NEW)
    assert [one.splits for one in data.images if one.path.startswith(name)] == [("train",)] * len(NEW)


def test_a_set_is_read_apart_only_if_it_shares_no_image_with_another(make: Maker) -> None:
    """Labels of the same images are compared, wherever they lie."""
    new: Files = {"new/n.png": picture(20), "new/n.xml": voc("n.png", "dog 1 2 30 14")}
    files = LAYOUTS["flat YOLO"] | new
    assert "2 parts: the folder itself (yolo" in make.read(files).why
    more: Files = {"l.csv": f"{HEAD}\n" + "".join(f"{n}.png,cat,15,5,25,15\n" for n in NUMBERS)}
    assert "csv (l.csv) says the same" in make.read(files | more).why
    for row in ("new/n.png,cat,1,2,30,14\n", "0.png,dog,15,5,25,15\n"):
        with pytest.raises(UserError, match="They differ"):
            make.read(files | {"l.csv": more["l.csv"].replace("0.png,cat,15,5,25,15\n", "") + row})
    inside = voc("../0.png", "dog 15 5 25 15")
    with pytest.raises(UserError):
        make.read(files | {"new/0.xml": inside})
    joined = make.read(LAYOUTS["flat YOLO"] | {"n.png": picture(20), "n.xml": voc("n.png", "dog 1 2 30 14")})
    assert joined.format == "yolo, voc"  # in one folder


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout not in UNLISTED])
def test_images_of_one_set_in_no_list_stay_a_mistake(make: Maker, layout: str) -> None:
    """A folder beside `train` and `test` may be an official split of another name."""
    files = dict(LAYOUTS[layout])
    layouts = {
        "images/train/0.png": "images/held/9.png",
        "train/0.png": "held/9.png",
        "JPEGImages/0.png": "JPEGImages/9.png",
    }
    new = next((new for old, new in layouts.items() if old in files), "images/9.png")
    for name in [name for name in files if name.endswith(("/0.txt", "/0.xml"))]:
        files[name.replace("train", "held").replace("/0.", "/9.")] = str(files[name]).replace("0.png", "9.png")
    files[new] = picture(9)
    if "classes.txt" in "".join(files):
        files["held/classes.txt"] = "cat\ndog\n"
    if layout == "COCO of splits":
        files |= coco("annotations/instances_held.json", [9])
    data = make.read(files)
    ledger = Ledger("error")
    assert divided(data, ledger).chosen.count(None) == 1
    assert [(row.file, row.what) for row in ledger.errors] == [(new, "in no list")]


def test_a_part_without_lists_beside_one_with_them(make: Maker) -> None:
    """Copies keep the split that one of them has; corrections put nothing into train."""
    files = LAYOUTS["VOC folders"]
    copy: Files = {"day2/7.png": picture(7), "day2/9.png": picture(9), "day2/classes.txt": "cat\n"}
    copy |= {"day2/7.txt": "0 0.5 0.5 0.25 0.5\n", "day2/9.txt": LINE}
    data = make.read(files | copy)
    splits = {one.path: one.splits for one in data.images}
    assert splits["day2/9.png"] == ("train",)
    assert [path for path, split in splits.items() if split == ("test",)] == ["day2/7.png", "test/6.png"]
    better: Files = {"corrections/x.png": picture(30), "corrections/x.xml": voc("x.png", "cat 1 2 30 14")}
    assert {one.path: one.splits for one in make.read(files | better).images}["corrections/x.png"] == ()


@pytest.mark.parametrize("layout", ["flat YOLO", "Ultralytics", "flat VOC", "flat COCO", "CSV"])
def test_images_of_next_without_labels(make: Maker, layout: str) -> None:
    """As docs/more-images.md says: mistakes, or a note where labels lie in XML, JSON or CSV. None is background."""
    files = LAYOUTS[layout] | {"nothing-found/n.png": picture(20)}
    if layout in ("flat YOLO", "Ultralytics"):
        found = [(row.kind, row.file) for row in make.findings(files) if row.severity == "error"]
        assert found == [("label-missing", "nothing-found/n.png")]
        return
    data = make.read(files)
    assert len(data.images) == len(NUMBERS)
    assert [(row.kind, row.file, row.severity) for row in data.ledger.rows] == [("not-read", "nothing-found", "note")]


def test_images_of_next_without_labels_beside_parts(make: Maker) -> None:
    parts: Files = {"day1/" + name: content for name, content in LAYOUTS["flat YOLO"].items()}
    parts |= {"day2/n.png": picture(21), "day2/n.xml": voc("n.png", "dog 1 2 30 14")}
    with pytest.raises(UserError, match=r"(?s)of 3 parts.*nothing-found: no known labels"):
        make.read(parts | {"nothing-found/n.png": picture(20)})


@pytest.mark.parametrize("named", [(), (0,)])
@pytest.mark.parametrize("lists", ["own", "beside"])
def test_lists_of_one_half_of_a_switched_labelimg(make: Maker, named: tuple[int, ...], lists: str) -> None:
    """The XML was written before there were lists; once they name some of it, the others are left out on purpose."""
    files = pictures("") | {"classes.txt": "cat\n"}
    files |= {f"{n}.xml": voc(f"{n}.png", "cat 15 5 25 15") for n in range(4)}
    files |= {f"{n}.txt": LINE for n in range(4, 8)}
    place = "" if lists == "own" else "splits/2026/"
    files |= {
        f"{place}train.txt": "".join(f"{n}.png\n" for n in (*named, 4, 5)),
        f"{place}test.txt": "6.png\n7.png\n",
    }
    data = make.read(files)
    ledger = Ledger("error")
    division = divided(data, ledger)
    if named:
        assert [row.file for row in ledger.errors] == ["1.png", "2.png", "3.png"]
        return
    assert not ledger.errors
    assert [one.path for one in division.splits["test"]] == ["6.png", "7.png"]
    assert {one.path for one in data.images if one.unlisted} == {"0.png", "1.png", "2.png", "3.png"}
    assert any("4 images of a set that no list names, in train: 0.xml" in note for note in division.notes)
