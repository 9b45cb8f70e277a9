"""`humbleyolo next`: the images to label next and the boxes to correct, as a user calls it."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from folders import Files, picture, read_labelled, voc
from params_text import changed
from PIL import Image
from split_writer import write_split
from stub_models import NAMES, RedFinder

from humbleyolo.cli import main
from humbleyolo.errors import UserError
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.models.selection import NONE_GOOD

REDS = {"sure.png": 250, "doubted.png": 140, "under.png": 120, "blind.png": 0}  # scores of 0.98, 0.55, 0.47, none


@pytest.fixture(autouse=True)
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("humbleyolo.detection.detector.open_model", lambda *_: RedFinder())
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "pool"
    folder.mkdir()
    for number, (name, red) in enumerate(REDS.items()):
        pixels = np.random.default_rng(number).integers(0, 9, (32, 64, 3), np.uint8)
        pixels[8:24, 10 + 8 * number : 24 + 8 * number, 0] = red
        Image.fromarray(pixels).save(folder / name)
    return folder


def choose(*options: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["next", *(options or ("pool",))])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def rows(folder: str = "next") -> list[dict[str, str]]:
    with Path(folder, "next.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_least_certain_come_first_and_the_last_lines_say_what_to_do(
    pool: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    before = {path: path.read_bytes() for path in pool.iterdir()}
    assert choose("pool", "--count", "3", "--to", "cvat") == 0
    assert [row["image"] for row in rows()] == [f"pool/{name}.png" for name in ("under", "doubted", "sure")]
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    said = " ".join(" ".join(lines).split())
    assert "3 of 4 images chosen by data/model; 2 boxes proposed, from 0.5 on (a test)" in said
    assert "nothing was found on 1 of the 3: label them by eye; they are not written as background" in said
    assert "page: next/next.html; table: next/next.csv next: correct next/to-correct (2 images, cvat)" in said
    assert "and label next/nothing-found (1 image), put them into your labelled folder" in said
    assert {path: path.read_bytes() for path in pool.iterdir()} == before
    page = Path("next/next.html").read_text()
    assert page.count("<figure>") == 3
    assert "<script" not in page
    for row in rows():
        assert Path("next", row["place"]).read_bytes() == Path(row["image"]).read_bytes()


def test_of_a_model_that_finds_next_to_nothing_the_boxes_come_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    warning = "warning: the model finds next to nothing on val"
    assert choose() == 0
    assert warning not in capsys.readouterr().out
    finder = RedFinder()
    finder.facts = replace(finder.facts, threshold_from=NONE_GOOD)
    monkeypatch.setattr("humbleyolo.detection.detector.open_model", lambda *_: finder)
    assert choose("pool", "--output", "again") == 0
    assert warning in " ".join(capsys.readouterr().out.split())
    assert choose("pool", "--output", "told", "--threshold", "0.4") == 0
    assert warning not in capsys.readouterr().out


def test_a_page_that_has_not_all_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("humbleyolo.audit.next_page.MOST", 2)
    assert choose() == 0
    told = "note: the page shows the first 2 of them; next.csv has all"
    assert told in " ".join(capsys.readouterr().out.split())
    page = Path("next/next.html").read_text()
    assert told in page
    assert (page.count("<figure>"), len(rows())) == (2, 4)


@pytest.mark.parametrize("to", ["voc", "cvat", "yolo", "coco", "csv", "label_studio", "labelme"])
def test_the_proposed_boxes_are_read_back_and_no_image_without_one_is_background(to: str) -> None:
    assert choose("pool", "--to", to) == 0
    labelled = read_labelled(Path("next/to-correct"))
    assert {Path(image.path).name for image in labelled.images} == {"sure.png", "doubted.png"}
    assert all(image.labels == (NAMES[1],) for image in labelled.images)
    sure = next(image for image in labelled.images if image.path.endswith("sure.png"))
    np.testing.assert_allclose(sure.boxes, [[10, 8, 24, 24]], atol=1)
    assert sorted(path.name for path in Path("next/nothing-found").iterdir()) == ["blind.png", "under.png"]
    if to == "yolo":  # each image has a label of its own
        with pytest.raises(UserError, match="nothing-found"):
            read_labelled(Path("next"))
        return
    whole = read_labelled(Path("next"))
    assert {image.path for image in whole.images} == {f"to-correct/{image.path}" for image in labelled.images}
    assert any("nothing-found: 2 images" in str(row) for row in whole.ledger.rows)


def test_what_is_labelled_or_a_copy_is_left_out_with_a_word(pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data/dataset").mkdir(parents=True)
    with write_split(Path("data/dataset/train"), NAMES) as archive:
        archive.add("mine.png", (pool / "doubted.png").read_bytes(), 32, 64, [[1, 1, 5, 5]], [0])
    (pool / "twin.png").write_bytes((pool / "sure.png").read_bytes())
    (pool / "sure.xml").write_text("<annotation/>")
    (pool / "broken.png").write_bytes(b"torn")
    assert choose() == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "note: pool/doubted.png: left out: is labelled already (train: mine.png)" in said
    assert "note: pool/twin.png: left out: is the same as pool/sure.png" in said
    assert "note: pool/broken.png: left out: cannot be read" in said
    assert "note: left unread: 1 label file, such as sure.xml" in said
    assert {row["image"] for row in rows()} == {f"pool/{name}.png" for name in ("sure", "under", "blind")}


def test_fewer_images_than_asked_for_and_look_alikes_are_told(pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open(pool / "sure.png") as image:
        image.resize((128, 64)).save(pool / "larger.png")
    assert choose() == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "note: 15 images fewer than --count 20" in said
    assert [row["alike"] for row in rows()].count("True") == int(re.findall(r"note: (\d) of them look like", said)[0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("pool", "--count", "0"), "--count 0 is not allowed; allowed: 1 to 100,000"),
        (("pool", "--output", "pool"), "pool: is there already; give a name that does not exist"),
        (("nowhere",), "nowhere: no such file or folder"),
        (("pool", "--threshold", "2"), "--threshold 2.0 is not allowed; allowed: 0 to 1"),
    ],
)
def test_what_cannot_work_is_refused_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    assert choose(*options) == 2
    assert said in capsys.readouterr().err
    assert {path.name for path in Path().iterdir()} == {"pool"}


# Labelled folders whose classes are in another order than the model's, with an image of a name that the pool has too.
OURS = ("rat", "dog", "chat")
PICTURES: Files = {name: picture(seed) for seed, name in enumerate(("sure.png", "b.png", "c.png"), 90)}
BOXES = {"sure.png": 2, "b.png": 1, "c.png": 0}  # class of the box on each
YOLO: Files = {f"{name[:-4]}.txt": f"{label} 0.5 0.5 0.25 0.5\n" for name, label in BOXES.items()}
FOLDERS: dict[str, tuple[str, Files]] = {
    "YOLO, flat": ("yolo", PICTURES | YOLO | {"classes.txt": "rat\ndog\nchat\n"}),
    "Ultralytics": (
        "yolo",
        {f"images/train/{name}": data for name, data in PICTURES.items()}
        | {f"labels/train/{name}": text for name, text in YOLO.items()}
        | {"data.yaml": "path: .\ntrain: images/train\nnc: 3\nnames: [rat, dog, chat]\n"},
    ),
    "COCO, flat": (
        "coco",
        PICTURES
        | {
            "annotations.json": json.dumps(
                {
                    "images": [{"id": i, "file_name": n, "width": 40, "height": 20} for i, n in enumerate(BOXES)],
                    "categories": [{"id": 7 - i, "name": name} for i, name in enumerate(OURS)],
                    "annotations": [
                        {"id": i, "image_id": i, "category_id": 7 - label, "bbox": [15, 5, 10, 10]}
                        for i, label in enumerate(BOXES.values())
                    ],
                }
            )
        },
    ),
    "VOC, flat": (
        "voc",
        PICTURES | {f"{n[:-4]}.xml": voc(n, f"{OURS[label]} 15 5 25 15") for n, label in BOXES.items()},
    ),
}


def set_up(files: Files, *params: tuple[str, str]) -> None:
    """Write a labelled folder, and a params.yaml that names it."""
    for name, data in files.items():
        path = Path("mine", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    Path("params.yaml").write_text(changed(("dataset.source", "labelled"), ("dataset.inputs", "mine"), *params))


def check(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what `check` says of the labelled folder, which must be without mistakes."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["check", "mine"])
    told = capsys.readouterr()
    assert ended.value.code == 0, told.out + told.err
    return told.out


@pytest.mark.parametrize("layout", FOLDERS)
def test_labels_are_in_the_folders_own_format_and_read_back_once_they_are_put_into_it(
    layout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    form, files = FOLDERS[layout]
    by = "lists" if layout == "Ultralytics" else "hash"
    set_up(files, ("dataset.labelled.split.by", by))
    before, classes = check(capsys), read_labelled(Path("mine")).classes
    assert {*classes} == {*OURS}
    assert choose() == 0
    told = capsys.readouterr().out.splitlines()
    assert f"format {form}: that of mine; --to gives another" in told
    assert f"next/to-correct (2 images, {form})" in " ".join(told)
    shutil.copytree("next/to-correct", "mine/to-correct")
    after = check(capsys)
    assert f"format: {form}," in after
    labelled = read_labelled(Path("mine"))
    assert labelled.classes == classes
    new = {image.path.rpartition("/")[2]: image for image in labelled.images if "to-correct" in image.path}
    assert {name: image.labels for name, image in new.items()} == {"sure.png": ("rat",), "doubted.png": ("rat",)}
    np.testing.assert_allclose(new["sure.png"].boxes, [[10, 8, 24, 24]], atol=1)
    old = [image for image in labelled.images if "to-correct" not in image.path]
    assert [image.labels for image in old] == [("dog",), ("rat",), ("chat",)]
    assert ("class-names-differ" in after) == ("class-names-differ" in before)


@pytest.mark.parametrize(("to", "classes"), [((), "[]"), (("--to", "yolo"), "[rat, dog, chat]")])
def test_yolo_files_put_beside_the_others_one_by_one_mean_the_same_classes(
    to: tuple[str, ...], classes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = dict(FOLDERS["YOLO, flat"][1])
    if classes != "[]":
        del files["classes.txt"]  # params.yaml alone names the numbers
    set_up(files, ("dataset.labelled.classes", classes))
    assert choose("pool", *to) == 0
    assert Path("next/to-correct/labels/classes.txt").read_text() == "rat\ndog\nchat\n"  # LabelImg needs it there
    shutil.copy("next/to-correct/images/doubted.png", "mine")
    shutil.copy("next/to-correct/labels/doubted.txt", "mine")
    told = check(capsys)
    assert re.search(r"rat +2 ", told), told
    assert Path("mine/doubted.txt").read_text().startswith("0 ")


def test_a_class_that_the_folder_lacks_is_told_and_comes_last(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(FOLDERS["YOLO, flat"][1] | {"classes.txt": "ant\ndog\nchat\n"})
    assert choose() == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "note: the labelled folder's list of classes lacks 'rat': add it at the end there, as here" in said
    assert Path("next/to-correct/labels/classes.txt").read_text() == "ant\ndog\nchat\nrat\n"
    shutil.copytree("next/to-correct", "mine/to-correct")
    labelled = read_labelled(Path("mine"))
    assert [image.labels for image in labelled.images if "to-correct" in image.path] == [("rat",)] * 2


def test_what_was_asked_for_stays_and_no_line_speaks_of_the_format(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(FOLDERS["YOLO, flat"][1], ("dataset.labelled.one_based", "true"))
    assert choose("pool", "--to", "voc") == 0
    assert "format voc" not in capsys.readouterr().out
    sure = next(one for one in read_labelled(Path("next/to-correct")).images if one.path.endswith("sure.png"))
    np.testing.assert_allclose(sure.boxes, [[10, 8, 24, 24]], atol=1)


def test_the_boxes_of_a_folder_that_counts_from_1_do_so_too(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(FOLDERS["VOC, flat"][1], ("dataset.labelled.one_based", "true"))
    assert choose() == 0
    assert choose("pool", "--to", "coco", "--output", "exact") == 0
    shutil.copytree("next/to-correct", "mine/to-correct")
    check(capsys)
    labelled = read_labelled(Path("mine"), ReadOptions(one_based=True))
    found = {one.path.rpartition("/")[2]: one.boxes for one in labelled.images if "to-correct" in one.path}
    for image in read_labelled(Path("exact/to-correct")).images:
        np.testing.assert_allclose(found[image.path.rpartition("/")[2]], image.boxes, atol=1e-6)


@pytest.mark.parametrize(("exif", "noted"), [("error", True), ("displayed", False), ("stored", False)])
def test_images_that_exif_rotates_are_noted_with_the_value_that_reads_their_boxes(
    exif: str, noted: bool, pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(FOLDERS["VOC, flat"][1], ("dataset.labelled.exif", exif))
    rotated = Image.Exif()
    rotated[0x0112] = 3
    for name in ("sure.png", "doubted.png"):
        Image.open(pool / name).save(pool / name, exif=rotated)
    assert choose() == 0
    said = " ".join(capsys.readouterr().out.split())
    note = "note: 2 of them are rotated by EXIF, and boxes are of the upright image: dataset.labelled.exif must be "
    assert (f"{note}`displayed`" in said) == noted
    shutil.copytree("next/to-correct", "mine/to-correct")
    read = ReadOptions(exif="stored" if exif == "stored" else "displayed")
    assert len(read_labelled(Path("mine"), read).images) == 5
