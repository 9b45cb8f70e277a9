"""An image that loses a box: left out with it, kept if so wished, and never background."""

from pathlib import Path

import pytest
from folders import Files, Maker, picture, voc
from label_records import CLASSES, LAYOUTS, Layout
from params_text import changed

from humbleyolo.check.folder_check import check
from humbleyolo.errors import UserError
from humbleyolo.labels.formats.registry import FORMATS
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions
from humbleyolo.params.loader import load_params
from humbleyolo.splits.write_dataset import write_splits

BAD = [(name, number) for name, layout in LAYOUTS.items() for number in range(len(layout.bad))]
ORDERS = {"first": (0, 1, 1), "last": (1, 1, 0), "alone": (0,)}  # of bad (0) and right (1) records of an image
TABLES = ["csv", "csv by columns", "open_images", "via csv"]


def read(make: Maker, layout: Layout, records: dict[str, list[str]], policy: str) -> LabelledSet:
    return make.read(layout.files(records), format=layout.format, classes=CLASSES, on_problem=policy)


def test_every_format_is_tried() -> None:
    assert {layout.format for layout in LAYOUTS.values()} == {*FORMATS}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("name", "bad"), BAD)
def test_an_image_goes_with_its_box_or_stays_without(make: Maker, name: str, bad: int, order: str) -> None:
    layout = LAYOUTS[name]
    own = [(layout.bad[bad], layout.good)[right] for right in ORDERS[order]]
    for policy in ("skip", "clip", "skip_box"):
        data = read(make, layout, {"a": own, "b": [layout.good] * 2}, policy)
        stays = policy == "skip_box" and sum(ORDERS[order])
        found = {image.path: len(image.labels) for image in data.images}
        paths = [layout.image.replace("@", one).replace("#", "12"["ab".index(one)]) for one in "ab"]
        assert found == ({paths[0]: sum(ORDERS[order])} if stays else {}) | {paths[1]: 2}
        assert data.ledger.errors
        left = "image dropped" if not stays else ""
        lost = [(row.file, row.severity, row.done) for row in data.ledger.rows if row.kind == "box-lost"]
        assert lost == ([(paths[0], "note", left)] if left else [])


@pytest.mark.parametrize("place", ["first", "in between", "last"])
@pytest.mark.parametrize("name", TABLES)
def test_a_quote_that_does_not_end_hides_boxes_of_any_image(make: Maker, name: str, place: str) -> None:
    """The lines behind it are unread, and so may be others between two such quotes."""
    layout = LAYOUTS[name]
    head, *lines = str(layout.files({"a": [layout.good] * 3, "b": [layout.good] * 3})[layout.file]).splitlines()
    number = {"first": 0, "in between": 3, "last": 5}[place]
    cells = lines[number].split(",")
    for broken in (1, 2):
        spoiled = [*lines]
        spoiled[number] = ",".join([cells[0], f'"{cells[1]}', *cells[2:]])
        if broken == 2 and number < 4:
            other = lines[number + 2].split(",")
            spoiled[number + 2] = ",".join([other[0], f'{other[1]}"', *other[2:]])
        files = layout.files({"a": [], "b": []}) | {layout.file: "\n".join([head, *spoiled, ""])}
        data = make.read(files, format=layout.format, classes=CLASSES, on_problem="skip")
        assert data.images == []
        assert data.ledger.errors


@pytest.mark.parametrize("policy", ["skip", "skip_box", "clip"])
def test_an_image_without_its_only_box_is_never_background(make: Maker, policy: str) -> None:
    content: Files = {"classes.txt": "cat\n"}
    for number, line in enumerate(("0 0.5 0.5 0.1 0.1", "0 0.5 0.5 0 0", "9 0.5 0.5 0.1 0.1", "0 2 2 0.1 0.1", "")):
        content |= {f"{number}.png": picture(number), f"{number}.txt": line}
    data = make.read(content, on_problem=policy)
    assert [image.path for image in data.images] == ["0.png", "4.png"]


def test_a_box_that_is_there_twice_is_no_loss(make: Maker) -> None:
    data = make.read({"a.png": picture(), "a.xml": voc("a.png", *["cat 1 2 3 4"] * 2)}, on_problem="skip")
    assert [image.labels for image in data.images] == [("cat",)]
    assert [row.kind for row in data.ledger.rows] == ["duplicate-box"]


def test_a_track_that_cannot_be_read_may_be_on_any_frame(make: Maker) -> None:
    good, bad = (
        f'<track label="c"><box frame="0" outside="0" xtl="1" ytl="2" xbr="{x}" ybr="4"/></track>' for x in (3, "x")
    )
    content: Files = {"0.png": picture(), "1.png": picture(1)}
    data = make.read(content | {"a.xml": f"<annotations>{good}{bad}</annotations>"}, on_problem="skip")
    assert [row.file for row in data.ledger.rows if row.kind == "box-lost"] == ["0.png", "1.png"]


def test_labels_of_a_second_file_are_a_loss_if_they_differ(make: Maker) -> None:
    first, second = voc("a.png", "cat 1 2 3 4"), voc("a.png", "cat 1 2 3 4", "cat 5 6 7 8")
    for other, images in ((first, 1), (second, 0)):
        data = make.read({"a.png": picture(), "x/b.xml": first, "x/c.xml": other}, on_problem="skip")
        assert len(data.images) == images


def test_no_box_in_all_is_told(make: Maker, tmp_path: Path) -> None:
    content: Files = {
        f"{n}.{end}": picture(n) if end == "png" else voc(f"{n}.png") for n in range(9) for end in ("png", "xml")
    }
    folder = make.folder(content)
    (tmp_path / "params.yaml").write_text(changed(("dataset.source", "labelled")))
    seed, dataset = load_params(tmp_path / "params.yaml", "seed", "dataset")
    with pytest.raises(UserError, match="no image has a box; nothing can be learned"):
        write_splits(tmp_path / "out", dataset.labelled, folder, seed, 10_000)
    assert [row.what for row in check(folder, ReadOptions()).rows if row.severity == "error"] == ["0 boxes in all"]


def test_the_note_says_that_the_image_goes(make: Maker) -> None:
    data = make.read(
        {
            "a.png": picture(),
            "a.xml": voc("a.png", "cat 1 2 3 4", "cat 5 x 7 8"),
            "b.png": picture(1),
            "b.xml": voc("b.png"),
        },
        on_problem="skip",
    )
    (row,) = [row for row in data.ledger.rows if row.kind == "box-lost"]
    assert str(row).startswith("a.png: left out as a whole, without 1 of its boxes: the object would be taught")
