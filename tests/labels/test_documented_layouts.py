"""The layouts that docs/labels.md and docs/splits.md show, made and read; the formats of docs/label-formats.md."""

import re

import pytest
from folders import Files, Maker, picture, voc
from repository import ROOT

from humbleyolo.labels.formats.registry import FORMATS

LABELS = (ROOT / "docs/labels.md").read_text(encoding="utf-8")
COCO = """{"images": [{"id": 1, "file_name": "images/a.jpg", "width": 40, "height": 20},
{"id": 2, "file_name": "images/b.jpg", "width": 40, "height": 20}], "categories": [{"id": 1, "name": "cat"}],
"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 2, 16, 10]},
{"id": 2, "image_id": 2, "category_id": 1, "bbox": [4, 2, 16, 10]}]}"""


def layout(title: str) -> list[str]:
    """Return the files that the page shows under a title, without the folder of all."""
    _, found = LABELS.split(f"**{title}**", 1)
    tree = re.search(r"(?:^    .*\n)+", found, re.MULTILINE)
    assert tree
    folder, *files = tree[0].split()
    assert folder == "data/labelled/mine/"
    return files


def content(name: str) -> bytes | str:
    """Return what a file of the layouts may hold: a box from (4, 2) to (20, 12)."""
    if name.endswith(".jpg"):
        return picture(seed=len(name) + ord(name[-5]), kind="JPEG")
    text = "cat\n" if name == "classes.txt" else "0 0.3 0.35 0.4 0.5\n"
    if name.endswith(".xml"):
        return voc(name.replace("xml", "jpg"), "cat 4 2 20 12")
    return COCO if name.endswith(".json") else text


@pytest.mark.parametrize(("title", "format_"), [("Pascal VOC", "voc"), ("YOLO", "yolo"), ("COCO", "coco")])
def test_the_layouts_of_the_page_are_read(make: Maker, title: str, format_: str) -> None:
    files: Files = {name: content(name) for name in layout(title)}
    found = make.read(files)
    assert found.format == format_
    assert [(image.path.rpartition("/")[2], image.boxes.round().tolist()) for image in found.images] == [
        ("a.jpg", [[4, 2, 20, 12]]),
        ("b.jpg", [[4, 2, 20, 12]]),
    ]


def test_every_format_is_told_in_the_table_and_has_a_section() -> None:
    page = (ROOT / "docs/label-formats.md").read_text(encoding="utf-8")
    table = page[: page.index("## Format by format")]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)[1:] == list(FORMATS)  # below the heads of the columns
    assert re.findall(r"^### `(\w+)`$", page, re.MULTILINE) == list(FORMATS)


@pytest.mark.parametrize("column", [0, 1], ids=["folders", "lists"])
def test_the_lists_of_the_page_are_read(make: Maker, column: int) -> None:
    """Two trees stand side by side in docs/splits.md; train, val and test have an image each, or train and test."""
    page = (ROOT / "docs/splits.md").read_text(encoding="utf-8")
    tree = re.search(r"^    data/labelled/mine/ .*\n((?:    .*\n)+)", page, re.MULTILINE)
    assert tree
    lines = [re.split(r" {3,}", line.strip())[column] for line in tree[1].splitlines()]
    names = [name for line in lines for name in named(line)]
    lists: Files = {"train.txt": "a\n", "test.txt": "b\n"}
    found = make.read({name: lists.get(name) or content(name) for name in names})
    assert {image.path[-5:]: image.splits for image in found.images} == [
        {"a.jpg": ("train",), "b.jpg": ("val",), "c.jpg": ("test",)},
        {"a.jpg": ("train",), "b.jpg": ("test",)},
    ][column]


def named(line: str) -> list[str]:
    """Return the files on a line of a tree, of which the first tells the folder of all."""
    folder, slash, files = line.rpartition("/")
    return [f"{folder}{slash}{file}" for file in files.split(", ")]
