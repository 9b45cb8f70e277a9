"""TensorFlow's `label_map.pbtxt` beside labels in XML and CSV."""

import pytest
from folders import Files, Maker, picture, voc

MAPS = {
    "plain": "item {\n  id: 1\n  name: 'cat'\n}\nitem {\n  id: 2\n  name: 'big dog'\n}\n",
    "comments": "# of cats\nitem { # the first\n  id: 1\n  name: 'cat' }\nitem: { id: 2 name: 'big dog' } # last\n",
    "one line": 'item { name: "cat", id: 1 } item { name: "big dog" id: 2 }',
    "ids of Open Images": 'item { name: "/m/1" id: 1 display_name: "cat" } '
    'item { name: "/m/2" id: 2 display_name: "big dog" }',
}
HEADS = {
    "own": "filename,width,height,class,xmin,ymin,xmax,ymax",
    "number": "image,width,height,class_id,x1,y1,x2,y2",
}
PICTURES: Files = {"a.png": picture(), "b.png": picture(1)}
NAMES = ("big dog", "cat")


def numbered(form: str) -> Files:
    if form == "voc":
        return {"a.xml": voc("a.png", "1 1 2 3 4"), "b.xml": voc("b.png", "2 1 2 3 4")}
    return {"l.csv": f"{HEADS[form]}\na.png,40,20,1,1,2,3,4\nb.png,40,20,2,1,2,3,4\n"}


@pytest.mark.parametrize("form", ["voc", *HEADS])
@pytest.mark.parametrize("written", MAPS)
def test_it_names_class_numbers(make: Maker, form: str, written: str) -> None:
    data = make.read(PICTURES | numbered(form) | {"training/labelmap.pbtxt": MAPS[written]})
    assert [one.labels for one in data.images] == [("cat",), ("big dog",)]
    assert data.classes == NAMES
    assert {row.severity for row in data.ledger.rows} == {"note"}


@pytest.mark.parametrize(("label", "told"), [("cat", []), ("big_dog", ["without 'big_dog'"]), ("3", ["without '3'"])])
def test_it_is_silent_if_it_agrees(make: Maker, label: str, told: list[str]) -> None:
    """A class that no box has is none of the dataset."""
    files = PICTURES | {"a.xml": voc("a.png", f"{label} 1 2 3 4"), "b.xml": voc("b.png", "cat 1 2 3 4")}
    data = make.read(files | {"label_map.pbtxt": MAPS["plain"]})
    assert data.images[0].labels == (label,)
    assert data.classes == tuple(sorted({label, "cat"}))
    assert [(row.what, row.severity) for row in data.ledger.rows] == [(text, "note") for text in told]


def test_two_that_differ_and_given_classes(make: Maker) -> None:
    files = PICTURES | numbered("own") | {"a.pbtxt": MAPS["plain"]}
    other = MAPS["plain"].replace("cat", "ox")
    assert make.read(files | {"b.pbtxt": other}).classes == ("1", "2")
    assert make.read(files | {"b.pbtxt": "model { ssd { num_classes: 2 } }"}).classes == NAMES
    assert make.read(files, classes=("a", "ox", "cow")).images[0].labels == ("ox",)


@pytest.mark.parametrize("form", HEADS)
def test_numbers_that_count_from_0_are_not_those_of_a_map_from_1(make: Maker, form: str) -> None:
    files = PICTURES | numbered(form) | {"label_map.pbtxt": MAPS["plain"]}
    files["l.csv"] = str(files["l.csv"]).replace(",20,1,", ",20,0,").replace(",20,2,", ",20,1,")
    labels = {label for image in make.read(files, on_problem="skip_box").images for label in image.labels}
    assert not labels & {*NAMES}
