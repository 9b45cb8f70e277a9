import json

import numpy as np
import pytest

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.errors import UserError
from humbleyolo.evaluation.mistakes import MISTAKES
from humbleyolo.evaluation.next_steps import Advice
from humbleyolo.geometry.grid import Grid
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.report.evaluation_reader import read_advice, read_evaluation
from humbleyolo.report.page_contents import EXPLAINED

GRID = Grid(64, 64, 2, 4, 2, 3)


def test_each_kind_that_evaluate_writes_is_explained():
    assert sorted(EXPLAINED) == sorted(MISTAKES)


def read(project):
    with ArchivedSplit(project / "dataset/test") as archive:
        return read_evaluation(
            project / "evaluation", TruthTable.from_archive(archive), len(archive.categories), GRID
        )


def test_judgements_point_at_rows_of_their_own_image(evaluated):
    evaluation = read(evaluated)
    judged, found = evaluation.judgements, evaluation.detections
    with ArchivedSplit(evaluated / "dataset/test") as archive:
        truths = TruthTable.from_archive(archive)
    made, known = judged.detections >= 0, judged.truths >= 0
    np.testing.assert_array_equal(found.images[judged.detections[made]], judged.images[made])
    np.testing.assert_array_equal(truths.images[judged.truths[known]], judged.images[known])
    assert set(judged.kinds[~made]) == {"missed"}
    assert set(judged.kinds) >= {"missed", "correct"}
    assert list(judged.wrong()) == [kind in MISTAKES for kind in judged.kinds]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda metrics: metrics.pop("format"),
            "a version without a format; expected format 2(?s:.*)dvc repro evaluate",
        ),
        (lambda metrics: metrics.update(format=0), "of format 0; expected"),
        (lambda metrics: metrics.update(format="1"), "of format '1'; expected"),
        (lambda metrics: metrics.update(ap="x", ap50=[]), r"(?s)ap is 'x'; allowed: .*ap50 is \[\]"),
        (lambda metrics: metrics.update(ap50=float("nan")), "damaged, or no JSON .line 1: NaN"),
        (lambda metrics: metrics.update(ap=True), "ap is True"),
        (lambda metrics: metrics.pop("per_class"), "per_class is missing"),
        (lambda metrics: metrics.update(per_class={"chat": 1}), "per_class is missing, or no numbers"),
        (lambda metrics: metrics["per_class"]["chat"].update(ap=[]), r"per_class: chat: ap is \[\]"),
    ],
)
def test_metrics_of_another_version_or_damaged_are_an_error(evaluated, change, message):
    path = evaluated / "evaluation/metrics.json"
    metrics = json.loads(path.read_text())
    change(metrics)
    path.write_text(json.dumps(metrics))
    with pytest.raises(UserError, match=message):
        read(evaluated)


HEAD = "image_id,detection,truth,kind,predicted,truth_class,score,iou\n"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("13,0,,background,a,,0.5,", "line 2: image_id 13 is unknown; allowed: 1 to 12"),
        ("0,0,,background,a,,0.5,", "image_id 0 is unknown"),
        ("1,999,,background,a,,0.5,", "detection 999 is unknown; allowed: 0 to"),
        ("1,,0,missed,,a,,", "truth 0 is unknown; allowed: 1 to"),
        ("1,0,1,wrong,a,a,0.5,0.5", "kind 'wrong'; allowed: correct, classification, localisation"),
        ("1,0,,missed,a,,0.5,", "kind 'missed' without a truth"),
        ("1,,1,background,,a,,", "kind 'background' without a detection"),
    ],
)
def test_a_judgement_of_what_does_not_exist_is_an_error(evaluated, row, message):
    (evaluated / "evaluation/judged.csv").write_text(HEAD + row + "\n")
    with pytest.raises(UserError, match=message):
        read(evaluated)


@pytest.mark.parametrize(
    "array", [np.zeros((12, 2, 4, 1), np.float32), np.zeros((12, 2, 4, 2)), np.zeros((3, 2, 4, 2), np.float32)]
)
def test_confidences_of_another_grid_are_an_error(evaluated, array):
    np.save(evaluated / "evaluation/confidence.npy", array)
    with pytest.raises(UserError, match=r"confidence.npy: holds .* expected float32 \(12, 2, 4, 2\); run"):
        read(evaluated)


@pytest.mark.parametrize("content", [b"", b"x" * 200, b"\x93NUMPY\x01\x00"])
def test_confidences_that_are_no_array_are_an_error(evaluated, content):
    (evaluated / "evaluation/confidence.npy").write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as an array"):
        read(evaluated)


def test_advice_is_read_as_it_was_written(tmp_path):
    advice = Advice(["under the floor"], ["more images", "<b>"])
    advice.write(tmp_path)
    assert read_advice(tmp_path / "next_steps.json") == advice


@pytest.mark.parametrize("content", [{}, {"warnings": []}, {"warnings": [], "next_steps": [1]}, [], "x"])
def test_anything_else_is_refused_as_advice(tmp_path, content):
    (tmp_path / "next_steps.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"next_steps.json: .*dvc repro evaluate"):
        read_advice(tmp_path / "next_steps.json")
