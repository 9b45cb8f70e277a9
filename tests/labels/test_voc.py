"""Pascal VOC XML."""

from collections.abc import Callable
from unittest.mock import Mock

import numpy as np
import pytest
from folders import Files, Maker, picture, read_labelled, voc
from repository import ROOT

from humbleyolo.inputs.ledger import Finding
from humbleyolo.labels.formats import voc as voc_format
from humbleyolo.labels.labelled_image import ReadOptions

BCCD = ROOT.parent / "shared/data/bccd"


def files(*boxes: str, **changed: bytes | str) -> Files:
    return {"JPEGImages/a.png": picture(), "Annotations/a.xml": voc("a.png", *boxes)} | changed


def test_reads_what_labelimg_writes(make: Maker) -> None:
    data = make.read(files("cat 3 4.25 10 12", "dog 1 1 40 20"))
    (record,) = data.images
    assert data.format == "voc"
    assert data.classes == ("cat", "dog")
    assert (record.height, record.width) == (20, 40)
    assert record.labels == ("cat", "dog")
    assert record.boxes.tolist() == [[3, 4.25, 10, 12], [1, 1, 40, 20]]
    assert not data.ledger.rows


def test_a_file_that_a_person_verified_in_labelimg(make: Maker) -> None:
    text = voc("a.png", "cat 3 4 10 12").replace("<annotation>", '<annotation verified="yes">')
    assert make.read(files(**{"Annotations/a.xml": text})).format == "voc"


def test_a_file_name_without_extension(make: Maker) -> None:
    """As LabelImg wrote it until 2017, and as Label Studio exports it."""
    data = make.read(files(**{"Annotations/a.xml": voc("a", "cat 3 4 10 12"), "other/a.jpg": picture(kind="JPEG")}))
    assert [record.path for record in data.images] == ["JPEGImages/a.png"]
    rows = make.findings(files(**{"Annotations/a.xml": voc("a"), "JPEGImages/a.jpg": b""}))
    assert [row.kind for row in rows] == ["image-ambiguous", "not-read"]


@pytest.mark.parametrize("places", [("", ""), ("JPEGImages/", "Annotations/"), ("images/", "labels/")])
@pytest.mark.parametrize("ending", [".png", ""])
def test_files_renamed_together_keep_the_old_names_inside(make: Maker, places: tuple[str, str], ending: str) -> None:
    """Each XML file names the image of another; no box may go to the wrong picture."""
    images, labels = places
    content: Files = {}
    for number in range(3):
        content[f"{images}{number}.png"] = picture(number)
        content[f"{labels}{number}.xml"] = voc(f"{(number + 1) % 3}{ending}", "cat 3 4 10 12")
    rows = [row for row in make.findings(content) if row.severity == "error"]
    assert [row.kind for row in rows] == ["image-differs"] * 3
    says = (
        f"names {images}1.png: the file is named after {images}0.png, which is there too; if it is about that, write"
    )
    assert f"{says} '0.png' here; if not, rename the file" in str(rows[0])
    del content[f"{images}0.png"]  # one name without an image: a name of its own is no mistake
    content[f"{labels}2.xml"] = voc("2.png")
    del content[f"{labels}1.xml"]
    assert [image.path for image in make.read(content).images] == [f"{images}1.png", f"{images}2.png"]


NUMBERS = range(4)


def renumbered(names: list[str], boxes: dict[int, str] | None = None, sizes: bool = False) -> Files:
    """Images 0 to 3, the XML file of each with one of the names inside."""
    files: Files = {}
    for number, name in zip(NUMBERS, names, strict=True):
        width = 40 + number * sizes
        files[f"images/{number}.png"] = picture(number, width=width)
        files[f"annotations/{number}.xml"] = voc(
            name, (boxes or {}).get(number, f"cat {number} 4 10 12"), width=width
        )
    return files


@pytest.mark.parametrize(
    "names",
    [
        ["IMG_7.png", "IMG_8.png", "../x/9.jpg", "C:\\y\\IMG_3"],  # renamed with the images
        ["1.png", "2.png", "3.png", "4.png"],  # numbered anew once the first was deleted
        ["0.png", "0.png", "0.png", "0.png"],  # by a program that knew one name
        ["2.png", "1.png", "2.png", "3.png"],
    ],
)
def test_a_file_is_about_the_image_of_its_name(make: Maker, names: list[str]) -> None:
    """As LabelImg has it, which does not look at the name inside."""
    data = make.read(renumbered(names))
    assert [(one.path, one.label_file) for one in data.images] == [
        (f"images/{n}.png", f"annotations/{n}.xml") for n in NUMBERS
    ]
    (row,) = data.ledger.rows
    wrong = sum(name != f"{number}.png" for number, name in enumerate(names))
    assert (row.kind, row.severity) == ("image-differs", "note")
    assert row.what.startswith(f"{wrong} label file")


@pytest.mark.parametrize("names", [["1.png", "0.png", "3.png", "2.png"], ["1.png", "2.png", "3.png", "0.png"]])
def test_sizes_tell_whose_names_are_right(make: Maker, names: list[str]) -> None:
    """In another order all names have an image; the sizes in the labels fit one reading alone."""
    files = renumbered(names, sizes=True)
    assert [one.label_file for one in make.read(files).images] == [f"annotations/{n}.xml" for n in NUMBERS]
    for number, name in enumerate(names):  # pictures that were given other names
        files[f"images/{name}"] = picture(number, width=40 + number)
    data = make.read(files)
    assert {one.label_file: one.path for one in data.images} == {
        f"annotations/{number}.xml": f"images/{name}" for number, name in enumerate(names)
    }
    assert not data.ledger.rows


@pytest.mark.parametrize(
    ("names", "gone", "boxes", "wrong"),
    [
        (["1.png", "0.png", "2.png", "3.png"], "", None, [0, 1]),
        (["1.png", "2.png", "3.png", "3.png"], "annotations/3.xml", None, [0, 1, 2]),
        (["3.png", "1.png", "2.png", "3.png"], "", {0: "cat 3 4 10 12"}, [0]),
    ],
)
def test_two_readings_of_names_stay_a_mistake(
    make: Maker, names: list[str], gone: str, boxes: dict[int, str] | None, wrong: list[int]
) -> None:
    """In another order, with an image of no other file at the end, or with a copy of the other's boxes."""
    files = renumbered(names, boxes)
    files.pop(gone, None)
    rows = [row for row in make.findings(files) if row.severity == "error" and row.kind != "label-missing"]
    assert [(row.kind, row.file) for row in rows] == [("image-differs", f"annotations/{n}.xml") for n in wrong]


def test_xml_of_something_else_is_a_note(make: Maker) -> None:
    """Files of a repository about the labels; one with an image's name is a label that is wrong."""
    files = renumbered(["0.png", "1.png", "2.png", "3.png"])
    data = make.read(files | {"pom.xml": "<project/>", "labels.xml": "<labels><cat/></labels>"})
    assert [(row.file, row.severity) for row in data.ledger.rows] == [("labels.xml", "note"), ("pom.xml", "note")]
    (row, _) = make.findings(files | {"annotations/3.xml": "<project/>"})
    assert (row.kind, row.severity) == ("xml", "error")


def test_what_is_not_read_of_a_repository_is_one_note(make: Maker) -> None:
    """Code and documents hold no labels; TensorFlow's records do, in a form that nothing here reads."""
    files = renumbered(["0.png", "1.png", "2.png", "3.png"])
    files |= dict.fromkeys(["README.md", "LICENSE", "xml_to_csv.py", "draw.ipynb", "requirements.txt"], "text")
    files |= dict.fromkeys([".git/config", "training/ssd.config", "data/train.record", "data/test.record"], "text")
    files |= {"training/map.pbtxt": "".join(f"item {{ id: {n + 1} name: '{n}' }}\n" for n in NUMBERS)}
    lines = [f"{n}.png,{40},{20},{n},4,10,12,18" for n in NUMBERS]
    files |= {f"annotations/{n}.xml": voc(f"{n}.png", f"{n} 4 10 12 18") for n in NUMBERS}
    head = "filename,width,height,class,xmin,ymin,xmax,ymax"
    for name, some in (("labels", lines), ("train_labels", lines[:3]), ("test_labels", lines[3:])):
        files[f"data/{name}.csv"] = "\n".join([head, *some])
    data = make.read(files)
    assert [one.splits for one in data.images] == [("train",)] * 3 + [("test",)]
    others = "3 files of other tools: data/test.record, data/train.record, training/ssd.config"
    assert [row.what for row in data.ledger.rows if row.kind == "not-read"] == [others]
    assert {row.severity for row in data.ledger.rows} == {"note"}


@pytest.mark.parametrize("folder", ["train", "valid", "test"])
def test_folders_are_splits_where_no_lists_are(make: Maker, folder: str) -> None:
    content: Files = {f"{folder}/train.png": picture(), f"{folder}/train.xml": voc("train.png", "cat 3 4 10 12")}
    assert make.read(content).images[0].splits == ({"valid": "val"}.get(folder, folder),)
    data = make.read(content | {"ImageSets/Main/val.txt": "train\n"})
    assert data.images[0].splits == ("val",)


def test_a_list_of_no_split_leaves_the_folders_their_splits(make: Maker) -> None:
    """A set as `convert` and `next` write it, beside an official test set. Names of images may be the same."""
    old: Files = {}
    for number, folder in enumerate(("train", "test")):
        old[f"{folder}/{number}.png"] = picture(number)
        old[f"{folder}/{number}.xml"] = voc(f"{number}.png", "cat 3 4 10 12")
    new: Files = {"new/JPEGImages/0.png": picture(2), "new/Annotations/0.xml": voc("0.png", "cat 3 4 10 12")}
    data = make.read(old | new | {"new/ImageSets/Main/default.txt": "0\n"})
    assert {one.path: one.splits for one in data.images if one.path in old} == {
        "test/1.png": ("test",),
        "train/0.png": ("train",),
    }
    data = make.read(old | new | {"new/ImageSets/Main/val.txt": "0\n"})
    assert [one.splits for one in data.images] == [("val",), ("test",), ("train",)]


@pytest.mark.parametrize(
    "names",
    [("train.lst", "test.lst"), ("training.txt", "testing.txt"), ("Train.txt", "TEST.list"), ("train", "test")],
)
def test_lists_of_other_names(make: Maker, names: tuple[str, str]) -> None:
    content: Files = {"ImageSets/Main/trainval.txt": "0\n1\n", "ImageSets/Main/cat_train.txt": "0 1\n"}
    for number, name in enumerate(names):
        content[f"JPEGImages/{number}.png"] = picture(number)
        content[f"Annotations/{number}.xml"] = voc(f"{number}.png", "cat 3 4 10 12")
        content[f"ImageSets/Main/{name}"] = f"{number}\n"
    data = make.read(content)
    assert [one.splits for one in data.images] == [("train",), ("test",)]
    assert data.ledger.rows == []


def test_lists_of_no_split_are_told_if_there_are_no_others(make: Maker) -> None:
    files_ = files("cat 3 4 10 12", **{"ImageSets/Main/night.txt": "a\n", "ImageSets/Main/default.txt": "a\n"})
    found = make.findings(files_)
    assert [(row.file, row.kind, row.severity) for row in found] == [
        ("ImageSets/Main/night.txt", "list-of-no-split", "note")
    ]
    assert make.findings(files_ | {"ImageSets/Main/train.txt": "a\n"}) == []


def test_a_list_of_no_split_beside_other_images_gets_no_warning(make: Maker) -> None:
    content: Files = {"ImageSets/Main/default.txt": "1\n2\n"}
    for number in (1, 2):
        content |= {f"JPEGImages/{number}.png": picture(number), f"Annotations/{number}.xml": voc(f"{number}.png")}
    flat: Files = {"0.png": picture(0), "0.xml": voc("0.png", "cat 3 4 10 12")}
    data = make.read(flat | {f"to-correct/{name}": text for name, text in content.items()})
    assert len(data.images) == 3
    assert data.ledger.rows == []


def test_one_based_is_declared(make: Maker) -> None:
    data = make.read(files("cat 1 1 40 20"), one_based=True)
    assert data.images[0].boxes.tolist() == [[0, 0, 40, 20]]


def test_flags_and_lists(make: Maker) -> None:
    text = voc("a.png", "cat 1 2 3 4").replace("<difficult>0", "<difficult>1").replace("<truncated>0", "<truncated>1")
    data = make.read(
        files(**{"Annotations/a.xml": text, "ImageSets/Main/train.txt": "a\n", "ImageSets/Main/trainval.txt": "a\n"})
    )
    assert data.images[0].flags == (frozenset({"difficult", "truncated"}),)
    assert data.images[0].splits == ("train",)


def test_a_size_of_nothing_was_not_recorded(make: Maker) -> None:
    data = make.read(files(**{"Annotations/a.xml": voc("a.png", "cat 1 2 3 4", width=0, height=0)}))
    assert [image.labels for image in data.images] == [("cat",)]


def test_one_name_in_two_folders_is_told_by_the_mirrored_path(make: Maker) -> None:
    content: Files = {}
    for number, split in enumerate(("train", "val")):
        content[f"set/images/{split}/001.png"] = picture(number)
        content[f"set/annotations/{split}/001.xml"] = voc("001.png", f"cat {number} 2 30 4")
    data = make.read(content)
    assert [(image.path, image.boxes[0, 0], image.splits) for image in data.images] == [
        ("set/images/train/001.png", 0, ("train",)),
        ("set/images/val/001.png", 1, ("val",)),
    ]


def test_the_labelme_of_the_mit(make: Maker) -> None:
    points = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((3, 4), (10, 5), (8, 12)))
    thing = f"<object><name>\ncat\n</name><deleted>{{}}</deleted><polygon>{points}</polygon></object>"
    text = f"<annotation><filename>a.png</filename>{thing.format(0)}{thing.format(1)}</annotation>"
    assert make.read(files(**{"Annotations/a.xml": text})).images[0].boxes.tolist() == [[3, 4, 10, 12]]


def test_no_object_is_background(make: Maker) -> None:
    data = make.read(files())
    assert data.images[0].boxes.shape == (0, 4)


def test_zip_is_read_as_it_is(make: Maker) -> None:
    content = files("cat 3 4 10 12")
    inside = {f"VOC2007/{name}": value for name, value in content.items()}
    assert make.open(make.archive(inside)).images[0].boxes.tolist() == [[3, 4, 10, 12]]


@pytest.mark.parametrize(
    ("box", "kind", "says"),
    [
        ("cat 3 4 3 12", "zero-area", "no area"),
        ("cat 10 4 3 12", "inverted-box", "not swapped"),
        ("cat -1 4 3 12", "outside-image", "40 x 20"),
        ("cat 3 4 41 12", "outside-image", "on_problem: clip"),
        ("cat nan 4 10 12", "not-a-number", "finite decimal number"),
        ("cat inf 4 10 12", "not-a-number", "'inf'"),
        ("cat 1e999 4 10 12", "not-finite", "1e999"),
        ("cat 3,5 4 10 12", "not-a-number", "decimal point"),
        ("cat 1_0 4 20 12", "not-a-number", "1_0"),
        ("cat \u0663 4 20 12", "not-a-number", "xmin"),
        ("cat 3 4 1e-320 12", "inverted-box", "not swapped"),
    ],
)
def test_bad_boxes(one: Callable[..., Finding], box: str, kind: str, says: str) -> None:
    row = one(files("dog 1 1 5 5", box))
    assert row.kind == kind
    assert row.file == "Annotations/a.xml"
    assert "line" in row.where
    assert says in str(row)
    assert row.done == "box dropped"


@pytest.mark.parametrize("tag", ["Object", "OBJECT", "objects", "obj"])
def test_an_object_under_another_name_is_not_lost(one: Callable[..., Finding], make: Maker, tag: str) -> None:
    text = voc("a.png", "cat 3 4 10 12", "dog 1 1 5 5").replace("object>", f"{tag}>", 2)
    row = one(files(**{"Annotations/a.xml": text}))
    assert (row.kind, row.done) == ("xml", "box dropped")
    assert f"line 4, <{tag}>: <{tag}>: which holds <bndbox>: write <object>" in str(row)
    rest = make.open(make.folder(files(**{"Annotations/a.xml": text})), on_problem="skip_box")
    assert [image.labels for image in rest.images] == [("dog",)]


def test_unknown_class_names_the_nearest(one: Callable[..., Finding]) -> None:
    row = one(files("catt 1 1 5 5"), classes=("cat", "dog"))
    assert row.kind == "unknown-class"
    assert "did you mean cat?" in str(row)


def test_clip_cuts_and_says_so(one: Callable[..., Finding], make: Maker) -> None:
    content = files("cat 30 4 44.5 25")
    assert one(content, on_problem="clip").done == "cut to (30, 4, 40, 20)"
    assert make.read(content, on_problem="clip").images[0].boxes.tolist() == [[30, 4, 40, 20]]


def test_clip_does_not_make_boxes_of_what_is_wholly_outside(one: Callable[..., Finding]) -> None:
    assert one(files("dog 1 1 5 5", "cat 50 4 60 10"), on_problem="clip").done == "box dropped"


def test_the_same_box_twice(one: Callable[..., Finding]) -> None:
    row = one(files("cat 1 2 3 4", "cat 1 2 3 4"))
    assert row.kind == "duplicate-box"
    assert "object 1" in row.why


XML_BOMB = '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><annotation><filename>&c;</filename></annotation>'
EXTERNAL = '<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation><filename>a.png</filename></annotation>'


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("<annotation><filename>a.png</filename>", "xml", "well-formed"),
        (XML_BOMB, "xml", "DTD"),
        (EXTERNAL, "xml", "DTD"),
        ("<annotation>" + "<a>" * 100_000, "xml", "levels"),
        ("<annotation></annotation>", "xml", "<filename>"),
        (voc("a.png", width=41), "size-differs", "41 x 20"),
        (voc("a.png", width=0), "size-differs", "0 x 20"),
        ("<annotation><filename>a.png</filename><object><name>x</name></object></annotation>", "xml", "<bndbox>"),
    ],
)
def test_bad_files(make: Maker, text: str, kind: str, says: str) -> None:
    content = files(
        **{"Annotations/a.xml": text, "JPEGImages/ok.png": picture(1), "Annotations/ok.xml": voc("ok.png")}
    )
    rows = make.findings(content, format="voc")
    assert rows[0].kind == kind
    assert says in str(rows[0])
    assert {row.kind for row in rows[1:]} <= {"label-missing"}


def test_every_problem_is_told_at_once(make: Maker) -> None:
    with pytest.raises(Exception, match="3 problems") as error:
        make.read(files("cat 1 1 1 1", "dog 9 9 5 5", **{"JPEGImages/b.png": picture(1)}))
    assert "JPEGImages/b.png" in str(error.value)


def test_two_label_files_for_one_image(one: Callable[..., Finding]) -> None:
    assert one(files("cat 1 1 5 5", **{"Annotations/b.xml": voc("a.png")})).kind == "labelled-twice"


def test_a_list_that_names_nothing(one: Callable[..., Finding]) -> None:
    row = one(files("cat 1 1 5 5", **{"ImageSets/Main/val.txt": "a\nb\n"}))
    assert (row.kind, row.where) == ("list-points-nowhere", "line 2")


@pytest.mark.skipif(not BCCD.is_dir(), reason="the BCCD folder is not here")
@pytest.mark.slow
def test_bccd_has_two_boxes_without_area() -> None:
    data = read_labelled(BCCD, ReadOptions(on_problem="skip_box"))
    assert [(row.kind, row.file) for row in data.ledger.rows] == [
        ("zero-area", "Annotations/BloodImage_00338.xml"),
        ("zero-area", "Annotations/BloodImage_00343.xml"),
    ]
    assert len(data.images) == 364
    assert sum(len(record.labels) for record in data.images) == 4886
    splits = [split for record in data.images for split in record.splits]
    assert {split: splits.count(split) for split in splits} == {"train": 205, "val": 87, "test": 72}
    assert np.isfinite(np.concatenate([record.boxes for record in data.images])).all()


def test_supervision_adds_1_to_all_corners(make: Maker) -> None:
    """The folder is empty in Roboflow's own export, which adds nothing."""
    source = "<source><database>roboflow.ai</database></source>"
    text = voc("a.png", "cat 1 1 41 21")
    ours = text.replace("<filename>", f"<folder>VOC</folder>{source}<filename>")
    data = make.read({"a.xml": ours, "a.png": picture()}, one_based=False)
    assert data.images[0].boxes.tolist() == [[0, 0, 40, 20]]
    assert [(row.kind, row.severity) for row in data.ledger.rows] == [("one-based", "note")]
    export = voc("a.png", "cat 1 1 40 20").replace("<filename>", f"<folder></folder>{source}<filename>")
    data = make.read({"a.xml": export, "a.png": picture()})
    assert data.images[0].boxes.tolist() == [[1, 1, 40, 20]]
    assert not data.ledger.rows


def test_two_sources_cost_no_box_and_are_looked_at_once(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Mock(wraps=voc_format._is_by_supervision)
    monkeypatch.setattr(voc_format, "_is_by_supervision", judge)
    source = "<folder>VOC</folder>" + "<source><database>x</database></source>" * 2
    text = voc("a.png", "cat 3 4 10 12", "cat 5 6 10 12").replace("<annotation>", f"<annotation>{source}")
    data = make.read(files(**{"Annotations/a.xml": text}))
    assert data.images[0].boxes.tolist() == [[3, 4, 10, 12], [5, 6, 10, 12]]
    assert judge.call_count == 1


@pytest.mark.parametrize("given", [(), ("Ka\u0308fer",), ("K\u00e4fer",)])
def test_two_unicode_forms_of_a_name_are_one_class(make: Maker, given: tuple[str, ...]) -> None:
    """A Mac and Windows write the same letters otherwise. Nobody would see two classes of one name."""
    files: Files = {}
    for place, name in enumerate(("K\u00e4fer", "Ka\u0308fer")):
        files |= {f"{place}.png": picture(place), f"{place}.xml": voc(f"{place}.png", f"{name} 1 2 30 14")}
    data = make.read(files, classes=given)
    assert data.classes == (given or ("K\u00e4fer",))
    assert [one.labels for one in data.images] == [data.classes] * 2


@pytest.mark.parametrize("name", ["K\u00e4fer", "Ka\u0308fer"])
def test_a_name_of_one_form_stays_as_it_is_written(make: Maker, name: str) -> None:
    """Detections and models that were made with these labels have it so."""
    assert make.read({"a.png": picture(), "a.xml": voc("a.png", f"{name} 1 2 30 14")}).classes == (name,)
