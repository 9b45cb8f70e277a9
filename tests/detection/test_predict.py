"""`humbleyolo predict`, from pictures of every kind to every format."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from folders import read_labelled
from PIL import Image
from pycocotools.coco import COCO
from stub_models import NAMES, RedFinder

from humbleyolo.cli import main
from humbleyolo.detection.backend import ModelFacts
from humbleyolo.detection.backends import open_model
from humbleyolo.detection.detector import Detector
from humbleyolo.detection.image_paths import NamedImages
from humbleyolo.drawing.palette import FRAME
from humbleyolo.errors import ProblemsError
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.storage.hashes import sha256_of

SIZES = {"a.png": (40, 90), "b.jpg": (64, 64), "deep/c.bmp": (33, 21), "deep/er/d.webp": (50, 50)}
EMPTY = "deep/er/empty.gif"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures: four with a red box over their right half, one without."""
    folder = tmp_path / "photos"
    for name, (height, width) in SIZES.items():
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[height // 4 :, width // 2 :, 0] = 255
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name, lossless=True)
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(folder / EMPTY)
    return folder


@pytest.fixture(autouse=True)
def red_finder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `--model red` a model that is known to the pixel; others are as ever."""
    real = open_model.open_model
    monkeypatch.setattr(
        "humbleyolo.detection.detector.open_model",
        lambda model, *rest: RedFinder() if model == "red" else real(model, *rest),
    )


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["predict", *map(str, arguments)])
    return int(ended.value.code or 0)


def files(document: str) -> list[str]:
    return [image["file"] for image in json.loads(document)["images"]]


def test_json_of_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--model", "red") == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["classes"] == list(NAMES)
    assert (found["model"], found["threshold"], found["errors"]) == ("red", 0.5, [])
    assert files(out) == [f"{folder}/{name}" for name in sorted([*SIZES, EMPTY])]
    assert "5 images, 4 detections from 0.5 on (a test)" in err
    detector = Detector(RedFinder())
    for image in found["images"]:
        expected = detector(image["file"])
        assert (image["width"], image["height"]) == (expected.width, expected.height)
        np.testing.assert_allclose(
            np.array([one["box"] for one in image["detections"]]).reshape(-1, 4), expected.boxes, atol=6e-4
        )
        assert [one["label"] for one in image["detections"]] == expected.class_names.tolist()


def test_files_patterns_and_archives(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for name in SIZES:
            archive.write(folder / name, f"in/{name}")
    monkeypatch.chdir(tmp_path)
    assert run("photos/a.png", "photos/**/*.*p", "photos/*.png", "some.zip", "--model", "red") == 0
    out = capsys.readouterr().out
    inside = [f"some.zip/in/{name}" for name in sorted(SIZES)]
    assert files(out) == ["photos/a.png", "photos/deep/c.bmp", "photos/deep/er/d.webp", *inside]
    boxes = {image["file"]: image["detections"] for image in json.loads(out)["images"]}
    assert boxes["photos/a.png"] == boxes["some.zip/in/a.png"] != []


def test_csv(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--model", "red", "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 5
    for row in rows:
        height, width = SIZES.get(Path(row["image"]).relative_to(folder).as_posix(), (20, 30))
        assert (row["height"], row["width"]) == (str(height), str(width))
        assert (row["label"] == "") == row["image"].endswith("empty.gif")


@pytest.mark.parametrize("to", ["json", "jsonl", "csv"])
def test_a_reached_limit_is_in_each_row(
    to: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one_box = replace(RedFinder().facts, max_detections=1)
    monkeypatch.setattr("humbleyolo.detection.detector.open_model", lambda *_: _finder(one_box))
    assert run(folder, "--format", to) == 0
    out, err = capsys.readouterr()
    rows = {
        "csv": lambda: csv.DictReader(io.StringIO(out)),
        "json": lambda: json.loads(out)["images"],
        "jsonl": lambda: map(json.loads, out.splitlines()),
    }[to]()
    told = {row.get("file", row.get("image")): str(row["limit_reached"]).lower() for row in rows}
    assert told == {f"{folder}/{name}": "false" if name == EMPTY else "true" for name in [*SIZES, EMPTY]}
    assert err.count("1 box found on it, or on a tile of it, which is the most") == 4


@pytest.mark.parametrize("tile", [None, pytest.param(40, marks=pytest.mark.slow)])
def test_more_is_found_with_a_higher_limit(
    tile: int | None,
    network_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # This process has computed, with threads that it cannot change.
    monkeypatch.setattr("humbleyolo.detection.backends.trained_model.set_threads", lambda _: None)
    blocks = np.random.default_rng(0).integers(0, 256, (6, 10, 3), np.uint8)
    Image.fromarray(np.kron(blocks, np.ones((10, 10, 1), np.uint8))).save(path := tmp_path / "a.png")
    cut = ["--tile", tile] if tile else []
    counts = []
    for most, boxes in ((1, "1 box"), (3, "3 boxes"), (60, "60 boxes")):  # 60: as many as the grid holds
        limits = ["--max-detections", most, *cut]
        assert run(path, "--model", network_folder, "--threshold", 0.02, *limits) == 0
        out, err = capsys.readouterr()
        (image,) = json.loads(out)["images"]
        counts.append(len(image["detections"]))
        assert image["limit_reached"] == (most < 60)
        told = f"note: {path}: {boxes} found on it, or on a tile of it, which is the most; there may be more: raise "
        assert (f"{told}max_detections" in err) == (most < 60)
        assert ("max_detections" in err) == (most < 60)
    assert 0 < counts[0] < counts[1] < counts[2]
    assert tile or counts[:2] == [1, 3]


def _finder(facts: ModelFacts) -> RedFinder:
    finder = RedFinder()
    finder.facts = facts
    return finder


def expected_boxes(folder: Path) -> dict[str, np.ndarray]:
    detector = Detector(RedFinder())
    return {name: detector(folder / name).boxes for name in [*SIZES, EMPTY]}


@pytest.mark.parametrize("to", ["yolo", "voc", "cvat"])
def test_labels_can_be_read_by_labelling_tools(to: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(folder, "--model", "red", "--format", to, "--output", out, "--copy-images") == 0
    labelled = read_labelled(out, ReadOptions())
    assert labelled.format == to
    images = {"yolo": "images", "voc": "JPEGImages", "cvat": "images"}[to]
    assert {record.path for record in labelled.images} == {f"{images}/{name}" for name in [*SIZES, EMPTY]}
    for record in labelled.images:
        name = record.path.removeprefix(f"{images}/")
        np.testing.assert_allclose(record.boxes, expected_boxes(folder)[name], atol=1e-9)
        assert set(record.labels) <= {"rat"}
        assert (out / record.path).read_bytes() == (folder / name).read_bytes()


def test_cvat_finds_every_picture_of_a_task(folder: Path, tmp_path: Path) -> None:
    """By CVAT's rules: an `<image>` has the name of a picture of the task; VOC needs a list of its files."""
    for to in ("cvat", "voc"):
        assert run(folder, "--model", "red", "--format", to, "--output", tmp_path / to) == 0
    root = ET.parse(tmp_path / "cvat/annotations.xml").getroot()
    assert root.findtext("version") == "1.1"
    assert [name.text for name in root.iterfind("meta/task/labels/label/name")] == ["chat", "rat"]
    assert {image.attrib["name"] for image in root.iterfind("image")} == {*SIZES, EMPTY}
    assert [image.attrib["id"] for image in root.iterfind("image")] == list("01234")
    for image in root.iterfind("image"):
        expected = expected_boxes(folder)[image.attrib["name"]]
        boxes = [[float(one.attrib[name]) for name in ("xtl", "ytl", "xbr", "ybr")] for one in image]
        np.testing.assert_allclose(np.reshape(boxes, (-1, 4)), expected, atol=1e-9)
        assert all(one.attrib["label"] == "rat" and one.attrib["occluded"] == "0" for one in image)
    listed = (tmp_path / "voc/ImageSets/Main/default.txt").read_text().splitlines()
    written = (tmp_path / "voc/Annotations").rglob("*.xml")
    there = {one.relative_to(tmp_path / "voc/Annotations").with_suffix("").as_posix() for one in written}
    assert set(listed) == there


def test_yolo_has_the_names_where_labelimg_and_ultralytics_look(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(folder, "--model", "red", "--format", "yolo", "--output", out) == 0
    assert (out / "labels/classes.txt").read_text() == "chat\nrat\n"
    assert "train: train.txt" in (out / "data.yaml").read_text()
    assert len((out / "train.txt").read_text().splitlines()) == 5
    assert not (out / "images").exists()
    assert (out / "labels/deep/er/empty.txt").read_text() == ""


def test_coco_is_what_pycocotools_reads(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert run(folder, "--model", "red", "--format", "coco", "--output", out) == 0
    (tmp_path / "labelled/annotations").mkdir(parents=True)
    shutil.copytree(folder, tmp_path / "labelled/images")
    shutil.copyfile(out, tmp_path / "labelled/annotations/instances_default.json")
    for record in read_labelled(tmp_path / "labelled", ReadOptions()).images:
        name = record.path.removeprefix("images/")
        np.testing.assert_allclose(record.boxes, expected_boxes(folder)[name], atol=1e-9)
    known = COCO(out)
    assert len(known.imgs) == 5
    assert len(known.anns) == 4
    for one in known.anns.values():
        assert known.cats[one["category_id"]]["name"] == "rat"
        assert 0.9 < one["score"] <= 1
        assert one["area"] == pytest.approx(one["bbox"][2] * one["bbox"][3])


def test_drawings(folder: Path, tmp_path: Path) -> None:
    shutil.copyfile(folder / "a.png", folder / "a.PNG.png")
    shutil.copyfile(folder / "b.jpg", folder / "a.jpeg")
    out = tmp_path / "drawn"
    assert run(folder, "--model", "red", "--save-images", out, "--output", tmp_path / "x.json") == 0
    drawn = {path.relative_to(out).as_posix() for path in out.rglob("*.png")}
    assert len(drawn) == 7
    assert {"a.png", "a.png.png", "a.PNG.png", "deep/c.png", "deep/er/empty.png"} <= drawn | {"a.png.png"}
    with Image.open(out / "deep/c.png") as picture:
        assert max(picture.size) > 200  # small pictures are enlarged
        assert not (np.asarray(picture.convert("RGB")) == FRAME).all(axis=-1).any()  # no frame around it


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--save-images", "photos"], "--save-images photos: would replace photos/a.png; name another folder"),
        (["--save-images", "linked"], "--save-images linked: would replace linked/a.png; name another folder"),
        (["--output", "photos/a.png"], "--output photos/a.png: would replace what is looked at; name another file"),
        (["--list", "list", "--output", "list"], "--output list: would replace what is looked at; name another file"),
    ],
)
def test_no_picture_that_is_looked_at_is_written_to(
    options: list[str], says: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    Path("linked").symlink_to(folder)
    Path("list").write_text("photos/b.jpg\n")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    for paths in (["photos"], ["photos/a.png"], ["linked/*.png"]):
        assert run(*paths, "--model", "red", *options) == 2
        assert says in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_drawings_are_drawn_anew(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert (
            run(folder, "--model", "red", "--save-images", tmp_path / "drawn", "--output", tmp_path / "x.json") == 0
        )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_list_may_begin_with_a_byte_order_mark(
    encoding: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.txt").write_text(f"{folder}/b.jpg\n{folder}/a.png\n", encoding)
    assert run("--list", tmp_path / "list.txt", "--model", "red") == 0
    assert files(capsys.readouterr().out) == [f"{folder}/b.jpg", f"{folder}/a.png"]


def test_a_list_in_utf_16_says_so(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """PowerShell's `>` writes it."""
    (tmp_path / "list.txt").write_text(f"{folder}/b.jpg\n", "utf-16")
    assert run("--list", tmp_path / "list.txt", "--model", "red") == 2
    assert "list.txt: is UTF-16 text, must be UTF-8; save the file as UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("to", ["json", "csv", "coco", "yolo", "voc", "cvat"])
def test_a_broken_picture_is_told_and_the_others_are_done(
    to: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "deep/broken.png").write_bytes((folder / "a.png").read_bytes()[:60])
    (folder / "aa.jpg").touch()
    out = tmp_path / "out"
    assert run(folder, "--model", "red", "--format", to, "--output", out) == 1
    err = capsys.readouterr().err
    assert f"error: {folder}/deep/broken.png: cannot be read as an image" in err
    assert f"error: {folder}/aa.jpg: cannot be read as an image: it is empty" in err
    assert "5 images, 4 detections" in err
    assert "2 of 7 pictures failed" in err
    if to == "json":
        document = json.loads(out.read_text())
        assert len(document["images"]) == 5
        assert [one["file"] for one in document["errors"]] == [f"{folder}/aa.jpg", f"{folder}/deep/broken.png"]


def test_one_broken_among_three_hundred(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    Image.fromarray(np.full((32, 64, 3), (255, 0, 0), np.uint8)).save(folder / "0000.png")
    for number in range(1, 300):
        os.link(folder / "0000.png", folder / f"{number:04}.png")
    (folder / "0150.png").unlink()
    (folder / "0150.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert run(folder, "--model", "red", "--output", tmp_path / "out.json") == 1
    document = json.loads((tmp_path / "out.json").read_text())
    assert [Path(image["file"]).stem for image in document["images"]] == [
        f"{number:04}" for number in range(300) if number != 150
    ]
    assert all(len(image["detections"]) == 1 for image in document["images"])


def test_what_is_left_out_of_a_folder_is_counted_and_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.psd", "d.dng", "deep/plain", "a.xml", "classes.txt", "README.md"):
        (folder / name).write_text("x")
    page = Image.new("RGB", (64, 32))
    page.save(folder / "pages.tiff", save_all=True, append_images=[page] * 4)
    assert run("photos", "--model", "red") == 0
    out, err = capsys.readouterr()
    assert len(files(out)) == 6
    assert "note: 3 left out: no picture of a known kind (.avif, " in err
    assert "): photos/b.psd, photos/d.dng, photos/deep/plain\n" in err
    assert "note: photos/pages.tiff: has 5 pages or frames; only the first is looked at" in err
    assert [one["file"] for one in json.loads(out)["left_out"]] == [
        "photos/b.psd", "photos/d.dng", "photos/deep/plain"
    ]  # fmt: skip
    assert run("photos/*", "--model", "red") == 0
    assert "note: 2 left out: no picture of a known kind" in capsys.readouterr().err


def test_many_notes_are_cut_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = Image.new("RGB", (64, 32))
    page.save("00.gif", save_all=True, append_images=[Image.new("RGB", (64, 32), "red")])
    for number in range(1, 23):
        shutil.copyfile("00.gif", f"{number:02}.gif")
        Path(f"{number:02}.psd").touch()
    assert run(".", "--model", "red", "--format", "csv") == 0
    err = capsys.readouterr().err
    assert err.count("note: ") == 22
    assert "note: and 3 more such notes" in err
    assert "20.psd and 2 more\n" in err


@pytest.mark.parametrize("to", ["coco", "yolo", "voc", "cvat"])
def test_pictures_where_nothing_was_found_are_listed_for_a_person(
    to: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(folder, "--model", "red", "--format", to, "--output", out, "--threshold", "0.9") == 0
    err = capsys.readouterr().err
    where = f"{folder}/{EMPTY}" if to == "coco" else str(out / "nothing_found.md")
    assert "note: nothing was found on 1 of 5 images; labels without a box call them background" in err
    assert f"look at them before you train: {where}\n" in err
    if to == "coco":
        return
    assert f"\n- {EMPTY}\n" in (out / "nothing_found.md").read_text()
    if to == "voc":
        roots = {one.stem: ET.parse(one).getroot() for one in (out / "Annotations").rglob("*.xml")}
        assert {name for name, root in roots.items() if root.get("verified") == "no"} == {"empty"}
    (folder / EMPTY).unlink()
    assert run(folder, "--model", "red", "--format", to, "--output", tmp_path / "all") == 0
    assert "nothing was found" not in capsys.readouterr().err
    assert not (tmp_path / "all/nothing_found.md").exists()


def test_two_pictures_whose_labels_would_be_one_file(folder: Path, tmp_path: Path) -> None:
    shutil.copyfile(folder / "b.jpg", folder / "A.jpg")
    assert run(folder, "--model", "red", "--format", "voc", "--output", tmp_path / "out") == 1
    assert len(list((tmp_path / "out/Annotations").rglob("*.xml"))) == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["nowhere", "neither"], "2 problems"),
        (["*.tiff"], "*.tiff: matches no file"),
        (["*.zip"], "*.zip: matches 1 file, none of them a picture"),
        (["nothing"], "nothing: holds 0 files, none of them a picture"),
        (["text.zip"], "cannot be read as a zip archive"),
        (["photos", "--threshold", "2"], "--threshold 2.0 is not allowed; allowed: 0 to 1"),
        (["photos", "--tile", "1"], "--tile 1 is not allowed; allowed: 16 or more"),
        (["photos", "--max-pixels", "0"], "--max-pixels 0 is not allowed; allowed: 1 or more"),
        (["photos", "--format", "voc"], "say where with --output FOLDER"),
        (["photos", "--format", "yolo", "--output", "photos"], "photos: is there already"),
        (["photos", "--copy-images"], "--copy-images goes with yolo, voc, cvat, not with json"),
        (["photos", "--output", "no/such.json"], "no/such.json: cannot be written: no such folder"),
        (["photos", "--save-images", "text.zip"], "a file stands where a folder is needed"),
        (["photos", "--model", "nothing"], "nothing: is no model"),
        (["photos", "--model", "none"], "none: no such model"),
        pytest.param(["photos", "--model", "https://127.0.0.1:1/x.git"], "cannot be fetched", marks=pytest.mark.slow),
    ],
)
def test_a_user_s_mistake_ends_with_code_2_and_leaves_nothing(
    arguments: list[str],
    says: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "text.zip").write_text("text")
    before = sorted(tmp_path.rglob("*"))
    model = [] if "--model" in arguments else ["--model", "red"]
    assert run(*arguments, *model) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert out == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_a_huge_picture_is_refused_or_tiled(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.zeros((400, 900, 3), np.uint8)
    pixels[300:306, 700:712, 0] = 255
    Image.fromarray(pixels).save(tmp_path / "huge.png")
    assert run(tmp_path / "huge.png", "--model", "red", "--max-pixels", 300_000) == 1
    assert "has 900 x 400 pixels, more than the 300,000 allowed" in capsys.readouterr().err
    assert run(tmp_path / "huge.png", "--model", "red", "--tile", 64) == 0
    (image,) = json.loads(capsys.readouterr().out)["images"]
    assert [one["box"] for one in image["detections"]] == [[700, 300, 712, 306]]


@pytest.mark.slow
def test_the_folder_of_a_network_works_without_a_fuss(network_folder: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "humbleyolo", "predict", str(folder), "--model", str(network_folder)]
    done = subprocess.run([*command, "--threshold", "0.01"], capture_output=True, text=True)
    assert done.returncode == 0
    assert len(files(done.stdout)) == 5
    assert len(done.stderr.splitlines()) == 1  # nothing of TensorFlow's own
    detector = Detector.load(network_folder, threshold=0.01)
    for image in json.loads(done.stdout)["images"]:
        boxes = np.array([one["box"] for one in image["detections"]]).reshape(-1, 4)
        np.testing.assert_allclose(boxes, detector(image["file"]).boxes, atol=6e-4)


@pytest.mark.slow
def test_a_model_is_fetched_from_a_git_repository(
    network_folder: Path,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if shutil.which("git") is None:
        pytest.skip("needs git")
    # This process has computed, with threads that it cannot change.
    monkeypatch.setattr("humbleyolo.detection.backends.trained_model.set_threads", lambda _: None)
    repository, remote = tmp_path / "repository", tmp_path / "remote"
    (repository / "data").mkdir(parents=True)
    shutil.copytree(network_folder, repository / "data/model")
    evaluated = {"format": 2, "threshold": 0.02, "min_score": 0.01, "nms_iou": 0.5, "max_detections": 100}
    evaluated |= {
        "mirrored": "none",
        "whole_pixels": False,
        "weights_sha256": sha256_of(network_folder / "weights.npz"),
    }
    (repository / "data/model/selection.json").write_text(json.dumps(evaluated))

    added = ("data/model/weights.npz", "data/model/model.json", "data/model/selection.json")

    def call(*command: str) -> None:
        subprocess.run(command, cwd=repository, check=True, capture_output=True)

    for command in (
        ("git", "init", "--quiet"),
        ("git", "config", "user.email", "a@b.c"),
        ("git", "config", "user.name", "A"),
        (sys.executable, "-m", "dvc", "init", "--quiet"),
        (sys.executable, "-m", "dvc", "remote", "add", "--default", "there", str(remote)),
        (sys.executable, "-m", "dvc", "add", "--quiet", *added),
        ("git", "add", "."),
        ("git", "commit", "--quiet", "-m", "A model"),
        ("git", "tag", "v1"),
        (sys.executable, "-m", "dvc", "push", "--quiet"),
        ("git", "rm", "--quiet", "data/model/model.json.dvc"),
        ("git", "commit", "--quiet", "-m", "No model"),
    ):
        call(*command)

    def predict(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        return (run(folder, "--format", "csv", *arguments), *capsys.readouterr())

    url, low = f"file://{repository}", ("--threshold", "0.01")
    code, fetched, _ = predict("--model", url, "--revision", "v1", *low)
    assert code == 0
    assert fetched == predict("--model", network_folder, *low)[1]
    assert "detections from 0.02 on (the best on val)" in predict("--model", url, "--revision", "v1")[2]
    for revision, says in (
        (["--revision", "v9"], "at v9: cannot be fetched"),
        ([], "has no data/model/model.json that can be fetched"),
    ):
        code, _, said = predict("--model", url, *revision, *low)
        assert code == 2
        assert says in said


def test_a_name_that_is_not_there_prints_one_line() -> None:
    with pytest.raises(ProblemsError) as caught:
        NamedImages(["a\nerror: b.png"])
    (told,) = caught.value.problems
    assert told.startswith(r"a\nerror: b.png: ")
    assert "\n" not in told
