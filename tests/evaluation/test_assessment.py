"""Everything together: that it agrees with itself, and what bad input gives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dvc.compare import show_diff, show_metrics
from scoring_cases import random_case, table_of_detections, table_of_truths

from humbleyolo.errors import UserError
from humbleyolo.evaluation.assessment import HEADLINE, Assessment, assess, measure
from humbleyolo.evaluation.bootstrap import interval
from humbleyolo.evaluation.result_files import FORMAT, read_metrics
from humbleyolo.evaluation.thresholds import Thresholds, find_thresholds
from humbleyolo.metrics.coco_metrics import score
from humbleyolo.metrics.grid_report import GridReport
from humbleyolo.metrics.matching import match, mean_iou
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.storage.json import write_json
from humbleyolo.storage.table_writer import write_table
from tests.evaluation.test_bootstrap import SETTINGS

TABLES = {
    "precision_recall": ["recall", "precision"],
    "precision_recall_by_class": ["class", "recall", "precision", "confidence"],
    "thresholds": ["class", "threshold", "precision", "recall", "f1"],
    "confusion": ["truth", "predicted", "count", "truth_index", "predicted_index"],
    "reliability": ["low", "high", "count", "confidence", "iou", "right"],
    "iou_histogram": ["low", "high", "count"],
    "mistakes": ["kind", "count", "count_all", "ap_gain"],
    "judged": ["image_id", "detection", "truth", "kind", "predicted", "truth_class", "score", "iou"],
    "intervals": ["metric", "value", "low", "high"],
}


ONE = [(0, [0, 0, 10, 10], 0, False)]


def assessed(
    truths: TruthTable, detections: DetectionTable, names: list[str], ceiling: float | None = 0.9
) -> Assessment:
    thresholds = find_thresholds(truths, detections, len(names), SETTINGS.match_iou)
    return assess(truths, detections, names, thresholds, SETTINGS, GridReport(ceiling, ()))


@pytest.mark.parametrize("seed", range(15))
def test_the_numbers_agree_with_each_other(seed: int) -> None:
    truths, detections, names = random_case(seed)
    found = assessed(truths, detections, names)
    metrics, tables = found.metrics, found.tables
    coco = measure(truths, detections, names, match(truths, detections, len(names), SETTINGS.match_iou))
    by_class = coco.pop("per_class")
    assert {name: metrics[name] for name in coco} == coco
    assert {name: metrics["per_class"][name]["ap"] for name in names} == {
        name: by_class[name]["ap"] for name in names
    }
    assert metrics["format"] == FORMAT
    assert list(metrics)[-1] == "per_class"
    assert found.headline == {
        name: None if metrics[name] is None else pytest.approx(metrics[name], abs=5e-5) for name in HEADLINE
    }
    assert {name: list(table.columns) for name, table in tables.items()} == TABLES

    confusion, judged = tables["confusion"], tables["judged"]
    right = int((judged["kind"] == "correct").sum())
    taken = int((judged["kind"] != "missed").sum())
    assert confusion.loc[confusion["predicted_index"] >= 0, "count"].sum() == taken
    assert tables["iou_histogram"]["count"].sum() == right
    assert metrics["precision"] == (pytest.approx(right / taken, abs=1e-11) if taken else None)
    assert metrics["recall"] == (pytest.approx(right / metrics["objects"], abs=1e-11) if metrics["objects"] else None)
    positives = confusion.loc[confusion["truth_index"] >= 0, "count"].sum()
    on_objects = confusion.loc[(confusion["truth_index"] >= 0) & (confusion["predicted_index"] >= 0), "count"].sum()
    assert metrics["any_class_recall"] == (pytest.approx(on_objects / positives, abs=1e-11) if positives else None)
    if len(names) == 1:
        assert [metrics[f"any_class_{name}"] for name in ("precision", "recall", "f1")] == [
            metrics[name] for name in ("precision", "recall", "f1")
        ]
    assert metrics["ap_of_ceiling"] == (None if metrics["ap"] is None else pytest.approx(metrics["ap"] / 0.9))
    for row in tables["intervals"].itertuples(index=False):
        assert row.value == metrics[row.metric] or (np.isnan(row.value) and metrics[row.metric] is None)
        if not np.isnan(row.low):
            assert 0 <= row.low <= row.high


def test_a_better_threshold_on_test_is_not_looked_for() -> None:
    truths = table_of_truths(1, [(0, [0, 0, 10, 10], 0, False)])
    detections = table_of_detections(1, [(0, [0, 0, 10, 10], 0, 0.3), (0, [50, 50, 10, 10], 0, 0.1)])
    val = table_of_detections(1, [(0, [0, 0, 10, 10], 0, 0.8), (0, [50, 50, 10, 10], 0, 0.6)])
    thresholds = find_thresholds(truths, val, 1, 0.5)
    assert thresholds.overall == pytest.approx(0.7)
    metrics = assess(truths, detections, ["chat"], thresholds, SETTINGS).metrics
    assert (metrics["threshold"], metrics["recall"], metrics["precision"]) == (thresholds.overall, 0.0, None)


def test_each_class_has_its_own_numbers() -> None:
    truths = table_of_truths(1, [(0, [0, 0, 10, 10], 0, False), (0, [50, 0, 10, 10], 1, False)])
    rows = [
        (0, [0, 0, 10, 10], 0, 0.9),
        (0, [90, 90, 5, 5], 0, 0.3),
        (0, [90, 0, 5, 5], 1, 0.5),
        (0, [50, 0, 10, 10], 1, 0.4),
    ]
    detections = table_of_detections(1, rows)
    metrics = assess(truths, detections, ["chat", "rat"], Thresholds(0.2, (0.6, 0.45)), SETTINGS).metrics
    chat, rat = metrics["per_class"]["chat"], metrics["per_class"]["rat"]
    assert (chat["precision"], chat["recall"], rat["precision"], rat["recall"]) == (0.5, 1.0, 0.5, 1.0)
    assert (chat["best_threshold"], chat["best_f1"], rat["best_f1"]) == (0.6, 1.0, 0.0)
    assert (chat["voc_ap"], rat["voc_ap"], metrics["voc_ap"]) == (1.0, 0.5, 0.75)


def test_the_ceiling_is_held_fixed_in_the_interval() -> None:
    truths, detections, names = random_case(7)
    table = assessed(truths, detections, names, ceiling=0.5).tables["intervals"].set_index("metric")
    assert table.loc["ap", "low"] < table.loc["ap", "high"]
    assert table.loc["ap_of_ceiling"].tolist() == pytest.approx((table.loc["ap"] * 2).tolist())


def test_voc_s_iou_is_its_own() -> None:
    truths = table_of_truths(2, ONE)
    half = table_of_detections(2, [(0, [0, 0, 10, 4], 0, 0.9)])
    settings = SETTINGS.model_copy(update={"voc_iou": 0.4})
    found = assess(truths, half, ["chat"], Thresholds(0.1, (0.1,)), settings)
    assert (found.metrics["voc_ap"], found.metrics["voc_ap11"], found.metrics["recall"]) == (1.0, 1.0, 0.0)
    interval_of_voc = found.tables["intervals"].set_index("metric").loc["voc_ap"]
    assert interval_of_voc.tolist() == [1.0, 1.0, 1.0]


def written(found: Assessment, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    write_json(folder / "metrics.json", found.metrics)
    for name, table in found.tables.items():
        write_table(folder / f"{name}.csv", table)
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


CASES: dict[str, tuple[TruthTable, DetectionTable, list[str]]] = {
    "no images": (table_of_truths(0, []), table_of_detections(0, []), ["chat"]),
    "nothing there, nothing found": (table_of_truths(3, []), table_of_detections(3, []), ["chat", "rat"]),
    "no detections at all": (table_of_truths(3, ONE), table_of_detections(3, []), ["chat", "rat"]),
    "nothing there": (table_of_truths(3, []), table_of_detections(3, [(0, [0, 0, 9, 9], 0, 0.5)]), ["chat"]),
    "one image": (table_of_truths(1, ONE), table_of_detections(1, [(0, [0, 0, 9, 9], 0, 0.5)]), ["chat"]),
    "a class in test alone": (
        table_of_truths(2, [*ONE, (1, [0, 0, 10, 10], 1, False)]),
        table_of_detections(2, [(0, [0, 0, 9, 9], 0, 0.5)]),
        ["chat", "rat"],
    ),
    "thousands of detections on one image": (
        table_of_truths(2, ONE),
        table_of_detections(2, [(0, [place % 50, place // 50, 9, 9], place % 2, 0.5) for place in range(4000)]),
        ["chat", "rat"],
    ),
    "a truth larger than the image": (
        table_of_truths(1, [(0, [-500, -500, 9000, 9000], 0, False)]),
        table_of_detections(1, [(0, [0, 0, 64, 64], 0, 0.5)]),
        ["chat"],
    ),
    "scores beyond 0 and 1": (
        table_of_truths(2, ONE),
        table_of_detections(2, [(0, [0, 0, 9, 9], 0, 1.7), (1, [0, 0, 9, 9], 0, -0.2)]),
        ["chat"],
    ),
    "names of all kinds": (
        table_of_truths(2, [(0, [0, 0, 10, 10], label, False) for label in range(4)]),
        table_of_detections(2, [(0, [0, 0, 9, 9], label, 0.5) for label in range(4)]),
        ["background", "x" * 200, '<script>",\n', "نمر 🐀"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gives_a_report_and_the_same_bytes(name: str, tmp_path: Path) -> None:
    truths, detections, names = CASES[name]
    files = written(assessed(truths, detections, names), tmp_path / "one")
    assert files == written(assessed(truths, detections, names), tmp_path / "two")
    metrics = json.loads(files["metrics.json"])
    assert list(metrics["per_class"]) == names
    numbers = [*metrics.values(), *(number for one in metrics["per_class"].values() for number in one.values())]
    assert all(value is None or isinstance(value, dict) or value >= 0 for value in numbers)
    text = b"".join(files.values()).lower()
    for word in (b"nan", b"inf"):
        assert word not in text


def test_undefined_is_null() -> None:
    nothing_found = assessed(*CASES["no detections at all"]).metrics
    for name in ("mean_iou", "threshold", "precision", "calibration_error_iou", "calibration_error_right"):
        assert nothing_found[name] is None
    assert (nothing_found["ap"], nothing_found["voc_ap"], nothing_found["recall"], nothing_found["f1"]) == (
        0,
        0,
        0,
        0,
    )
    nothing_there: Any = assessed(*CASES["nothing there"]).metrics
    for name in ("ap", "ar1", "voc_ap", "recall", "ap_of_ceiling"):
        assert nothing_there[name] is None
    alone = assessed(*CASES["a class in test alone"]).metrics["per_class"]
    assert (alone["rat"]["ap"], alone["rat"]["recall"], alone["rat"]["best_threshold"]) == (0.0, 0.0, None)
    assert assessed(*CASES["one image"], ceiling=None).metrics["ap_of_ceiling"] is None
    assert assessed(*CASES["one image"], ceiling=0.0).metrics["ap_of_ceiling"] is None


def test_without_resamples_there_are_no_intervals() -> None:
    truths, detections, names = random_case(5)
    settings = SETTINGS.model_copy(update={"resamples": 0})
    found = assess(truths, detections, names, Thresholds(0.5, (None,) * len(names)), settings)
    assert found.tables["intervals"][["low", "high"]].isna().all(axis=None)
    assert interval(np.zeros(0), 5).low is None


def test_dvc_shows_the_headline_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    truths, detections, names = random_case(0)
    headline = assessed(truths, detections, names).headline
    longest = dict.fromkeys(HEADLINE, 0.1234)
    for values in (headline, longest):
        assert all(value is None or len(str(value)) <= 6 for value in values.values())
        file = {"data/evaluation/headline.json": {"data": values}}
        show_metrics({"workspace": {"data": file}})
        change = {name: {"old": 0.0, "new": value, "diff": -0.1234} for name, value in values.items()}
        show_diff({"data/evaluation/headline.json": change}, title="Metric", a_rev="HEAD", b_rev="workspace")
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split() == ["Path", *HEADLINE]
    assert max(map(len, shown)) <= 80


@pytest.mark.parametrize("seed", range(40))
def test_whole_and_classes_agree(seed: int, tmp_path: Path) -> None:
    truths, detections, names = random_case(seed)
    matches = match(truths, detections, len(names))
    metrics = measure(truths, detections, names, matches)
    per_class = metrics["per_class"]
    whole = score(truths, detections, names)
    assert metrics["ap"] == whole["ap"]
    assert metrics["ar_small"] == whole["ar_small"]
    assert list(per_class) == names
    for count in ("objects", "detections"):
        assert metrics[count] == sum(one[count] for one in per_class.values())
    for label, name in enumerate(names):
        assert per_class[name]["objects"] == np.count_nonzero((truths.labels == label) & ~truths.crowd)
    assert metrics["mean_iou"] == mean_iou(matches)
    defined = [one["ap"] for one in per_class.values() if one["ap"] is not None]
    assert metrics["ap"] == (pytest.approx(sum(defined) / len(defined), abs=1e-11) if defined else None)
    write_json(tmp_path / "metrics.json", metrics)
    assert json.loads((tmp_path / "metrics.json").read_text("utf-8")) == metrics


def test_numbers_come_first_and_what_does_not_exist_is_null(tmp_path: Path) -> None:
    truths, detections = table_of_truths(3, []), table_of_detections(3, [])
    metrics = measure(truths, detections, ["chat"], match(truths, detections, 1))
    assert metrics == {
        **dict.fromkeys(
            ["ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100", "ar_small",
             "ar_medium", "ar_large", "mean_iou"]
        ),
        "images": 3, "objects": 0, "detections": 0,
        "per_class": {
            "chat": {"ap": None, "ap50": None, "ap75": None, "ar100": None, "mean_iou": None, "objects": 0,
                     "detections": 0}
        },
    }  # fmt: skip
    assert next(iter(metrics)) == "ap"
    assert list(metrics)[-1] == "per_class"
    write_json(tmp_path / "metrics.json", metrics)
    assert '"ap": null' in (tmp_path / "metrics.json").read_text()
    assert read_metrics(tmp_path / "metrics.json", "ap", "images") == [None, 3]
    with pytest.raises(UserError, match="ap99 is missing"):
        read_metrics(tmp_path / "metrics.json", "ap99")
