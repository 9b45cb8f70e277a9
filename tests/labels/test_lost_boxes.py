"""An image that loses a box: left out with it, kept if so wished, and never background."""

from pathlib import Path

import pytest
from folders import GOOD, Files, Maker, picture, voc
from params_text import changed

from humbleyolo.check.folder_check import check
from humbleyolo.errors import UserError
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.labels.write_dataset import write_splits
from humbleyolo.params.loader import load_params

# For each format: the label file of an image with a right box and one that cannot be read.
SPOILED = {
    "voc": voc("a.png", "cat 1 2 3 4", "cat 5 x 7 8"),
    "yolo": "0 0.5 0.5 0.25 0.5\n0 0.5 x 0.25 0.5\n",
    "coco": GOOD["coco"][1].replace(
        '"annotations": [', '"annotations": [{"image_id": 1, "category_id": 9, "bbox": [1, 2, 3, 4]}, '
    ),
    "cvat": GOOD["cvat"][1]
    .partition("<track")[0]
    .replace("</image>", '<box label="c" xtl="1"/></image></annotations>'),
    "bbox_label_tool": "2\n1 2 3 4 cat\n5 6 7 x cat\n",
    "labelme": GOOD["labelme"][1].replace('"shapes": [', '"shapes": [{"label": "c", "points": [[1, "x"]]}, '),
    "label_studio": GOOD["label_studio"][1].replace(
        '"result": [',
        '"result": [{"value": {"x": 1, "y": 2, "width": 3, "height": "x", "rectanglelabels": ["cat"]}}, ',
    ),
    "via": GOOD["via"][1].replace('"regions": [', '"regions": [{"shape_attributes": {"name": "rect"}}, '),
    "createml": GOOD["createml"][1].replace('"annotations": [', '"annotations": [{"label": "cat"}, '),
    "datumaro": GOOD["datumaro"][1].replace(
        '"annotations": [', '"annotations": [{"type": "bbox", "label_id": 0, "bbox": [1]}, '
    ),
    "supervisely": GOOD["supervisely"][1].replace('"objects": [', '"objects": [{"geometryType": "bitmap"}, '),
    "imagefolder": GOOD["imagefolder"][1].replace(
        '[[1, 2, 3, 4]], "categories": [', '[[1], [1, 2, 3, 4]], "categories": ["cat", '
    ),
    "kitti": GOOD["kitti"][1].partition("DontCare")[0] + "cat 0 0 0 1 2 x 4 1 1 1 1 1 1 1\n",
    "open_images": GOOD["open_images"][1] + "a,/m/1,0.1,0.2,0.3,x\n",
    "csv": GOOD["csv"][1] + "a.png,cat,1,2,3,x,train\n",
    "article": GOOD["article"][1].replace("---", "1 0 0\n20 10 4 x\n1\n---"),
}


@pytest.mark.parametrize("format_", SPOILED)
def test_an_image_goes_with_its_box_or_stays_without(make: Maker, format_: str) -> None:
    ending = GOOD[format_][0][1:]
    other = GOOD[format_][1].replace("a.png", "b.png").replace("\na,", "\nb,").partition("<track")[0]
    if format_ == "cvat":
        other += "</annotations>"
    content: Files = {"a.png": picture(), f"a{ending}": SPOILED[format_], "b.png": picture(1), f"b{ending}": other}
    options = {"format": format_, "classes": ("c",) if format_ in ("cvat", "labelme") else ("cat", "dog")}
    options |= {"classes": {"open_images": ("/m/1",), "bbox_label_tool": ("cat",)}.get(format_, options["classes"])}
    for policy, paths in (("skip", ["b.png"]), ("clip", ["b.png"]), ("skip_box", ["a.png", "b.png"])):
        data = make.read(content, on_problem=policy, **options)
        assert [image.path for image in data.images] == paths
        assert all(image.labels for image in data.images)
        lost = [(row.file, row.severity, row.done) for row in data.ledger.rows if row.kind == "box-lost"]
        assert lost == ([("a.png", "note", "image dropped")] if policy != "skip_box" else [])


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


def test_a_line_of_a_csv_with_too_few_columns_is_a_loss(make: Maker) -> None:
    head, good = GOOD["csv"][1].splitlines()
    content: Files = {
        "a.png": picture(),
        "b.png": picture(1),
        "l.csv": f"{head}\nb.png,cat,1\n{good}\nb.png,cat,1,2,3,4,val\n",
    }
    assert [image.path for image in make.read(content, on_problem="skip").images] == ["a.png"]


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
        {"a.png": picture(), "a.xml": SPOILED["voc"], "b.png": picture(1), "b.xml": voc("b.png")}, on_problem="skip"
    )
    (row,) = [row for row in data.ledger.rows if row.kind == "box-lost"]
    assert str(row).startswith("a.png: left out as a whole, without 1 of its boxes: the object would be taught")
