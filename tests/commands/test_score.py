"""`humbleyolo score` and `humbleyolo compare` on its results, as a user calls them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from detection_forms import detectron2, name_of, table, write_coco
from PIL import Image
from scoring_cases import table_of_detections, table_of_truths
from stub_models import RedFinder

from humbleyolo.cli import main

NAMES = ["chat", "rat"]
IMAGES = 12
TRUTHS = table_of_truths(
    IMAGES, [(image, [20 + 60 * at, 30, 40, 50], (image + at) % 2, False) for image in range(IMAGES) for at in (0, 1)]
)


def found(width: float, top_score: float = 0.9):
    """A detection of each object, of this width (40 is right)."""
    boxes = zip(TRUTHS.images.tolist(), TRUTHS.boxes_ltwh.tolist(), TRUTHS.labels.tolist(), strict=True)
    return table_of_detections(
        IMAGES,
        [(i, [x, y, width, h], label, top_score - 0.01 * at) for at, (i, (x, y, _, h), label) in enumerate(boxes)],
    )


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # no project is here
    return write_coco(tmp_path / "labels", TRUTHS, NAMES)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    return int(ended.value.code or 0)


def test_everything_is_printed_and_written(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "params.yaml").write_text("lr: 0.1\n")  # another program's
    detectron2(tmp_path / "r.json", found(36))
    assert run("score", "labels", "r.json", "--output", "out") == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert said.startswith("note: params.yaml is another program's;")
    for words in ("12 images, 24 objects, 2 classes; coco", "24 of 24 in", "ap75", "voc_ap", "localisation", "chat"):
        assert words in said
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert written >= {
        "metrics.json",
        "labels.json",
        "detections.json",
        "report.html",
        "confusion.csv",
        "intervals.csv",
    }
    assert json.loads((tmp_path / "out/metrics.json").read_text())["ap50"] == 1
    page = (tmp_path / "out/report.html").read_text()
    assert "All 12 test images are here" in page
    assert "the best F1 on these very labels" in page
    assert 'id="ceiling"' not in page
    assert 'id="data"' not in page
    assert '<span hidden><input type="checkbox" id="with-cells">' in page


def test_a_coco_file_alone_gives_the_numbers_and_a_page_of_boxes_and_no_model_is_scored(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detectron2(tmp_path / "r.json", found(36))
    file = (labels / "annotations.json").rename(tmp_path / "instances_val.json")
    assert run("score", file, "r.json", "--output", "out") == 0
    said = capsys.readouterr().out
    assert "12 images, 24 objects, 2 classes; coco" in said
    assert "note: labels without images: sizes as they state; the report shows boxes on grey" in " ".join(
        said.split()
    )
    assert max(map(len, said.splitlines())) <= 80
    page = (tmp_path / "out/report.html").read_text()
    assert "All 12 test images are here" in page
    assert "labels without images" in page
    (tmp_path / "model.onnx").touch()
    assert run("score", file, "model.onnx") == 2
    assert "holds labels alone, and a model needs the images" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_results_are_compared_and_a_worse_one_is_exit_code_1(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, width in (("good", 39), ("bad", 26)):
        detections = detectron2(tmp_path / f"{name}.json", found(width))
        assert run("score", labels, detections, "--output", tmp_path / name) == 0
    capsys.readouterr()
    assert run("compare", "good", "bad") == 1
    assert "AP of B is lower by more than chance" in capsys.readouterr().out
    assert run("compare", "bad", "good") == 0
    assert run("compare", "good", "good") == 0
    assert "A and B are the same" in capsys.readouterr().out

    assert run("compare", "good") == 2
    assert (
        capsys.readouterr().err
        == "error: good: is compared with what? Give REV_B too, or run this in the project's folder\n"
    )
    assert run("compare", "good", "none") == 2
    assert "none: is no folder that `score --output` wrote" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    (tmp_path / "half/metrics.json").write_text("{}")
    for words, told in (
        (("empty", "half"), "empty: holds no metrics.json"),
        (("good", "half"), "half: holds no labels.json"),
        (("empty",), "empty: holds no metrics.json"),
        (("good", "bad.json"), "bad.json: is no folder"),
    ):
        assert run("compare", *words) == 2
        assert capsys.readouterr().err == f"error: {told}; give a folder that `humbleyolo score --output` wrote\n"
    again = "write it again with `humbleyolo score --output`"
    for name, content, words in (
        ("metrics.json", "{", "metrics.json: is damaged, or no JSON"),
        ("detections.json", "[7]", "detections.json: 1 problem\n"),
        (
            "labels.json",
            (tmp_path / "bad/labels.json").read_text().replace(",50.0]", "]"),
            "bbox [20.0, 30.0, 40.0] is",
        ),
    ):
        kept = (tmp_path / f"bad/{name}").read_text()
        (tmp_path / f"bad/{name}").write_text(content)
        assert run("compare", "good", "bad") == 2
        told = capsys.readouterr().err
        assert words in told
        assert again in told
        assert "dvc" not in told
        (tmp_path / f"bad/{name}").write_text(kept)
    file = tmp_path / "bad/labels.json"
    whole = file.read_text()
    for old, new, words in (
        (name_of(3), "other.png", f"test images: {name_of(3)}, and other.png in its place"),
        ("[20.0,30.0,40.0,50.0]", "[20.0,30.0,40.0,51.0]", "the objects in the test images differ"),
        ("chat", "chien", "classes: the first alone has chat, the second chien"),
    ):
        assert old in whole
        file.write_text(whole.replace(old, new))
        assert run("compare", "good", "bad") == 2
        assert words in capsys.readouterr().err


def test_a_model_brings_its_threshold_and_is_scored_on_shared_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("humbleyolo.detection.detector.open_model", lambda *_: RedFinder(threshold=0.4))
    truths = table_of_truths(4, [(image, [32, 8, 16, 16], image % 2, False) for image in range(4)])
    folder = write_coco(tmp_path / "labels", truths, ["souris", "rat"])
    for image in range(4):  # the model finds a rat in each
        pixels = np.zeros((32, 64, 3), np.uint8)
        pixels[8:24, 32:48, 0] = 255 if image else 120
        Image.fromarray(pixels).save(folder / name_of(image))
    text = (folder / "annotations.json").read_text()
    text = text.replace("512", "64").replace("1024", "32")
    (folder / "annotations.json").write_text(text)
    assert run("score", folder, "red.onnx", "--output", "out") == 0
    said = capsys.readouterr().out
    assert "threshold: 0.400, the model's: a test" in said
    assert "left out: 0 detections of classes that the labels lack: chat" in said
    assert "left out: 2 objects of classes that the model lacks: souris" in said
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert (metrics["images"], metrics["objects"], metrics["detections"], metrics["recall"]) == (4, 2, 4, 1)
    (folder / "annotations.json").write_text(text.replace("rat", "loir"))
    assert run("score", folder, "red.onnx") == 2
    assert (
        "red.onnx: knows chat, rat; none is a class of the labels, which have souris, loir" in capsys.readouterr().err
    )
    many = json.loads(text.replace("rat", "loir"))
    many["categories"] += [{"id": number, "name": f"kind{number}"} for number in range(100, 110)]
    (folder / "annotations.json").write_text(json.dumps(many))
    assert run("score", folder, "red.onnx") == 2
    assert "kind106, kind107 and 2 more" in " ".join(capsys.readouterr().err.split())


def test_mistakes_of_a_user_are_exit_code_2_before_the_work(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = detectron2(tmp_path / "r.json", found(36))
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").touch()
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "a.onnx").touch()
    named = table(tmp_path / "named.csv", found(36), NAMES)
    for arguments, words in (
        (("none", path), "none: no such file or folder"),
        ((labels, "none.json"), "none.json: no such file or folder; give a JSON file"),
        ((labels, "empty.json"), "holds no detection"),
        ((labels, path, "--threshold", "2"), "--threshold 2.0 is not allowed; allowed: 0 to 1"),
        ((labels, path, "--split", "val"), "its lists: none; if `dvc repro` divided it, score data/dataset/val"),
        ((labels, path, "--output", "there"), "there: is there already"),
        ((labels, path, "--image-ids", "name"), "no detection is of an image of the labels"),
        ((labels, named, "--categories", "foo"), f"--categories foo: is for numbers, and {named} has its classes by"),
        ((labels, named, "--image-ids", "file"), f"--image-ids file: is for numbers, and {named} has its images by"),
        ((labels, "a.onnx", "--categories", "0"), "--categories 0: is for a file of detections, and a.onnx is"),
        ((labels, "a.onnx", "--image-ids", "file"), "--image-ids file: is for a file of detections, and a.onnx is"),
    ):
        assert run("score", *arguments) == 2
        told = capsys.readouterr()
        assert words in told.err
        assert not told.out
    assert not (tmp_path / "out").exists()


def test_mistakes_in_labels_stop_it_unless_they_are_to_be_left_out(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = detectron2(tmp_path / "r.json", found(36))
    text = (labels / "annotations.json").read_text()
    (labels / "annotations.json").write_text(text.replace("[20.0, 30.0, 40.0, 50.0]", "[20.0, 30.0, 0.0, 50.0]", 1))
    assert run("score", labels, path) == 2
    assert "--on-problem skip" in capsys.readouterr().err
    assert run("score", labels, path, "--on-problem", "skip") == 0
    said = capsys.readouterr().out
    assert "11 images, 22 objects" in said
    assert "1 mistake in the labels left out, and 1 of 12 images" in said
    assert run("score", labels, path, "--on-problem", "skip_box") == 0
    assert "12 images, 23 objects" in capsys.readouterr().out


@pytest.mark.slow
def test_detections_are_scored_without_tensorflow(labels: Path, tmp_path: Path) -> None:
    path = detectron2(tmp_path / "r.json", found(36))
    code = f"""
import sys
from humbleyolo.cli import main
try:
    main(["score", {str(labels)!r}, {str(path)!r}, "--output", "out"])
finally:
    print(sorted(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "'humbleyolo.scoring.scored_detections'" in done.stdout
    for heavy in ("'tensorflow'", "'keras'", "'dvc'"):
        assert heavy not in done.stdout
