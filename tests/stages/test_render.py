"""The render stage on a small split: its pictures and its report, and mistakes in its inputs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from evaluated_project import NAMES, make_project, run, settings
from PIL import Image
from repository import ROOT
from split_writer import write_split

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.errors import UserError
from humbleyolo.evaluation.result_files import read_detections
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.report import page_contents
from humbleyolo.report.evaluation_reader import read_evaluation
from humbleyolo.report.gallery_examples import first_examples
from humbleyolo.storage.png import encode_png
from stages.render import HASHED, render

OUTPUTS = ["cells.png", "gallery.png", "mistakes.png", "report.html"]


def no_detections(images: int) -> DetectionTable:
    """Return a table without rows."""
    none = np.zeros(0, np.int64)
    return DetectionTable(images, none, np.zeros((0, 4)), none, np.zeros(0))


def gallery(out: Path) -> dict:
    """Return the data of the report's gallery."""
    html = (out / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="gallery-data">(.*?)</script>', html, re.DOTALL)
    return json.loads(found.group(1))


def test_it_writes_three_pictures_and_the_report(evaluated: Path) -> None:
    out = evaluated / "render"
    made = render(settings(), *(evaluated / name for name in ("dataset", "grid", "model", "evaluation")), out)
    assert made.next_steps == [f"open {out / 'report.html'} in a browser"]
    assert sorted(path.name for path in out.iterdir()) == OUTPUTS
    for name in OUTPUTS[:3]:
        with Image.open(out / name) as picture:
            picture.load()
            assert picture.format == "PNG"
            assert picture.width > 2 * 64 * 3
    assert len(gallery(out)["images"]) == 12


def test_the_threshold_decides_what_is_drawn_in_the_gallery(evaluated: Path) -> None:
    with ArchivedSplit(evaluated / "dataset/test") as archive:
        found = read_detections(evaluated / "evaluation/detections.json", len(archive), len(archive.categories))
        shown = first_examples(archive, found, 4, 0.5)
    wanted = found.take((found.scores >= 0.5) & (found.images < 4))
    assert 0 < len(wanted) < len(found)
    assert sorted(score for example in shown for score in example.scores) == sorted(wanted.scores)
    assert [len(example.truth_labels) for example in shown] == [0, 1, 2, 3]


def test_the_galleries_draw_what_mistakes_are_judged_at(evaluated: Path) -> None:
    with ArchivedSplit(evaluated / "dataset/test") as archive:
        found = read_evaluation(evaluated / "evaluation", TruthTable.from_archive(archive), len(NAMES), None)
        shown = first_examples(archive, found.detections, 12, found.metrics["threshold"])
    judged = found.judgements
    wanted = np.bincount(judged.images[judged.detections >= 0], minlength=12)
    assert 0 < wanted.sum() < len(found.detections)
    assert [len(example.labels) for example in shown] == wanted.tolist()
    own, same, higher = (
        run(evaluated, name, **changes)
        for name, changes in (
            ("own", {}),
            ("same", {"min_score": found.metrics["threshold"]}),
            ("higher", {"min_score": found.metrics["threshold"] + 0.2}),
        )
    )
    for name in OUTPUTS[:2]:
        drawn = (own / name).read_bytes()
        assert drawn == (same / name).read_bytes()
        assert drawn != (higher / name).read_bytes()


def test_what_is_drawn_follows_the_parameters(evaluated: Path) -> None:
    few, many = run(evaluated, "few", images=2, cells=1, mistakes=1), run(evaluated, "many")
    for name in OUTPUTS[:3]:
        with Image.open(few / name) as small, Image.open(many / name) as large:
            assert small.width * small.height < large.width * large.height
    assert [image["w"] for image in gallery(run(evaluated, "small", report_px=16))["images"]] == [64] * 12


@pytest.mark.slow
def test_images_are_left_out_of_a_report_that_would_be_too_large(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "dataset").mkdir()
    with write_split(tmp_path / "dataset/test", NAMES) as archive:
        for number in range(120):
            photo = rng.integers(0, 256, (200, 200, 3), np.uint8)
            archive.add(f"{number:06}.png", encode_png(photo), 200, 200, [[20.0, 20.0, 90.0, 90.0]], [0])
    out = run(make_project(tmp_path, images=120, grid=(2, 2, 1)), report_mb=1.0, scale=1)
    assert 0.95e6 < (out / "report.html").stat().st_size <= 1e6
    shown = len(gallery(out)["images"])
    assert 0 < shown < 120
    assert f"{shown} of 120 test images are here, those with the most mistakes" in (out / "report.html").read_text()
    few = run(tmp_path, "few", report_images=3, scale=1)
    assert gallery(few)["images"] == gallery(out)["images"][:3]
    assert gallery(run(tmp_path, "none", report_images=0, scale=1))["images"] == []


def test_no_detections_at_all(tmp_path: Path) -> None:
    project = make_project(tmp_path, detections=no_detections(12))
    out = run(project)
    assert "no confidence threshold at which" in " ".join((out / "report.html").read_text().split())
    assert all(truth[5] == 1 for image in gallery(out)["images"] for truth in image["t"])


def test_one_image_without_objects(tmp_path: Path) -> None:
    assert len(gallery(run(make_project(tmp_path, images=1)))["images"]) == 1


def test_one_class_and_one_object(tmp_path: Path) -> None:
    out = run(make_project(tmp_path, names=["one"], images=2))
    assert gallery(out)["names"] == ["one"]


def test_a_class_without_objects_or_numbers(evaluated: Path) -> None:
    path = evaluated / "evaluation/metrics.json"
    metrics = json.loads(path.read_text())
    del metrics["per_class"]["rat"]
    path.write_text(json.dumps(metrics))
    assert '<bdi class="name" title="rat">rat</bdi>' in (run(evaluated) / "report.html").read_text()


def test_thousands_of_detections_on_one_image(tmp_path: Path) -> None:
    count = 5000
    rng = np.random.default_rng(0)
    crowd = DetectionTable(
        12, np.full(count, 3, np.int64), rng.uniform(1, 30, (count, 4)), rng.integers(0, 3, count), rng.random(count)
    )
    out = run(make_project(tmp_path, detections=crowd))
    (image,) = [image for image in gallery(out)["images"] if image["d"]]
    assert len(image["d"]) + image["more"] == count
    assert (out / "report.html").stat().st_size < 1e6


def test_a_truth_larger_than_its_image(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    with write_split(tmp_path / "dataset/test", ["a", "b"]) as archive:
        for number in range(2):
            image = encode_png(np.zeros((20, 30, 3), np.uint8))
            archive.add(f"{number}.png", image, 20, 30, [[-500.0, -400.0, 1030.0, 820.0]], [1])
    out = run(make_project(tmp_path, names=["a", "b"], images=2))
    assert gallery(out)["images"][0]["t"][0][:4] == [-500, -400, 1030, 820]


def test_any_name_of_a_class(tmp_path: Path) -> None:
    names = ["n" * 200, "עכבר גדול", "🐀🐁" * 100, "<script>alert(1)</script>", " ", "é\u0301", "rat"]
    assert gallery(run(make_project(tmp_path, names=names)))["names"] == names


def test_more_classes_than_a_matrix_can_show(tmp_path: Path) -> None:
    html = (
        run(make_project(tmp_path, names=[f"class {number}" for number in range(120)])) / "report.html"
    ).read_text()
    assert "The largest confusions" in html
    assert 'class="matrix"' not in html
    assert html.count('<option value="119">') <= 2


EVALUATION_FILES = [
    "confidence.npy",
    "confusion.csv",
    "detections.json",
    "intervals.csv",
    "iou_histogram.csv",
    "judged.csv",
    "metrics.json",
    "mistakes.csv",
    "next_steps.json",
    "precision_recall.csv",
    "precision_recall_by_class.csv",
    "reliability.csv",
    "thresholds.csv",
]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        *((f"evaluation/{name}", "evaluate") for name in EVALUATION_FILES),
        ("dataset/test/all.zip", "generate"),
        ("dataset/summary.json", "generate"),
        ("grid/test/all/split.json", "encode"),
        ("grid/report.json", "encode"),
        ("model/model.json", "train"),
        ("model/history.csv", "train"),
        ("model/weights.npz", "train"),
    ],
)
@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_missing_or_damaged_file_is_named_and_nothing_is_written(
    evaluated: Path, name: str, command: str, content: bytes | None
) -> None:
    if name == "model/weights.npz" and content is not None:
        return  # their hash is shown, and no more is done with them
    (evaluated / name).unlink()
    if content is not None:
        (evaluated / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"(?s){re.escape(Path(name).parts[-1])}|grid.test") as caught:
        run(evaluated)
    assert f"dvc repro {command}" in str(caught.value)
    assert not (evaluated / "render").exists()


@pytest.mark.parametrize(
    ("name", "stage"), [("all.zip", "generate"), ("weights.npz", "train"), *((name, "evaluate") for name in HASHED)]
)
def test_a_file_that_cannot_be_hashed_names_the_stage_that_makes_it(
    evaluated: Path, name: str, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path) -> str:
        if path.name == name:
            raise OSError(5, "Input/output error")
        return "0" * 64

    monkeypatch.setattr(page_contents, "sha256_of", fails)
    told = f"{name}: cannot be read: Input/output error; run `dvc repro {stage}`"
    with pytest.raises(UserError, match=re.escape(told)):
        run(evaluated)


def test_a_model_and_data_of_another_grid_or_classes_are_an_error(evaluated: Path, tmp_path: Path) -> None:
    other = make_project(tmp_path / "other", names=["one"], images=3)
    (evaluated / "grid/test").rename(evaluated / "grid/away")
    (other / "grid/test").rename(evaluated / "grid/test")
    message = r"(?s)split has 'one', the archives .*3 images, the archives 12\nrun `dvc repro encode`"
    with pytest.raises(UserError, match=message):
        run(evaluated)


def test_the_stage_never_imports_tensorflow() -> None:
    code = "import sys, stages.render; sys.exit('tensorflow' in sys.modules)"
    root = ROOT
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
