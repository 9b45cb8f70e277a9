"""Detections measured against labels, in every form that they come in."""

import contextlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from detection_forms import (
    QUICK,
    detectron2,
    joined,
    labels_in,
    name_of,
    scored,
    table,
    ultralytics,
    write_coco,
    yolo_text,
)
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from repository import ROOT
from scoring_cases import random_case, table_of_detections
from wcwidth import wcswidth

from humbleyolo.dataset.coco_json import RESULT_FIELDS
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.detections import Detections
from humbleyolo.metrics.coco_metrics import score as coco_score
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.scoring.score_folder import read_result, write_result
from humbleyolo.scoring.score_text import COCO as COCO_NAMES
from humbleyolo.scoring.score_text import report_lines
from humbleyolo.scoring.scored_detections import PAGE, SETTINGS, join_model, score, settings_here
from tests.metrics.test_coco_metrics import flat, pycocotools_scores

SEEDS = [seed for seed in range(40) if all(len(part) > 5 for part in random_case(seed)[:2])][:6]


def numbers(found: dict[str, object]) -> list[float | None]:
    return flat({name: found[name] for name in (*COCO_NAMES, "per_class")})


@pytest.mark.parametrize("seed", SEEDS)
def test_every_form_of_the_same_detections_has_the_numbers_of_pycocotools(seed: int, tmp_path: Path) -> None:
    truths, detections, names = random_case(seed)
    truths = replace(truths, areas=truths.areas * np.random.default_rng(seed).uniform(0, 1, len(truths)))  # of masks
    folder = write_coco(tmp_path / "labels", truths, names)
    expected = pycocotools_scores(truths, detections, len(names))
    detections = detections.take(detections.order())  # that of equal scores in the file
    forms = [
        (detectron2(tmp_path / "results.json", detections), {}),
        (ultralytics(tmp_path / "predictions.json", detections), {"image_ids": "name", "categories": "1"}),
        (ultralytics(tmp_path / "older.json", detections, 0), {"image_ids": "name", "categories": "0"}),
        (ultralytics(tmp_path / "newer.json", detections, file_names=True), {"categories": "1"}),
        (yolo_text(tmp_path / "text", detections), {"categories": "0"}),
        (table(tmp_path / "table.csv", detections, names), {}),
    ]
    for path, readings in forms:
        assert numbers(scored(folder, path, **readings).found.metrics) == pytest.approx(expected, abs=1e-9), path.name


def case() -> tuple[object, DetectionTable, list[str]]:
    truths, detections, names = random_case(SEEDS[0])
    return replace(truths, crowd=np.zeros(len(truths), np.bool_)), detections, names


def test_perfect_detections_have_an_ap_of_1_and_no_mistake(tmp_path: Path) -> None:
    truths, _, names = case()
    perfect = DetectionTable(
        truths.image_count, truths.images, truths.boxes_ltwh, truths.labels, np.linspace(0.9, 0.4, len(truths))
    )
    found = scored(write_coco(tmp_path / "labels", truths, names), detectron2(tmp_path / "p.json", perfect)).found
    assert (found.metrics["ap"], found.metrics["voc_ap"], found.metrics["f1"]) == (1, 1, 1)
    assert found.tables["mistakes"]["count_all"].sum() == 0


def test_the_threshold_is_the_best_on_these_labels_or_the_one_given(tmp_path: Path) -> None:
    truths, detections, names = case()
    folder, path = write_coco(tmp_path / "labels", truths, names), detectron2(tmp_path / "r.json", detections)
    with labels_in(folder) as labels:
        found = joined(labels, path).detections
        best = score(labels, found, QUICK, None)
        given = score(labels, found, QUICK, (0.25, "as told"))
        elsewhere = replace(found, boxes_ltwh=found.boxes_ltwh + 5000)
        wrong = score(labels, elsewhere, QUICK, None)
    assert "the best F1 on these very labels" in " ".join(report_lines(best))
    assert "threshold: 0.250, as told" in report_lines(given)
    assert "threshold: none, since no detection is right" in report_lines(wrong)
    assert best.found.metrics["f1"] >= given.found.metrics["f1"]
    assert best.found.metrics["ap"] == given.found.metrics["ap"]


def test_a_threshold_is_no_lower_than_any_score_of_the_file(tmp_path: Path) -> None:
    """Where the best F1 takes all, half of the lowest score would be a threshold that no detection comes near."""
    truths, _, names = case()
    scores = np.linspace(0.9, 0.4, len(truths))
    perfect = DetectionTable(truths.image_count, truths.images, truths.boxes_ltwh, truths.labels, scores)
    done = scored(write_coco(tmp_path / "labels", truths, names), detectron2(tmp_path / "p.json", perfect))
    assert "threshold: 0.400, the best F1 on these very labels: somewhat too good; it takes all detections" in (
        " ".join(" ".join(report_lines(done)).split())
    )
    assert (done.found.metrics["f1"], done.found.metrics["threshold"]) == (1, 0.4)
    best = [row["best_threshold"] for row in done.found.metrics["per_class"].values() if row["objects"]]
    assert best == [scores[truths.labels == label].min() for label in np.unique(truths.labels)]


@pytest.mark.parametrize("long", ["long" * 30, "日本 語 " * 30 + "終"])
def test_the_text_fits_80_columns_whatever_the_names(long: str, tmp_path: Path) -> None:
    truths, detections, names = case()
    names = [f"{name} {long}" for name in names]
    folder, path = write_coco(tmp_path / "labels", truths, names), detectron2(tmp_path / "r.json", detections)
    lines = list(report_lines(scored(folder, path)))
    assert len(lines) < 60
    assert max(map(wcswidth, lines)) <= 80
    header, *rows = [line for line in lines if line.startswith(("class ", *(name[:5] for name in names)))]
    assert {wcswidth(row) for row in rows} == {wcswidth(header)}


def test_low_scores_that_were_left_out_are_told(tmp_path: Path) -> None:
    truths, detections, names = case()
    some = detections.take(detections.scores > 0.5)
    with labels_in(write_coco(tmp_path / "l", truths, names)) as labels:
        said = " ".join(joined(labels, detectron2(tmp_path / "r.json", some)).told)
    assert f"no score is below {some.scores.min():.2f}" in said


def test_a_result_is_read_back_as_the_run_that_was_measured(tmp_path: Path) -> None:
    truths, detections, names = case()
    truths = replace(truths, areas=truths.areas / 3, difficult=np.arange(len(truths)) % 3 == 0)
    one = scored(write_coco(tmp_path / "labels", truths, names), detectron2(tmp_path / "r.json", detections))
    (tmp_path / "out").mkdir()
    write_result(tmp_path / "out", one)
    run = read_result(tmp_path / "out")
    assert run.categories == tuple(names)
    assert run.file_names == tuple(map(name_of, range(truths.image_count)))
    assert run.threshold == one.found.metrics["threshold"]
    for column in ("images", "labels", "crowd", "difficult", "areas", "boxes_ltwh"):
        assert np.array_equal(getattr(run.truths, column), getattr(one.labels.truths, column))
    assert json.loads((tmp_path / "out/metrics.json").read_text())["ap"] == one.found.metrics["ap"]
    (tmp_path / "out/labels.json").write_text('{"images": [], "categories": [], "annotations": [{}]}')
    with pytest.raises(UserError, match=r"labels.json: is damaged"):
        read_result(tmp_path / "out")


def test_a_model_is_scored_on_the_classes_that_the_labels_share(tmp_path: Path) -> None:
    truths, detections, names = next(random_case(seed) for seed in SEEDS if len(random_case(seed)[2]) >= 3)
    model = ("another", names[2], names[0])  # not the labels' second class, and in another order
    label_of = {0: 2, 2: 1}
    per_image = []
    for image in range(truths.image_count):
        own = detections.take(detections.images == image)
        labels = np.array([label_of.get(label, 0) for label in own.labels.tolist()], np.int64)
        per_image.append(Detections(ltwh_to_xyxy(own.boxes_ltwh), own.scores, labels))
    with labels_in(write_coco(tmp_path / "labels", truths, names)) as labels:
        shared, found, notes = join_model(labels, model, per_image)
    assert shared.classes == (names[0], names[2])
    kept = [(0, 0), (2, 1), *((label, -1) for label in range(1, len(names)) if label != 2)]
    assert len(found) == sum(np.count_nonzero(detections.labels == label) for label, to in kept if to >= 0)
    assert len(shared.truths) == np.count_nonzero(np.isin(truths.labels, (0, 2)))
    assert "left out: 1 detection of classes that the labels lack: another" in notes[0]
    assert f"of classes that the model lacks: {names[1]}" in notes[1]


def test_without_a_project_the_values_are_those_of_the_common_params_yaml(tmp_path: Path) -> None:
    assert settings_here(tmp_path / "params.yaml") == (SETTINGS, PAGE, [])
    assert settings_here(ROOT / "params.yaml") == (SETTINGS, PAGE, [])


@pytest.mark.parametrize("text", ["lr: 0.1", "prepare: {split: 0.2}\ntrain: {seed: 3}\nevaluate: 4", "", "[1, 2]"])
def test_a_params_yaml_of_another_program_is_told_and_not_read(text: str, tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text(text)
    evaluate, render, (note,) = settings_here(params)
    assert (evaluate, render) == (SETTINGS, PAGE)
    assert note.startswith(f"note: {params} is another program's")


@pytest.mark.parametrize("text", ["evaluate: {bins: 10, resamples: 7}", "lr: 0.1\nrender: {columns: 2}"])
def test_a_part_of_a_projects_own_params_yaml_is_not_another_programs(text: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ProblemsError, match="missing"):
        settings_here(tmp_path / "params.yaml")


def test_mistakes_in_a_projects_own_params_yaml_are_told(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text((ROOT / "params.yaml").read_text().replace("\nevaluate:", "\nevaluated:"))
    with pytest.raises(ProblemsError, match="evaluate"):
        settings_here(params)


def test_a_detection_without_a_class_that_was_labelled_counts_as_a_miss(tmp_path: Path) -> None:
    truths, _, names = case()
    one = table_of_detections(truths.image_count, [(0, [1, 1, 5, 5], 0, 0.5)])
    found = scored(write_coco(tmp_path / "labels", truths, names), detectron2(tmp_path / "r.json", one)).found.metrics
    assert found["objects"] == len(truths)
    assert found["per_class"].keys() == set(names)


def falling(content: str) -> str:
    """Let the ids of images fall with their names."""
    return re.sub(r"\b100\d{3}\b", lambda found: str(200_000 - int(found[0])), content)


def pycocotools_of(labels: Path, results: Path) -> list[float | None]:
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO(str(labels))
        evaluation = COCOeval(known, known.loadRes(str(results)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [None if value == -1 else value for value in evaluation.stats.tolist()]


@pytest.mark.parametrize("digits", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", [*SEEDS[:2], *(pytest.param(seed, marks=pytest.mark.slow) for seed in SEEDS[2:])])
def test_equal_scores_have_the_order_that_pycocotools_gives_them(seed: int, digits: int, tmp_path: Path) -> None:
    """Of the user's own files, and of those that are written; and what is read back has the same numbers."""
    truths, detections, names = random_case(seed)
    detections = replace(detections, scores=detections.scores.round(digits))
    folder = write_coco(tmp_path / "labels", truths, names)
    labels = folder / "annotations.json"
    labels.write_text(falling(labels.read_text()))
    for at in range(3):
        order = np.random.default_rng(at).permutation(len(detections))
        path = detectron2(tmp_path / f"{at}.json", detections.take(order))
        found = [{key: one[key] for key in RESULT_FIELDS} for one in json.loads(path.read_text())]
        path.write_text(falling(json.dumps(found)))
        one, out = scored(folder, path), tmp_path / f"out{at}"
        out.mkdir()
        write_result(out, one)
        mine = [one.found.metrics[name] for name in COCO_NAMES]
        assert mine == pytest.approx(pycocotools_of(labels, path), abs=1e-9)
        assert mine == pytest.approx(pycocotools_of(out / "labels.json", out / "detections.json"), abs=1e-9)
        run = read_result(out)
        again = coco_score(run.truths, run.detections, run.categories)
        assert [again[name] for name in COCO_NAMES] == mine
