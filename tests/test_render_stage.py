"""The render stage on a small split: its picture, its mistakes, and what it does without."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from humbleyolo.archive import Archive, ArchiveWriter
from humbleyolo.encoded import encode_archive
from humbleyolo.errors import UserError
from humbleyolo.gallery import first_examples
from humbleyolo.grid import Grid
from humbleyolo.params import Render
from humbleyolo.png import encode_png
from humbleyolo.scoring.metrics import measure
from humbleyolo.scoring.results import read_detections, write_detections, write_metrics
from humbleyolo.scoring.tables import DetectionTable, TruthTable
from stages.render import render

SETTINGS = Render(images=4, columns=2, scale=3, min_score=0.5)
NAMES = ["chat", "<b>" * 60]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with a test split of six images, encoded, and an evaluation of it."""
    rng = np.random.default_rng(0)
    truths = []
    with ArchiveWriter(tmp_path / "test.zip", NAMES) as archive:
        for number in range(6):
            image = rng.integers(0, 256, (24, 40, 3), np.uint8)
            boxes = np.array([[2.5, 3, 10, 8], [20, 4, 30, 30]])[: number % 3]  # the second leaves the image
            labels = np.arange(len(boxes))
            archive.add(f"{number:06}.png", encode_png(image), 24, 40, boxes, labels)
            truths.append((boxes, labels, None))
    list(encode_archive(tmp_path / "test.zip", Grid(32, 32, 2, 4, 1, 2), 0, tmp_path / "grid"))
    known = TruthTable.gather(truths)
    found = DetectionTable(6, known.images, known.boxes_ltwh + 1, known.labels, rng.random(len(known)))
    (tmp_path / "evaluation").mkdir()
    write_detections(tmp_path / "evaluation/detections.json", found)
    write_metrics(tmp_path / "evaluation/metrics.json", measure(known, found, NAMES))
    return tmp_path


def run(project: Path, settings: Render = SETTINGS, out: str = "render") -> Path:
    render(settings, project / "test.zip", project / "grid", project / "evaluation", project / out)
    return project / out / "gallery.png"


def test_the_gallery_is_the_same_bytes_every_time(project: Path) -> None:
    first, second = run(project), run(project, out="again")
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert picture.width > 2 * 2 * 40 * 3


def test_fewer_images_than_asked_for_are_all_drawn(project: Path) -> None:
    many = Render(images=100, columns=3, scale=1, min_score=0.0)
    assert render(many, project / "test.zip", project / "grid", project / "evaluation", project / "out") == 6


def test_the_threshold_decides_what_is_drawn(project: Path) -> None:
    with Archive(project / "test.zip") as archive:
        found = read_detections(project / "evaluation/detections.json", len(archive), len(archive.categories))
        shown = first_examples(archive, found, 4, 0.5)
    wanted = found.take((found.scores >= 0.5) & (found.images < 4))
    assert 0 < len(wanted) < len(found)
    assert sorted(score for example in shown for score in example.scores) == sorted(wanted.scores)
    assert [len(example.truth_labels) for example in shown] == [0, 1, 2, 0]


def test_no_detections_and_undefined_metrics_still_draw(project: Path) -> None:
    (project / "evaluation/detections.json").write_text("[]")
    (project / "evaluation/metrics.json").write_text(
        '{"ap": null, "ap50": null, "ap75": null, "mean_iou": null}'
    )
    assert run(project).stat().st_size > 0


def test_thousands_of_detections_on_one_image_draw(project: Path) -> None:
    entry = {"image_id": 2, "category_id": 2, "bbox": [1, 1, 20, 20], "score": 0.9}
    (project / "evaluation/detections.json").write_text(json.dumps([entry] * 3000))
    assert run(project).stat().st_size > 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("evaluation/detections.json", None, "detections.json: no such file; run `dvc repro evaluate`"),
        ("evaluation/detections.json", "[{", "detections.json: is damaged"),
        ("evaluation/detections.json", '{"images": []}', "detections.json: is a dict, not a list"),
        (
            "evaluation/detections.json",
            '[{"image_id": 7, "category_id": 1, "bbox": [1, 1, 1, NaN], "score": 1}]',
            "(?s)entry 0: image_id 7 is unknown; allowed: 1 to 6.*entry 0: bbox .*NaN",
        ),
        ("evaluation/metrics.json", None, "metrics.json: no such file; run `dvc repro evaluate`"),
        ("evaluation/metrics.json", "", "metrics.json: is damaged"),
        ("evaluation/metrics.json", "[]", "metrics.json: is a list"),
        (
            "evaluation/metrics.json",
            '{"ap": 1, "ap50": "x", "ap75": NaN}',
            '(?s)ap50 is "x"; allowed: .*ap75 is NaN.*mean_iou is missing.*dvc repro evaluate',
        ),
        ("test.zip", None, "test.zip: no such file"),
        ("test.zip", "PK", "test.zip"),
        ("grid/split.json", None, "split.json: no such file; run `dvc repro encode`"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(
    project: Path, name: str, content: str | None, message: str
) -> None:
    if content is None:
        (project / name).unlink()
    else:
        (project / name).write_text(content)
    with pytest.raises(UserError, match=message):
        run(project)
    assert not (project / "render").exists()


def test_the_stage_never_imports_tensorflow() -> None:
    code = "import sys, stages.render; sys.exit('tensorflow' in sys.modules)"
    root = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
