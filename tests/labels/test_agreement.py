"""Several label sets of one folder: read as one if they say the same, else refused with the first difference."""

import json

import pytest
from folders import Files, Maker, picture, read_labelled, voc
from PIL import Image
from repository import ROOT

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions

SHARED = ROOT.parent / "shared/data"
PICTURES: Files = {"a.png": picture(), "b.png": picture(1)}  # 40 x 20
XML: Files = {"a.xml": voc("a.png", "cat 2 4 12 14", "dog 20 4 30 14"), "b.xml": voc("b.png", "dog 1 2 11 12")}
TXT: Files = {"a.txt": "0 0.175 0.45 0.25 0.5\n1 0.625 0.45 0.25 0.5\n", "b.txt": "1 0.15 0.35 0.25 0.5\n"}
NAMES: Files = {"classes.txt": "cat\ndog\n"}
ROWS = ["a.png,cat,2,4,12,14", "a.png,dog,20,4,30,14", "b.png,dog,1,2,11,12"]


def csv(*rows: str, name: str = "labels.csv", head: str = "filename,class,xmin,ymin,xmax,ymax") -> Files:
    return {name: "\n".join([head, *rows, ""])}


def content(data: LabelledSet) -> list[tuple[str, list[tuple[str, tuple[float, ...]]]]]:
    """The labels of each image, in pixels to three decimals, in any order."""
    return [
        (one.path, sorted(zip(one.labels, [tuple(row) for row in one.boxes.round(3).tolist()], strict=True)))
        for one in data.images
    ]


def refused(make: Maker, files: Files, **options: object) -> str:
    with pytest.raises(UserError) as error:
        make.read(files, **options)
    assert not isinstance(error.value, ProblemsError)
    return str(error.value)


@pytest.mark.parametrize(
    ("first", "second", "formats"),
    [
        (XML, csv(*ROWS), ["voc", "csv"]),
        (XML, TXT | NAMES, ["voc", "yolo"]),
        (TXT | NAMES, csv(*ROWS), ["yolo", "csv"]),
    ],
)
def test_two_sets_that_agree_are_read_as_the_first(
    make: Maker, first: Files, second: Files, formats: list[str]
) -> None:
    data = make.read(PICTURES | first | second)
    assert data.format == formats[0]
    assert f"{formats[1]} (" in data.why
    assert data.why.endswith("says the same")
    assert [(row.kind, row.severity) for row in data.ledger.rows] == [("label-sets", "note")]
    for one, format_ in ((first, formats[0]), (second, formats[1])):
        assert content(data) == content(make.read(PICTURES | one, format=format_))


def test_three_sets(make: Maker) -> None:
    data = make.read(PICTURES | XML | TXT | NAMES | csv(*ROWS))
    assert data.format == "voc"
    assert data.why.count("says the same") == 2


def test_the_format_told_is_read_alone(make: Maker) -> None:
    other = csv("a.png,cat,2,4,12,19")
    assert make.read(PICTURES | XML | other, format="voc").ledger.rows == []


def test_order_of_boxes_and_files_does_not_matter(make: Maker) -> None:
    data = make.read(PICTURES | XML | csv(*reversed(ROWS)))
    assert "says the same" in data.why


def test_a_pixel_is_rounding(make: Maker) -> None:
    """Pixels counted from 1 in one set, and fractions of few digits, are no difference; two pixels are."""
    assert "same" in make.read(PICTURES | XML | csv(*ROWS), one_based=True).why
    off = [row.replace("2,4,12,14", "3,5,13,15") for row in ROWS]
    assert "same" in make.read(PICTURES | XML | csv(*off)).why
    off = [row.replace("2,4,12,14", "2,4,12,16") for row in ROWS]
    assert "differ" in refused(make, PICTURES | XML | csv(*off))


def test_a_difference_names_both_places(make: Maker) -> None:
    text = refused(make, PICTURES | XML | csv(ROWS[0], "a.png,dog,20,4,30,18", "b.png,cat,1,2,11,12"))
    assert "a.png: a.xml, object 2 (line 5), says 'dog' (20, 4, 30, 14); labels.csv, line 3, says 'dog' (20" in text
    assert "and 1 more of the images differ" in text
    assert "Say which to read (--format of a command, format in params.yaml), or correct one" in text


def test_a_class_that_differs(make: Maker) -> None:
    files = PICTURES | TXT | NAMES | csv("a.png,cat,2,4,12,14", "a.png,cat,20,4,30,14", ROWS[2])
    assert "a.txt, line 2, says 'dog' (20, 4, 30, 14); labels.csv, line 3, says 'cat' (20" in refused(make, files)


def test_numbers_of_boxes_that_differ(make: Maker) -> None:
    text = refused(make, PICTURES | XML | csv(ROWS[0], ROWS[2]))
    assert "a.png: a.xml has 2 boxes; labels.csv, line 2, has 1 box" in text


def test_a_box_twice_is_not_two_boxes(make: Maker) -> None:
    """Each box of one set stands for one of the other."""
    files = PICTURES | {"a.xml": voc("a.png", "cat 2 4 12 14", "cat 2 4 12 13"), "b.xml": XML["b.xml"]}
    text = refused(make, files | csv(ROWS[0], "a.png,cat,22,4,32,14", ROWS[2]))
    assert "object 2" in text


def test_a_set_of_some_of_the_images(make: Maker) -> None:
    """The table is older than the last XML."""
    data = make.read(PICTURES | XML | csv(*ROWS[:2]))
    assert content(data) == content(make.read(PICTURES | XML))
    assert data.why.endswith("csv (labels.csv) says the same of the 1 image that it has")
    assert data.format == "voc"


def test_sets_that_share_no_image_are_joined(make: Maker) -> None:
    """LabelImg was switched from XML to text half way."""
    files = PICTURES | {"a.xml": XML["a.xml"], "b.txt": TXT["b.txt"]} | NAMES
    data = make.read(files)
    assert content(data) == content(make.read(PICTURES | XML))
    assert data.format == "voc, yolo"
    assert data.why.endswith("; yolo (b.txt) has 1 other")
    assert [str(row) for row in data.ledger.rows] == [
        "voc (a.xml) has 1 image; yolo (b.txt) has 1 other: all are read, as one set"
    ]
    assert data.classes == ("cat", "dog")


@pytest.mark.parametrize("cut", range(1, 4))
@pytest.mark.parametrize("overlap", range(2))
def test_no_image_is_lost_where_sets_meet(make: Maker, cut: int, overlap: int) -> None:
    """Any part of the images in one format, the rest in another, some in both: as all of them in one."""
    names = [f"{number}.png" for number in range(5)]
    pictures: Files = {name: picture(number) for number, name in enumerate(names)}
    xml = {f"{name[0]}.xml": voc(name, f"dog {number + 1} 2 {number + 11} 12") for number, name in enumerate(names)}
    rows = [f"{name},dog,{number + 1},2,{number + 11},12" for number, name in enumerate(names)]
    whole = content(make.read(pictures | xml))
    some = dict([*xml.items()][: cut + overlap])
    data = make.read(pictures | some | csv(*rows[cut:]))
    assert content(data) == whole
    [row] = data.ledger.rows
    assert row.kind == "label-sets"
    assert f"{5 - cut - overlap} other" in row.what or f"{cut} other" in row.what
    assert ("says the same of 1 image, and has" in row.what) == bool(overlap)


def test_three_sets_are_joined(make: Maker) -> None:
    pictures = PICTURES | {"c.png": picture(2)}
    files = pictures | {"a.xml": XML["a.xml"], "b.txt": TXT["b.txt"]} | NAMES | csv("c.png,bird,1,2,11,12")
    data = make.read(files)
    assert [(one.path, one.labels) for one in data.images] == [
        ("a.png", ("cat", "dog")),
        ("b.png", ("dog",)),
        ("c.png", ("bird",)),
    ]
    assert data.format == "voc, yolo, csv"
    assert data.classes == ("cat", "dog", "bird")  # those of the list first


def test_numbers_of_other_images_need_names(make: Maker) -> None:
    """What a number means is known from a list of classes alone."""
    files = PICTURES | {"a.xml": XML["a.xml"], "b.txt": TXT["b.txt"]}
    text = refused(make, files)
    assert "yolo (b.txt) has class numbers alone, and labels 1 image that voc (a.xml) does not" in text
    assert "Add classes.txt" in text
    assert refused(make, files | {"a.txt": TXT["a.txt"]})  # the numbers of shared images are no list
    assert content(make.read(files, classes=("cat", "dog"))) == content(make.read(PICTURES | XML))


def test_mistakes_of_sets_that_share_no_image_are_told_one_by_one(make: Maker) -> None:
    files = PICTURES | {"a.xml": XML["a.xml"], "b.txt": TXT["b.txt"] + "7 0.5 0.5 0.1 0.1\n"} | NAMES
    with pytest.raises(ProblemsError, match=r"b\.txt: line 2: class 7"):
        make.read(files)
    assert [one.path for one in make.read(files, on_problem="skip").images] == ["a.png"]
    both = make.read(files, on_problem="skip_box")
    assert [one.labels for one in both.images] == [("cat", "dog"), ("dog",)]


def test_an_image_that_no_set_speaks_of_is_told_once(make: Maker) -> None:
    files = PICTURES | {"c.png": picture(2), "a.xml": XML["a.xml"], "b.txt": TXT["b.txt"]} | NAMES
    data = make.open(make.folder(files), on_problem="skip")
    assert [(row.file, row.kind) for row in data.ledger.errors] == [("c.png", "label-missing")]
    assert len(data.images) == 2


def test_lists_of_joined_sets_name_images_of_each(make: Maker) -> None:
    """Darknet's lists are read with the text, and name pictures that have XML too."""
    files = PICTURES | {"a.xml": XML["a.xml"], "b.txt": TXT["b.txt"]} | NAMES
    data = make.read(files | {"train.txt": "b.png\n", "test.txt": "a.png\n"})
    assert [(one.path, one.splits) for one in data.images] == [("a.png", ("test",)), ("b.png", ("train",))]
    assert [row.kind for row in data.ledger.rows] == ["label-sets"]


def test_background_needs_no_line_in_both(make: Maker) -> None:
    """The tutorial's tables have a line a box, and none for an image without."""
    more: Files = {"c.png": picture(2), "c.xml": voc("c.png")}
    data = make.read(PICTURES | XML | more | csv(*ROWS))
    assert [len(one.labels) for one in data.images] == [2, 1, 0]
    assert [len(one.labels) for one in make.read(PICTURES | more | XML | csv(*ROWS, "c.png,,,,,")).images] == [
        2,
        1,
        0,
    ]
    rest = {name: text for name, text in (XML | more).items() if name != "c.xml"}
    assert make.read(PICTURES | rest | csv(*ROWS, "c.png,,,,,")).format == "csv"  # it speaks of more


def test_background_of_the_other_set_is_kept(make: Maker) -> None:
    """Each set declares one that the other does not speak of."""
    more: Files = {"c.png": picture(2), "c.xml": voc("c.png"), "d.png": picture(3)}
    data = make.read(PICTURES | more | XML | csv(*ROWS, "d.png,,,,,"))
    assert [(one.path, one.labels) for one in data.images][2:] == [("c.png", ()), ("d.png", ())]
    assert data.format == "voc"
    assert [(row.file, row.kind) for row in data.ledger.rows if row.kind != "label-sets"] == [
        ("d.png", "background-taken")
    ]
    [row] = make.findings(PICTURES | more | XML | csv(*ROWS), on_problem="skip", format="voc")
    assert (row.file, row.kind) == ("d.png", "label-missing")  # declared by none


def test_flags_of_the_other_set_are_kept(make: Maker) -> None:
    """YOLO text, which speaks of more images, has no word for difficult boxes."""
    hard = XML["a.xml"].replace("<difficult>0", "<difficult>1", 1)
    files = PICTURES | TXT | NAMES | {"c.png": picture(2), "c.txt": "", "a.xml": hard, "b.xml": XML["b.xml"]}
    data = make.read(files)
    assert data.format == "yolo"
    assert [one.flags for one in data.images] == [(frozenset({"difficult"}), frozenset()), (frozenset(),), ()]
    assert [(row.file, row.kind) for row in data.ledger.rows if row.kind != "label-sets"] == [
        ("a.png", "flags-taken")
    ]


def test_classes_without_names_are_compared_by_their_order(make: Maker) -> None:
    data = make.read(PICTURES | XML | TXT)
    assert data.format == "voc"
    assert "yolo (a.txt) says the same, with 0 as cat, 1 as dog" in data.why
    swapped = TXT | {"b.txt": "0 0.15 0.35 0.25 0.5\n"}
    text = refused(make, PICTURES | XML | swapped)
    assert "with 0 as cat, 1 as dog" in text
    assert "b.xml, object 1 (line 4), says 'dog' (1, 2, 11, 12); b.txt, line 1, says 'cat' (1, 2" in text


def test_two_numbers_are_not_one_class(make: Maker) -> None:
    text = refused(
        make, PICTURES | {"a.xml": XML["a.xml"], "b.xml": XML["b.xml"]} | TXT | {"b.txt": "2 0.15 0.35 0.25 0.5"}
    )
    assert "says 'class 2'" in text


def test_mistakes_of_one_set(make: Maker) -> None:
    text = refused(make, PICTURES | XML | csv(ROWS[0], "a.png,dog,twenty,4,30,14", "b.png,dog,1,2,11,x"))
    assert "csv has mistakes: labels.csv: line 3: 'twenty': xmin must be a finite" in text
    assert "and 1 more" in text


@pytest.mark.parametrize(
    "wrong", [{"d.txt": "9 0.5 0.5 0.1 0.1\n"}, {"d.txt": b"0 \xff\n"}, {"c.xml": "<annotation>"}], ids=repr
)
def test_a_mistake_in_an_image_of_one_set_alone_stops_no_other(make: Maker, wrong: Files) -> None:
    """Both sets speak of a and b, XML alone of c, text alone of d."""
    more = {f"{name}.png": picture(n) for n, name in enumerate("cd", 7)}
    more |= {"c.xml": voc("c.png", "cat 1 2 3 4"), "d.txt": "0 0.5 0.5 0.1 0.1\n"}
    files = PICTURES | XML | TXT | NAMES | more
    assert len(make.read(files).images) == 4
    read = make.read(files | wrong, on_problem="skip")
    [file] = wrong
    assert [image.path for image in read.images] == sorted({"a.png", "b.png", "c.png", "d.png"} - {f"{file[0]}.png"})
    assert file in {row.file for row in read.ledger.errors}


def test_a_mistake_in_an_image_of_both_sets_stops(make: Maker) -> None:
    wrong = {"a.txt": "9 0.5 0.5 0.1 0.1\n"}
    assert "yolo has mistakes: a.txt: line 1: class 9" in refused(make, PICTURES | XML | TXT | NAMES | wrong)


@pytest.mark.parametrize(("names", "told"), [("Cat\ndog\n", True), ("cat\ndog\n", False), ("bird\ndog\n", False)])
def test_class_names_that_differ_by_case_alone_are_told_of_joined_sets(make: Maker, names: str, told: bool) -> None:
    """The tool was switched, and with it the spelling."""
    files = PICTURES | {"a.xml": XML["a.xml"], "b.txt": "0 0.5 0.5 0.25 0.5\n", "classes.txt": names}
    [row] = [row for row in make.read(files).ledger.rows if row.kind == "label-sets"]
    assert ("; cat and Cat differ by case alone" in row.why or "; Cat and cat differ" in row.why) == told
    assert row.why.startswith("all are read, as one set")


def test_a_set_that_speaks_of_no_image(make: Maker) -> None:
    """A list of class names left in the folder is no label set."""
    data = make.read(PICTURES | XML | {"obj.names": "cat\n"})
    assert data.format == "voc"
    assert "speaks of no image" in data.why


def test_lists_of_the_other_set_are_kept(make: Maker) -> None:
    """The tutorial divides images by its two tables; the XML knows nothing of it."""
    tables = csv(*ROWS[:2], name="train_labels.csv") | csv(ROWS[2], name="test_labels.csv")
    data = make.read(PICTURES | XML | tables)
    assert [one.splits for one in data.images] == [("train",), ("test",)]
    whole = make.read(PICTURES | XML | tables | csv(*ROWS, name="whole.csv"))  # and a table of both
    assert [one.splits for one in whole.images] == [("train",), ("test",)]


def test_lists_that_differ_are_told(make: Maker) -> None:
    files = {f"train/{name}": value for name, value in (PICTURES | XML).items()}
    rows = [f"train/{row},{split}" for row, split in zip(ROWS, ("train", "train", "test"), strict=True)]
    data = make.read(files | csv(*rows, head="filename,class,xmin,ymin,xmax,ymax,split"))
    [row] = [row for row in data.ledger.rows if row.severity == "warning"]
    assert row.file == "train/b.png"
    assert "in train by voc" in row.what
    assert "says test" in row.why


def test_pictures_that_are_damaged_have_their_own_line(make: Maker) -> None:
    """Fractions need the size of a picture, which a plain table does not state."""
    files = PICTURES | TXT | NAMES | csv(*ROWS) | {"b.png": b"nothing"}
    [row] = make.open(make.folder(files), on_problem="skip").ledger.errors
    assert row.kind == "image-unreadable"


def test_sizes_come_from_the_picture_as_it_is_displayed(make: Maker) -> None:
    """EXIF 6: stored as 40 x 20, displayed as 20 x 40."""
    exif = Image.Exif()
    exif[0x0112] = 6
    files: Files = {"a.jpg": picture(kind="JPEG", exif=exif), "classes.txt": "cat\n", "a.txt": "0 0.5 0.5 0.5 0.25\n"}
    table = csv("a.jpg,cat,5,15,15,25")
    assert "same" in make.read(files | table, exif="displayed").why
    assert "differ" in refused(make, files | table, exif="stored")


def test_coco_beside_xml(make: Maker) -> None:
    images = [{"id": n, "file_name": name, "width": 40, "height": 20} for n, name in enumerate(PICTURES)]
    boxes = [(0, 1, [2, 4, 10, 10]), (0, 2, [20, 4, 10, 10]), (1, 2, [1, 2, 10, 10])]
    notes = [{"id": n, "image_id": i, "category_id": c, "bbox": box} for n, (i, c, box) in enumerate(boxes)]
    root = {
        "images": images,
        "annotations": notes,
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    assert "coco (all.json) says the same" in make.read(PICTURES | XML | {"all.json": json.dumps(root)}).why


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of real data is not here")
@pytest.mark.parametrize(("name", "images", "boxes"), [("cards", 363, 670), ("boards", 149, 177)])
def test_photographs_with_xml_beside_csv_are_read_as_they_come(name: str, images: int, boxes: int) -> None:
    data = read_labelled(SHARED / name / "images", ReadOptions(on_problem="skip_box"))
    assert len(data.images) == images
    assert sum(len(one.labels) for one in data.images) == boxes
    assert data.format == "voc"
    (note,) = data.ledger.rows
    assert str(note).startswith("csv (test_labels.csv) says the same: voc (test/IMG_")


def test_a_table_of_all_images_may_be_called_test(make: Maker) -> None:
    """As in BCCD, where it is of a program's test."""
    files = {name.replace("a.", "train/a.").replace("b.", "val/b."): file for name, file in (PICTURES | XML).items()}
    data = make.read(files | csv(*ROWS, name="test.csv"))
    assert [one.splits for one in data.images] == [("train",), ("val",)]
    assert [row.kind for row in data.ledger.rows] == ["label-sets"]


def test_a_table_may_name_images_that_are_gone(make: Maker) -> None:
    """Made of the XML before somebody sorted pictures out; the XML has all that is here."""
    data = make.read(PICTURES | XML | csv(*ROWS, "gone.png,cat,1,2,3,4"))
    assert content(data) == content(make.read(PICTURES | XML))
    [row] = data.ledger.rows
    assert (row.kind, row.severity) == ("label-sets", "note")
    assert "says the same, and names 1 image that is not here" in row.what
    gone = make.read(PICTURES | XML | csv("gone.png,cat,1,2,3,4", "far.png,cat,1,2,3,4"))
    assert gone.ledger.rows[0].what.endswith("ymin, xmax, ymax) names 2 images that are not here")
    rows = make.findings(PICTURES | {"a.xml": XML["a.xml"]} | csv(*ROWS, "gone.png,cat,1,2,3,4"))
    assert [row.file for row in rows if row.severity == "error"] == ["labels.csv"]  # read for b.png, and so looked at


def test_images_that_tables_of_train_and_test_do_not_have_are_of_train(make: Maker) -> None:
    """Labelled after the tables were made."""
    files = PICTURES | XML | {"c.png": picture(2), "c.xml": voc("c.png", "cat 1 2 9 9")}
    files |= csv(*ROWS[:2], name="data/train_labels.csv") | csv(ROWS[2], name="data/test_labels.csv")
    data = make.read(files)
    assert [(one.splits, one.unlisted) for one in data.images] == [
        (("train",), False),
        (("test",), False),
        (("train",), True),
    ]
