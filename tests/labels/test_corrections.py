"""Pictures that are in several parts of a folder: kept once, with the labels of the corrections."""

import json
import re

import pytest
from folders import Files, Maker, photo_file, picture, under, voc, zipped

from humbleyolo.errors import ProblemsError

DAY: Files = {
    "images/a.png": picture(1),
    "images/b.png": picture(2),
    "labels/a.txt": "0 0.5 0.5 0.25 0.5\n",
    "labels/b.txt": "1 0.5 0.5 0.25 0.5\n",
    "data.yaml": "names: [cat, dog]\n",
}
BETTER: Files = {"x.png": picture(1), "x.xml": voc("x.png", "dog 1 2 30 14")}


@pytest.mark.parametrize("base", ["day1/", ""])
@pytest.mark.parametrize("name", ["corrections", "Corrections of May"])
def test_corrected_labels_are_used_in_the_old_place(make: Maker, base: str, name: str) -> None:
    """The folder corrected may be a part beside the corrections, or one set that lies around them."""
    data = make.read({f"{base}{path}": content for path, content in DAY.items()} | under({name: BETTER}))
    assert [one.path for one in data.images] == [f"{base}images/a.png", f"{base}images/b.png"]
    first, second = data.images
    assert (first.labels, first.boxes.tolist(), first.label_file) == (("dog",), [[1, 2, 30, 14]], f"{name}/x.xml")
    assert second.labels == ("dog",)
    [row] = data.ledger.rows
    assert (row.file, row.kind, row.severity) == (f"{base}images/a.png", "labelled-again", "note")
    assert row.why == f"labelled again in {name}/x.xml; these labels are used"
    assert row.done == "1 box in their place"


def test_corrections_in_an_archive(make: Maker) -> None:
    root = make.folder(DAY)
    zipped(root, "corrections.zip", BETTER)
    assert make.open(root).images[0].label_file == "corrections.zip/x.xml"


def test_corrections_of_one_format_with_the_rest(make: Maker) -> None:
    """Without their name they would be read as one folder with it."""
    old = {"a.png": picture(1), "a.xml": voc("a.png", "cat 1 2 3 4")}
    data = make.read(under({"day1": old, "corrections": BETTER}))
    assert [(one.path, one.labels) for one in data.images] == [("day1/a.png", ("dog",))]


def test_corrections_without_class_names_take_those_of_the_folder(make: Maker) -> None:
    data = make.read(DAY | under({"corrections": {"x.png": picture(1), "x.txt": "1 0.5 0.5 0.5 0.5\n"}}))
    assert data.images[0].labels == ("dog",)
    assert [row.kind for row in data.ledger.rows] == ["class-names-shared", "labelled-again"]


def test_a_correction_keeps_the_split(make: Maker) -> None:
    day = {
        name.replace("images/a", "images/test/a").replace("labels/a", "labels/test/a"): v for name, v in DAY.items()
    }
    data = make.read(day | under({"corrections": {f"train/{name}": v for name, v in BETTER.items()}}))
    assert data.images[0].splits == ("test",) or data.images[1].splits == ("test",)


def test_lists_of_corrections_move_no_image(make: Maker) -> None:
    """Where the folder has no lists, all of it would be divided by those of a few corrected images."""
    table = "image,label,xmin,ymin,xmax,ymax,split\nx.png,dog,1,2,30,14,val\n"
    data = make.read(DAY | under({"corrections": {"x.png": picture(1), "table.csv": table}}))
    assert [(one.labels, one.splits) for one in data.images] == [(("dog",), ()), (("dog",), ())]
    assert data.listed == frozenset()


def test_a_correction_to_background(make: Maker) -> None:
    data = make.read(DAY | under({"corrections": BETTER | {"x.xml": voc("x.png")}}))
    assert data.images[0].labels == ()


def test_a_correction_that_changes_nothing_and_one_of_nothing(make: Maker) -> None:
    same = {"x.png": picture(1), "x.xml": voc("x.png", "cat 15 5 25 15"), "y.png": picture(9)}
    data = make.read(DAY | under({"corrections": same | {"y.xml": voc("y.png")}}))
    assert [one.path for one in data.images] == ["corrections/y.png", "images/a.png", "images/b.png"]
    assert [row.kind for row in data.ledger.rows] == ["labelled-again", "corrects-nothing"]


def test_every_copy_is_corrected(make: Maker) -> None:
    copies = {"a.png": picture(1), "a.xml": voc("a.png", "cat 1 2 3 4"), "z.png": picture(1), "z.xml": voc("z.png")}
    data = make.read(under({"day1": copies, "corrections": BETTER}))
    assert [(one.path, one.labels) for one in data.images] == [("day1/a.png", ("dog",))]
    assert [row.kind for row in data.ledger.rows] == ["labelled-again", "labelled-again", "same-image"]


def test_a_correction_of_an_image_without_usable_labels(make: Maker) -> None:
    """It takes the place and the split of the original, which lacks no label any more."""
    train: Files = {"a.png": picture(1), "b.png": picture(2), "b.xml": voc("b.png", "cat 1 2 3 4")}
    data = make.read(under({"train": train, "corrections": BETTER}))
    assert [(one.path, one.labels, one.splits) for one in data.images] == [
        ("train/a.png", ("dog",), ("train",)),
        ("train/b.png", ("cat",), ("train",)),
    ]
    assert [(row.file, row.kind, row.severity) for row in data.ledger.rows] == [
        ("train/a.png", "labelled-again", "note")
    ]
    bad = make.findings(under({"train": train | {"c.png": picture(3)}, "corrections": BETTER}))
    assert [(row.file, row.kind) for row in bad if row.severity == "error"] == [("train/c.png", "label-missing")]
    other = {"x.png": picture(1), "x.xml": voc("x.png", "cat 1 2 3 4")}
    twice = make.findings(under({"train": train, "corrections1": BETTER, "corrections2": other}))
    assert [(row.file, row.kind) for row in twice if row.severity == "error"] == [
        ("corrections2/x.png", "labels-differ")
    ]


def test_corrections_of_nothing_are_named_with_their_look_alikes(make: Maker) -> None:
    def noise(seed: int, **save: object) -> bytes:
        return photo_file(seed, **save)  # type: ignore[arg-type]

    old: Files = {"a.jpg": noise(1, kind="JPEG", quality=95), "a.xml": voc("a.jpg")}
    size = re.compile(r"<size>.*?</size>", re.S)
    old["a.xml"] = size.sub("", voc("a.jpg"))
    again: Files = {"x.jpg": noise(1, kind="JPEG", quality=80), "x.xml": size.sub("", voc("x.jpg"))}
    data = make.read(old | under({"corrections": again}))
    [row] = data.ledger.rows
    assert (row.file, row.kind, row.severity) == ("corrections", "corrects-nothing", "warning")
    assert row.what == "1 image: corrections/x.jpg (looks like a.jpg)"
    assert row.why.endswith("copy its file unchanged")
    many = {f"{n}.png": picture(10 + n) for n in range(5)} | {f"{n}.xml": voc(f"{n}.png") for n in range(5)}
    [row] = make.read(DAY | under({"corrections": many})).ledger.rows
    assert row.what == "5 images: corrections/0.png, corrections/1.png, corrections/2.png and 2 more"


def test_two_corrections_that_differ_are_a_mistake(make: Maker) -> None:
    other = {"x.png": picture(1), "x.xml": voc("x.png", "cat 1 2 3 4")}
    with pytest.raises(ProblemsError, match=r"corrections2/x\.png: .*in corrections2/x\.xml than in corrections1/"):
        make.read(DAY | under({"corrections1": BETTER, "corrections2": other}))


def test_copies_in_other_parts(make: Maker) -> None:
    """They agree within a pixel, or are a mistake that names both files and the fix."""
    equal = {"x.png": picture(1), "x.xml": voc("x.png", "cat 15 5 25 16")}
    data = make.read(under({"day1": DAY, "day2": equal}))
    assert [one.path for one in data.images] == ["day1/images/a.png", "day1/images/b.png"]
    assert [(row.file, row.kind, row.severity) for row in data.ledger.rows] == [("day2/x.png", "same-image", "note")]
    [row] = make.findings(under({"day1": DAY, "day2": BETTER}))
    assert (row.file, row.kind, row.severity) == ("day2/x.png", "labels-differ", "error")
    assert row.what == "labelled otherwise in day2/x.xml than in day1/labels/a.txt"
    assert "day1/images/a.png" in row.why
    assert "begins with corrections" in row.why


def test_corrections_deep_inside_one_of_several_folders(make: Maker) -> None:
    """Folders of one format are one set; the corrections in one of them are not of that set."""
    old = {"a.png": picture(1), "a.xml": voc("a.png", "cat 1 2 3 4"), "corrections/x.png": BETTER["x.png"]}
    old["corrections/x.xml"] = BETTER["x.xml"]
    for outside in ("", "export/", "all/export/"):
        test = {"t.png": picture(5), "t.xml": voc("t.png", "cat 1 2 3 4")}
        data = make.read({outside + name: content for name, content in under({"train": old, "test": test}).items()})
        assert [(one.path.removeprefix(outside), one.labels, one.splits) for one in data.images] == [
            ("test/t.png", ("cat",), ("test",)),
            ("train/a.png", ("dog",), ("train",)),
        ]
        assert [row.kind for row in data.ledger.rows] == ["labelled-again"]


@pytest.mark.parametrize("part", ["", "day1/"])
def test_copies_in_one_part(make: Maker, part: str) -> None:
    """Labelled alike, both stay, for the rules about look-alikes; labelled otherwise, a person is told."""
    first = {f"{part}a.png": picture(1), f"{part}a.xml": voc("a.png", "cat 1 2 30 14")}
    others: Files = under({"day2": DAY | {"images/a.png": picture(7)}}) if part else {}
    copy = {f"{part}b.png": picture(1), f"{part}b.xml": voc("b.png", "cat 1 2 30 14")}
    data = make.read(others | first | copy)
    assert [one.path for one in data.images if one.path.startswith(part)][:2] == [f"{part}a.png", f"{part}b.png"]
    [row] = make.findings(others | first | copy | {f"{part}b.xml": voc("b.png", "dog 1 2 30 14")})
    assert (row.file, row.kind, row.severity) == (f"{part}b.png", "labels-differ", "warning")
    assert row.what == f"labelled otherwise in {part}b.xml than in {part}a.xml"
    assert f"{part}a.png" in row.why


def test_copies_in_two_splits_stay_for_the_rules_about_leaks(make: Maker) -> None:
    equal = {"x.png": picture(1), "x.xml": voc("x.png", "cat 15 5 25 15")}
    data = make.read(under({"train": DAY, "test": equal}))
    assert [(one.path, one.splits) for one in data.images][0::2] == [
        ("test/x.png", ("test",)),
        ("train/images/b.png", ("train",)),
    ]
    assert len(data.images) == 3


def test_pictures_copied_into_train_and_test_are_read_there(make: Maker) -> None:
    """As TensorFlow's tutorial copies them, with their XML; the originals stay where they were."""
    files: Files = {}
    for number in range(4):
        for folder in ("images/", f"images/{'test' if number == 3 else 'train'}/"):
            files[f"{folder}{number}.png"] = picture(number)
            files[f"{folder}{number}.xml"] = voc(f"{number}.png", "cat 1 2 30 14")
    data = make.read(files)
    assert [(one.path, one.splits) for one in data.images] == [
        ("images/test/3.png", ("test",)),
        *((f"images/train/{number}.png", ("train",)) for number in range(3)),
    ]
    assert [row.kind for row in data.ledger.rows] == ["same-image"] * 4
    files["images/2.xml"] = voc("2.png", "dog 1 2 30 14")
    rows = [row for row in make.findings(files) if row.kind != "same-image"]
    assert [(row.file, row.kind) for row in rows] == [("images/2.png", "labels-differ")]


def test_corrections_without_pictures_are_refused(make: Maker) -> None:
    with pytest.raises(Exception, match=r"corrections: no known labels among 1 file, images: 0"):
        make.read(DAY | {"corrections/a.txt": "1 0.5 0.5 0.5 0.5\n"})


def test_corrected_boxes_have_their_own_areas(make: Maker) -> None:
    def coco(name: str, **areas: float) -> str:
        rows = [{"id": n, "image_id": 1, "category_id": 1, "bbox": [n, 2, 3, 4], "area": area}
                for n, area in enumerate(areas.values(), 1)]  # fmt: skip
        images = [{"id": 1, "file_name": name, "height": 20, "width": 40}]
        return json.dumps({"images": images, "categories": [{"id": 1, "name": "cat"}], "annotations": rows})

    old = {"a.png": picture(1), "a.json": coco("a.png", first=5.0, second=6.0)}
    for areas in ({"only": 7.0}, {"first": 8.0, "second": 9.0, "third": 10.0}):
        data = make.read(under({"day1": old, "corrections": {"x.png": picture(1), "x.json": coco("x.png", **areas)}}))
        assert data.images[0].areas == tuple(areas.values())
