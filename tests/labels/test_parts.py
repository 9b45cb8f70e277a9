"""Labelled sub-folders and archives of one folder, each read by itself."""

from pathlib import Path

import numpy as np
import pytest
from folders import GOOD, Files, Maker, picture, under, voc, zipped

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.labels.labelled_image import LabelledSet

YOLO: Files = {"a.png": picture(1), "a.txt": "0 0.5 0.5 0.25 0.5\n", "classes.txt": "cat\ndog\n"}
OTHER_YOLO: Files = {"a.png": picture(2), "a.txt": "0 0.5 0.5 0.25 0.5\n", "classes.txt": "dog\ncat\n"}
XML = voc("a.png", "cat 1 2 3 4")
VOC: Files = {"images/a.png": picture(3), "Annotations/a.xml": voc("a.png", "bird 1 2 3 4")}
COCO: Files = {"a.png": picture(4), "a.json": GOOD["coco"][1]}
PARTS = {"day1": YOLO, "day2": OTHER_YOLO, "day3": VOC, "day4": COCO}


def rows(data: LabelledSet, before: str = "") -> list[tuple[object, ...]]:
    """All that is known of each image, with a folder before its path."""
    return [
        (before + one.path, before + one.label_file, one.labels, one.boxes.tolist(), one.splits, one.info.sha256)
        for one in data.images
    ]


@pytest.mark.parametrize("chosen", [("day1", "day2"), ("day1", "day3"), ("day3", "day4"), tuple(PARTS)])
@pytest.mark.parametrize("archives", [False, True])
def test_the_union_is_that_of_the_parts_alone(make: Maker, chosen: tuple[str, ...], *, archives: bool) -> None:
    folders, packed = (chosen[:-1], chosen[-1:]) if archives else (chosen, ())
    root = make.folder(under({name: PARTS[name] for name in folders}) | {"README.txt": "hello", "LICENSE": "mine"})
    for name in packed:
        zipped(root, f"{name}.zip", PARTS[name])
    union = make.open(root)
    alone = [(name, make.read(PARTS[name])) for name in chosen]
    prefixes = [f"{name}.zip/" if name in packed else f"{name}/" for name in chosen]
    parts = zip(alone, prefixes, strict=True)
    assert rows(union) == sorted(row for (_, data), before in parts for row in rows(data, before))
    assert union.classes == tuple(dict.fromkeys(name for _, data in alone for name in data.classes))
    assert union.images_seen == len(chosen)
    assert union.ledger.rows == []
    assert f"{len(chosen)} parts: day1 (yolo" in union.why or chosen[0] == "day3"


def test_each_part_has_its_own_class_names(make: Maker) -> None:
    data = make.read(under({"a": YOLO, "b": OTHER_YOLO}))
    assert [one.labels for one in data.images] == [("cat",), ("dog",)]
    told = make.read(under({"a": YOLO, "b": OTHER_YOLO}), classes=("dog", "cat"), format="yolo")
    assert [one.labels for one in told.images] == [("cat",), ("dog",)]
    assert told.classes == ("dog", "cat")


def test_classes_of_the_parameters_must_fit_all_parts(make: Maker) -> None:
    found = make.findings(under({"a": YOLO, "b": VOC}), classes=("cat",))
    assert [(row.file, row.kind) for row in found] == [("b/Annotations/a.xml", "unknown-class")]


def test_splits_of_one_export_stay_whole(make: Maker) -> None:
    """Names once for all, or the same names in each: one set, whose folders are the splits."""
    splits = {
        name: {"a.png": picture(n), "a.txt": YOLO["a.txt"]} for n, name in enumerate(("train", "valid", "test"))
    }
    for names in ({"data.yaml": "names: [cat, dog]\n"}, {f"{name}/classes.txt": "cat\ndog\n" for name in splits}):
        data = make.read(under(splits) | names)
        assert "parts" not in data.why
        assert [one.splits for one in data.images] == [("test",), ("train",), ("val",)]


@pytest.mark.parametrize(
    "files",
    [
        {"images/a.png": picture(), "labels/a.txt": "0 0.5 0.5 0.1 0.1\n", "labels/classes.txt": "cat\n"},
        {
            "JPEGImages/a.png": picture(),
            "Annotations/a.xml": voc("a.png", "cat 1 2 3 4"),
            "SegmentationClass/a.png": picture(1),
        },
        {"images/train/a.png": picture(), "annotations/instances_train.json": GOOD["coco"][1]},
        {"images/a.png": picture(), "xml/a.xml": XML, "csv/x.csv": GOOD["csv"][1]},
    ],
)
def test_folders_that_only_together_are_a_set_stay_one(make: Maker, files: Files) -> None:
    data = make.read(files)
    assert "parts" not in data.why
    assert [len(one.labels) for one in data.images] == [1]


@pytest.mark.parametrize(
    ("files", "keeps"),
    [
        ({"JPEGImages/a.png": picture(), "Annotations/a.xml": XML}, "Annotations/a.xml"),
        (under({"day1": YOLO}) | {"data.yaml": "names: [cat, dog]\n"}, "data.yaml"),
        ({"a.png": picture(), "a.xml": XML}, "a.png"),
    ],
)
def test_an_archive_kept_beside_one_set(make: Maker, files: Files, keeps: str) -> None:
    """Labels in it are not dropped: it is a mistake that names the file in the way. Pictures alone are a note."""
    root = make.folder(files)
    zipped(root, "export.zip", YOLO)
    zipped(root, "pictures.zip", {"z.png": picture(8)})
    with pytest.raises(ProblemsError, match=rf"export\.zip: an archive with labels: {keeps} makes all beside it one"):
        make.open(root)
    found = make.open(root, on_problem="skip").ledger.rows
    assert sorted((row.file, row.kind, row.severity) for row in found) == [
        ("export.zip", "archive-not-read", "error"),
        ("pictures.zip", "not-read", "note"),
    ]


@pytest.mark.parametrize("stray", [{"todo.txt": "buy milk"}, {"params.yaml": "a: 1"}, {"todo.txt": "", "README": ""}])
def test_stray_text_beside_the_parts(make: Maker, stray: Files) -> None:
    root = make.folder(under({"day1": YOLO, "day3": VOC}) | stray)
    zipped(root, "day2.zip", OTHER_YOLO)
    data = make.open(root)
    assert [one.labels for one in data.images] == [("cat",), ("dog",), ("bird",)]
    assert len(make.read(under({"day1": YOLO, "day2": OTHER_YOLO}) | stray).images) == 2


@pytest.mark.parametrize("policy", ["error", "skip", "clip"])
def test_class_names_that_differ_in_one_folder_stop_always(make: Maker, policy: str) -> None:
    with pytest.raises(UserError, match=r"obj\.names: .*'dog, cat'.*classes\.txt says 'cat, dog'"):
        make.read(YOLO | {"obj.names": "dog\ncat\n"}, on_problem=policy)


def test_each_folder_has_the_class_names_that_lie_nearest(make: Maker) -> None:
    """In more folders than are looked into one by one, and in folders of one set."""
    files = under({f"d{n}": (YOLO, OTHER_YOLO)[n % 2] | {"a.png": picture(n, 4, 4)} for n in range(101)})
    data = make.read(files)
    assert data.classes == ("cat", "dog")
    assert {one.path: one.labels[0] for one in data.images} == {
        f"d{n}/a.png": ("cat", "dog")[n % 2] for n in range(101)
    }
    one_set: Files = {"labels/classes.txt": "cat\ndog\n", "labels/b/classes.txt": "dog\ncat\n"}
    for number, name in enumerate(("a/x", "b/x", "b/deep/x", "y")):
        one_set |= {f"images/{name}.png": picture(number, 4, 4), f"labels/{name}.txt": YOLO["a.txt"]}
    data = make.read(one_set)
    assert [one.labels[0] for one in data.images] == ["cat", "dog", "dog", "cat"]
    assert [(row.kind, row.severity) for row in data.ledger.rows] == [("class-names-differ", "warning")]
    one_set["labels/c/classes.txt"] = one_set.pop("labels/classes.txt")
    rows = make.findings(one_set)
    assert [(row.kind, row.file) for row in rows if row.severity == "error"] == [
        ("class-names-differ", "labels/a/x.txt"),
        ("class-names-differ", "labels/y.txt"),
    ]


def test_names_of_one_folder_used_for_another_of_its_set(make: Maker) -> None:
    nameless = {name: content for name, content in OTHER_YOLO.items() if name != "classes.txt"}
    data = make.read(under({"a": YOLO, "b": nameless}))
    assert [one.labels for one in data.images] == [("cat",), ("cat",)]
    assert [(row.file, row.kind, row.severity) for row in data.ledger.rows] == [("b", "class-names-shared", "note")]
    assert make.read(under({"a": YOLO, "b": nameless}), classes=("cat", "dog")).ledger.rows == []


def test_one_archive_in_a_folder(make: Maker) -> None:
    root = make.folder({"README.md": ""})
    zipped(root, "export.zip", YOLO)
    data = make.open(root)
    assert "1 part: export.zip (yolo" in data.why
    assert [one.path for one in data.images] == ["export.zip/a.png"]


def test_a_part_in_a_split_by_its_name(make: Maker) -> None:
    root = make.folder(under({"train": YOLO, "val": VOC}))
    zipped(root, "test.zip", COCO)
    assert [one.splits for one in make.open(root).images] == [("test",), ("train",), ("val",)]


def test_lists_of_a_part_come_before_its_name(make: Maker) -> None:
    """An image in none of its lists is in none, whatever the name says. A part without lists is in train."""
    more: Files = {"images/b.png": picture(5), "Annotations/b.xml": voc("b.png"), "ImageSets/Main/val.txt": "a\n"}
    data = make.read(under({"train": VOC | more, "more": YOLO}))
    assert [(one.splits, one.unlisted) for one in data.images] == [(("train",), True), (("val",), False), ((), False)]


def test_archives_of_splits_beside_another(make: Maker) -> None:
    root = make.folder({"README.md": ""})
    for name in ("train.zip", "val.zip", "day2.zip"):
        zipped(root, name, YOLO | {"a.png": picture(len(name))})
    assert [one.splits for one in make.open(root).images] == [("train",), ("train",), ("val",)]
    assert [one.unlisted for one in make.open(root).images] == [True, False, False]


def test_parts_without_labels_are_named(make: Maker) -> None:
    files = under({"day1": YOLO, "day2": VOC, "day3": {"x.png": picture(7)}, "day4": {"y.png": picture(8)}})
    with pytest.raises(UserError, match=r"(?s)of 4 parts.*day3: no known labels among 1 file, images: 1.*day4: no"):
        make.read(files)


def test_mistakes_name_the_part(make: Maker) -> None:
    bad = VOC | {"Annotations/a.xml": voc("a.png", "bird 3 2 1 4")}
    found = make.findings(under({"day1": YOLO, "day2": bad}))
    assert [(row.file, row.kind) for row in found] == [("day2/Annotations/a.xml", "inverted-box")]


def test_two_label_sets_in_a_part(make: Maker) -> None:
    both = {"a.png": picture(3), "a.xml": XML, "x.csv": GOOD["csv"][1]}
    data = make.read(under({"day1": YOLO, "day2": both}))
    assert "day2 (voc, because a.xml is XML with <annotation>; csv (x.csv) says the same)" in data.why
    with pytest.raises(UserError, match="day2: fits 2 formats"):
        make.read(
            under({"day1": YOLO, "day2": both | {"x.csv": "image,label,xmin,ymin,xmax,ymax\na.png,dog,1,2,3,4\n"}})
        )


def test_parts_of_parts(make: Maker) -> None:
    inner = under({"morning": YOLO, "evening": VOC})
    data = make.read({"photos/" + name: content for name, content in under({"day1": inner, "day2": COCO}).items()})
    assert [one.path for one in data.images] == [
        "photos/day1/evening/images/a.png",
        "photos/day1/morning/a.png",
        "photos/day2/a.png",
    ]
    assert "3 parts: photos/day1/evening (voc" in data.why


def test_a_part_without_names_takes_those_that_the_parts_share(make: Maker) -> None:
    nameless = {name: content for name, content in OTHER_YOLO.items() if name != "classes.txt"}
    data = make.read(under({"day1": YOLO, "day2": nameless, "day3": VOC}))
    assert [one.labels for one in data.images] == [("cat",), ("cat",), ("bird",)]
    assert [(row.file, row.kind) for row in data.ledger.rows] == [("day2", "class-names-shared")]


def test_links_and_archives_that_are_not_read(make: Maker, tmp_path: Path) -> None:
    root = make.folder(under({"day1": YOLO, "day2": VOC}))
    (root / "link").symlink_to(tmp_path)
    (root / "day1" / "link").symlink_to(tmp_path)
    zipped(root / "day2", "more.zip", YOLO)
    found = make.open(root, on_problem="skip").ledger
    assert sorted(row.file for row in found.rows) == ["day1/link", "day2/more.zip", "link"]
    assert [row.file for row in found.errors] == ["day2/more.zip"]
    one = make.folder(YOLO | under({"corrections": VOC}))
    (one / "corrections" / "link").symlink_to(tmp_path)
    assert [row.file for row in make.open(one).ledger.rows if row.kind == "not-read"] == ["corrections/link"]


def test_many_parts_are_told_in_short(make: Maker) -> None:
    files = {f"day{n:02}": {"a.png": picture(n), "a.txt": YOLO["a.txt"], "classes.txt": f"c{n}\n"} for n in range(12)}
    data = make.read(under(files))
    assert data.why.endswith("day07 (yolo) and 4 more")
    assert len(data.images) == len(data.classes) == 12
    assert all(np.array_equal(one.boxes, data.images[0].boxes) for one in data.images)


@pytest.mark.parametrize(
    "stray", [("stats.json", "{}"), ("who.csv", "who,when\nme,now\n"), ("project.xml", "<project/>")]
)
def test_a_file_without_labels_beside_folders_makes_them_no_one_set(make: Maker, stray: tuple[str, str]) -> None:
    """A label file beside them does, and is not read as none."""
    two: Files = {"day1/a.png": picture(), "day1/a.txt": "0 0.5 0.5 0.5 0.5\n", "day1/classes.txt": "cat\n"}
    two |= {"day2/b.png": picture(1), "day2/b.xml": voc("b.png", "dog 1 2 30 14")}
    data = make.read(two | {stray[0]: stray[1]})
    assert [image.labels for image in data.images] == [("cat",), ("dog",)]
    assert [(row.kind, row.file, row.severity) for row in data.ledger.rows] == [("not-read", stray[0], "note")]
    with pytest.raises(UserError, match="differ"):
        make.read(two | {"t.csv": "image,label,xmin,ymin,xmax,ymax\nday1/a.png,cat,1,2,3,4\n"})


@pytest.mark.parametrize("name", ["day2.tar.gz", "day2.RAR", "day2.7z", "day2.tgz"])
@pytest.mark.parametrize("files", [under({"day1": YOLO}), YOLO, under({"day1": YOLO, "day3": VOC})])
def test_archives_other_than_zip_get_a_warning(make: Maker, files: Files, name: str) -> None:
    """Beside parts, in one set, and inside an archive."""
    for data in (make.read(files | {name: "?"}), make.open(make.archive(files | {name: "?"}))):
        assert [(row.file, row.kind, row.severity, row.done) for row in data.ledger.rows] == [
            (name, "archive-not-read", "warning", "not read")
        ]
        assert "make a zip" in str(data.ledger.rows[0])
        assert len(data.images) == len(make.read(files).images)
