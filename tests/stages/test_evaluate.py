"""The evaluate stage with an untrained network: its files agree with each other and with pycocotools."""

import dataclasses
import json
import pickle
import re
import shutil
import zipfile
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sections import model_section
from split_writer import cut_split, write_split

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import EncodedSplit, open_encoded
from humbleyolo.dataset.encoding import encode_split
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.evaluation import inference
from humbleyolo.evaluation.assessment import measure
from humbleyolo.evaluation.inference import check_match, detect, run_network
from humbleyolo.evaluation.result_files import read_detections
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.grid import Grid, encode_boxes, split_parts
from humbleyolo.metrics.history import write_history
from humbleyolo.metrics.matching import match
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.models.artifact import ModelInfo, save_model
from humbleyolo.models.build import build_model
from humbleyolo.models.selection import BEST, CAREFUL, Selection, selection_of
from humbleyolo.models.trained_network import Network
from humbleyolo.params.sections import Evaluate
from humbleyolo.storage.png import encode_png
from stages.evaluate import evaluate

GRID = Grid(height=16, width=32, rows=2, cols=4, boxes=1, classes=2)
NAMES = ("chat", "rat")
ALL = Evaluate(
    min_score=0.0,
    nms_iou=0.5,
    vote_iou=1.0,
    max_detections=100,
    mirrored="none",
    whole_pixels=False,
    match_iou=0.5,
    background_iou=0.1,
    voc_iou=0.5,
    bins=10,
    resamples=50,
    bootstrap_seed=1,
)


HISTORY = [
    {"epoch": epoch, "val_ap": 0.01, "val_ap50": 0.02, "train_total": 1.0, "val_total": 9.0} for epoch in (1, 2)
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with images of three shapes, encoded, and a network that knows nothing."""
    folder = tmp_path_factory.mktemp("project")
    rng = np.random.default_rng(0)
    (folder / "dataset").mkdir()
    with write_split(folder / "dataset/test", NAMES) as archive:
        for number, (height, width) in enumerate([(16, 32), (40, 40), (20, 90), (16, 32), (40, 40)]):
            boxes = np.array([[1, 2, 10, 12], [width - 9.5, height - 8, 9.5, 8]])[: number % 3]
            image = rng.integers(0, 256, (height, width, 3), np.uint8)
            crowds = [{"iscrowd": int(number == 4)}] * len(boxes)
            archive.add(f"{number}.png", encode_png(image), height, width, boxes, np.arange(len(boxes)), crowds)
    shutil.copytree(folder / "dataset/test", folder / "dataset/val")
    for split in ("val", "test"):
        list(encode_split(folder / f"dataset/{split}", GRID, 0, folder / f"grid/{split}", 0))
    (folder / "grid/report.json").write_text(
        json.dumps({"test": [{"ap": 0.8}], "train_objects": dict.fromkeys(NAMES, 9)})
    )
    model = model_section("humble")
    network = build_model(model, GRID, seed=0)
    (folder / "model").mkdir()
    weights = {variable.path: np.asarray(variable) for variable in network.variables}
    save_model(folder / "model", ModelInfo(model, GRID, NAMES, 0, "scratch"), weights)
    write_history(folder / "model/history.csv", HISTORY)
    return folder


def run(project: Path, out: Path, settings: Evaluate = ALL) -> dict[str, Any]:
    made = evaluate(settings, False, project / "model", project / "grid", project / "dataset", out)
    metrics: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    assert (made.what, made.folder) == (
        f"{metrics['detections']:,} detections on {metrics['images']:,} images written", out,
    )  # fmt: skip
    assert re.fullmatch(r"AP [01]\.\d{3}, AP50 [01]\.\d{3}", made.more)
    return metrics


def test_a_val_that_was_trained_on_gives_a_careful_threshold(project: Path, tmp_path: Path) -> None:
    loose = ALL.model_copy(update={"match_iou": 0.1})
    best = run(project, tmp_path / "one", loose)  # val and test are the same images
    evaluate(loose, True, project / "model", project / "grid", project / "dataset", tmp_path / "two")
    careful = json.loads((tmp_path / "two/metrics.json").read_text())
    assert careful["threshold"] == pytest.approx(best["f1"] / 2)
    assert careful["threshold"] < best["threshold"]
    assert selection_of(project / "model").threshold_from == CAREFUL
    run(project, tmp_path / "one", loose)
    assert selection_of(project / "model").threshold_from == BEST


def test_files_are_the_same_bytes_every_time(project: Path, tmp_path: Path) -> None:
    selections = []
    for out in ("one", "two"):
        run(project, tmp_path / out)
        selections.append((project / "model/selection.json").read_bytes())
    assert selections[0] == selections[1]
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == [
        "confidence.npy", "confusion.csv", "detections.json", "headline.json", "intervals.csv", "iou_histogram.csv",
        "judged.csv", "metrics.json", "mistakes.csv", "next_steps.json", "precision_recall.csv",
        "precision_recall_by_class.csv", "reliability.csv", "thresholds.csv",
    ]  # fmt: skip
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_several_archives_give_the_files_of_one(project: Path, tmp_path: Path) -> None:
    """Here the images are in the same order; ids count through all archives."""
    run(project, tmp_path / "whole")
    parts = shutil.copytree(project, tmp_path / "parts")
    for split in ("val", "test"):
        cut_split(project / "dataset" / split, parts / "dataset" / split, {"0": 2, "10": 0, "11": 3})
        list(encode_split(parts / "dataset" / split, GRID, 0, parts / "grid" / split, 0))
        assert sorted(path.name for path in (parts / "grid" / split).iterdir()) == ["0", "10", "11"]
    run(parts, tmp_path / "several")
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "several" / path.name).read_bytes()


def test_files_agree(project: Path, tmp_path: Path) -> None:
    metrics = run(project, tmp_path)
    assert (metrics["images"], metrics["objects"]) == (5, 3)
    with ArchivedSplit(project / "dataset/test") as archive:
        truths = TruthTable.from_archive(archive)
    assert truths.crowd.sum() == 1
    found = read_detections(tmp_path / "detections.json", 5, 2)
    assert len(found) == metrics["detections"] > 5
    coco = measure(truths, found, NAMES, match(truths, found, len(NAMES)))
    by_class = coco.pop("per_class")
    assert {name: metrics[name] for name in coco} == coco
    for name, numbers in by_class.items():
        assert {key: metrics["per_class"][name][key] for key in numbers} == numbers
    overall = pd.read_csv(tmp_path / "precision_recall.csv")
    assert overall["precision"].mean() == pytest.approx(metrics["ap50"])
    by_class = pd.read_csv(tmp_path / "precision_recall_by_class.csv")
    assert set(by_class["class"]) == set(NAMES)


def test_pycocotools_gives_the_same_from_the_files(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    metrics = run(project, tmp_path)
    known = COCO()
    with zipfile.ZipFile(project / "dataset/test/all.zip") as archive:
        known.dataset = json.loads(archive.read("annotations.json"))
    known.createIndex()
    evaluation = COCOeval(known, known.loadRes(str(tmp_path / "detections.json")), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    ours = [-1.0 if value is None else value for value in list(metrics.values())[:12]]
    assert ours == pytest.approx(evaluation.stats.tolist(), abs=1e-9)


@pytest.mark.filterwarnings("ignore:the image. 6 boxes found")  # as many as it may
@pytest.mark.parametrize(
    ("whole_pixels", "mirrored"),
    [(True, "none"), pytest.param(False, "none", marks=pytest.mark.slow), (False, "both")],
)
def test_the_detector_finds_on_the_pictures_what_was_measured(
    whole_pixels: bool, mirrored: str, project: Path, tmp_path: Path
) -> None:
    from humbleyolo import Detector

    shutil.copytree(project / "model", tmp_path / "model")
    changes = {"min_score": 0.02, "nms_iou": 0.3, "max_detections": 6, "whole_pixels": whole_pixels}
    settings = ALL.model_copy(update=changes | {"mirrored": mirrored})
    made = evaluate(
        settings, False, tmp_path / "model", project / "grid", project / "dataset", tmp_path / "evaluation"
    )
    expected = read_detections(tmp_path / "evaluation/detections.json", 5, 2)
    detector = Detector.load(tmp_path / "model", threshold=0.02)
    assert {name: getattr(detector.facts, name) for name in changes} == changes
    with ArchivedSplit(project / "dataset/test") as archive:
        found = detector([Image.open(BytesIO(record.image_bytes)) for record in archive])
    table = DetectionTable.from_detections(found)
    rows, others = expected.file_order(), table.file_order()
    assert len(rows) == int(made.what.split()[0]) > 5
    np.testing.assert_array_equal(table.images[others], expected.images[rows])
    np.testing.assert_array_equal(table.labels[others], expected.labels[rows])
    np.testing.assert_allclose(table.boxes_ltwh[others], expected.boxes_ltwh[rows], atol=1e-3)
    np.testing.assert_allclose(table.scores[others], expected.scores[rows], atol=1e-6)
    (tmp_path / "model/weights.npz").write_bytes((tmp_path / "model/weights.npz").read_bytes() + b" ")
    assert not Detector.load(tmp_path / "model").facts.whole_pixels  # other weights, of which nothing is known


def test_a_threshold_that_nothing_reaches_leaves_no_detections(project: Path, tmp_path: Path) -> None:
    metrics = run(project, tmp_path, ALL.model_copy(update={"min_score": 1.0}))
    assert (metrics["detections"], metrics["ap"], metrics["mean_iou"]) == (0, 0.0, None)


def test_the_confidence_is_the_network_s(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path)
    confidence = np.load(tmp_path / "confidence.npy", allow_pickle=False)
    assert (confidence.dtype, confidence.shape) == (np.float32, (5, 2, 4, 1))
    split = open_encoded(project / "grid/test")
    predictions = Network.load(project / "model").predict(np.asarray(split.images))
    assert np.array_equal(confidence, split_parts(predictions, 2).confidence)


def test_mirror_images_change_what_is_found(project: Path, tmp_path: Path) -> None:
    found = []
    for mirrored in ("none", "horizontal", "both"):
        run(project, tmp_path / mirrored, ALL.model_copy(update={"mirrored": mirrored}))
        found.append(np.load(tmp_path / mirrored / "confidence.npy", allow_pickle=False))
        assert json.loads((project / "model/selection.json").read_text())["mirrored"] == mirrored
    assert not np.allclose(found[0], found[1])
    assert not np.allclose(found[1], found[2])


def test_the_threshold_is_val_s(project: Path, tmp_path: Path) -> None:
    before = run(project, tmp_path / "before")
    shutil.copytree(project, tmp_path / "project")
    other = tmp_path / "project"
    image = encode_png(np.zeros((16, 32, 3), np.uint8))
    with write_split(other / "dataset/val", NAMES) as archive:
        archive.add("0.png", image, 16, 32, [], [])
    list(encode_split(other / "dataset/val", GRID, 0, other / "grid/val", 0))
    after = run(other, tmp_path / "after")
    assert after["threshold"] is None  # where nothing is there nothing is right, whatever the threshold
    assert (after["precision"], after["recall"]) == (None, 0.0)
    assert after["ap"] == before["ap"]
    judged = pd.read_csv(tmp_path / "after/judged.csv")
    assert judged["kind"].tolist() == ["missed"] * 3


def test_the_ceiling_is_the_grid_s(project: Path, tmp_path: Path) -> None:
    metrics = run(project, tmp_path)
    assert metrics["ceiling_ap"] == 0.8
    assert metrics["ap_of_ceiling"] == pytest.approx(metrics["ap"] / 0.8, abs=1e-11)


def test_the_floor_is_learned_from_val(project: Path, tmp_path: Path) -> None:
    before = run(project, tmp_path / "before")
    assert None not in [value for name, value in before.items() if name.startswith("floor_")]
    other = shutil.copytree(project, tmp_path / "project")
    with write_split(other / "dataset/val", NAMES) as archive:
        archive.add("0.png", encode_png(np.zeros((40, 40, 3), np.uint8)), 40, 40, [[1, 2, 10, 12]], [0])
    list(encode_split(other / "dataset/val", GRID, 0, other / "grid/val", 0))
    after = run(other, tmp_path / "after")
    # It is one of the three objects on test, and on the last image a crowd, so that four boxes of five count.
    assert (after["floor_precision"], after["floor_recall"]) == (1 / 4, pytest.approx(1 / 3))
    assert 0 < after["floor_ap"] == after["floor_one_box_ap"] != before["floor_ap"]


def test_a_model_under_the_floor_and_what_to_do_next_are_told_and_kept(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path / "project")
    other = tmp_path / "project"
    for split in ("val", "test"):
        with write_split(other / f"dataset/{split}", NAMES) as archive:
            for number in range(3):
                archive.add(f"{number}.png", encode_png(np.zeros((16, 32, 3), np.uint8)), 16, 32, [[1, 2, 3, 4]], [0])
        list(encode_split(other / f"dataset/{split}", GRID, 0, other / f"grid/{split}", 0))
    made = evaluate(ALL, False, other / "model", other / "grid", other / "dataset", tmp_path / "out")
    learned = evaluate(ALL, True, other / "model", other / "grid", other / "dataset", tmp_path / "learned")
    fewer = evaluate(
        ALL.model_copy(update={"max_detections": 1}), False, project / "model", project / "grid", project / "dataset",
        tmp_path / "fewer",
    )  # fmt: skip
    assert "test: an image has 2 objects, but evaluate.max_detections is 1" in fewer.warnings[0]
    small, *under = made.warnings
    assert small.startswith("test has 3 images with 3 objects, too few to tell how good the model is")
    assert len(under) == 2
    assert all(text.startswith("under the floor: ") for text in under)
    assert made.next_steps[0].startswith("too few images cost about ")
    assert "the loss on val is 9.0 x train's" in made.next_steps[0]
    assert "too few images" not in "".join(learned.next_steps)  # AP on val is no better than on test
    kept = json.loads((tmp_path / "out/next_steps.json").read_text())
    assert kept == {"warnings": list(made.warnings), "next_steps": list(made.next_steps)}
    headline = json.loads((tmp_path / "out/headline.json").read_text())
    assert headline["floor_ap"] == 1.0 > headline["ap"]


class Oracle:
    """Answers with the truth as the network would see it, and a box on the letterbox's bar."""

    info = ModelInfo(model_section("humble"), GRID, NAMES, 0, "scratch")

    def __init__(self, project: Path) -> None:
        self.split = open_encoded(project / "grid/test")
        self.seen = 0

    def predict(self, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        found = []
        for _ in images:
            start, stop = self.split.offsets[self.seen : self.seen + 2]
            boxes = np.concatenate([self.split.boxes[start:stop], [[0, 0, 0.5, 16]]])
            labels = np.append(self.split.labels[start:stop], 0).astype(np.int64)
            index = np.zeros(len(labels), np.int64)
            encoded = encode_boxes(boxes, labels, index, 1, GRID)
            assert encoded.kept.all()
            found.append(encoded.targets)
            self.seen += 1
        return np.concatenate(found)


def found_boxes(network: Any, split: EncodedSplit, selection: Selection) -> DetectionTable:
    return DetectionTable.join([batch.detections for batch in detect(network, split, selection)])


def test_whole_pixels_are_those_of_the_image_before_the_letterbox(project: Path) -> None:
    network, split = Network.load(project / "model"), open_encoded(project / "grid/test")
    plain, whole = (
        found_boxes(network, split, Selection(0, 0.5, 10, whole_pixels)) for whole_pixels in (False, True)
    )
    np.testing.assert_array_equal(whole.boxes_ltwh, np.round(whole.boxes_ltwh))
    np.testing.assert_allclose(ltwh_to_xyxy(whole.boxes_ltwh), ltwh_to_xyxy(plain.boxes_ltwh), atol=0.5)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_batches_do_not_matter(project: Path, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network, names = Network.load(project / "model"), ("val", "test")
    selection = Selection(0.01, 0.5, 10)
    whole = run_network(network, selection, project / "grid", project / "dataset", names)
    monkeypatch.setattr(inference, "images_at_a_time", lambda _: batch)
    parts = run_network(network, selection, project / "grid", project / "dataset", names)
    for one, other in zip(whole, parts, strict=True):
        assert one.detections.image_count == other.detections.image_count == one.truths.image_count
        np.testing.assert_array_equal(one.detections.images, other.detections.images)
        np.testing.assert_allclose(one.detections.boxes_ltwh, other.detections.boxes_ltwh, atol=1e-3)
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-5)


class Workers:
    """A cluster whose work is done here, of tasks that were pickled."""

    def __init__(self, shared: bool) -> None:
        self.shared, self.sent = shared, [0]

    def shares(self, path: Path) -> bool:
        return self.shared and path.name == "images.npy"

    def map_in_order(self, work: Any, tasks: Any, model: Path, _: object) -> Any:
        for task in tasks:
            packed = pickle.dumps(task)
            self.sent.append(len(packed))
            yield work(model, pickle.loads(packed))


@pytest.mark.parametrize(
    ("quality", "shared"),
    [(0, False), (90, True), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((90, False), (0, True)))],
)
def test_workers_detect_in_several_archives(
    project: Path, quality: int, shared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "images_at_a_time", lambda _: 2)
    cut_split(project / "dataset/test", tmp_path / "dataset/test", {"0": 1, "10": 3, "11": 1})
    list(encode_split(tmp_path / "dataset/test", GRID, 0, tmp_path / "grid/test", quality))
    folders = (Selection(0.01, 0.5, 10), tmp_path / "grid", tmp_path / "dataset", ["test"])
    network, workers = Network.load(project / "model"), Workers(shared)
    (here,) = run_network(network, *folders)
    monkeypatch.setattr(inference, "find_cluster", lambda: workers)
    (there,) = run_network(network, *folders, project / "model")
    np.testing.assert_array_equal(here.confidence, there.confidence)
    np.testing.assert_array_equal(here.detections.boxes_ltwh, there.detections.boxes_ltwh)
    pixels = 2 * GRID.height * GRID.width * 3
    assert quality or (max(workers.sent) < pixels) == shared


def test_boxes_come_back_through_the_letterbox(project: Path) -> None:
    oracle: Any = Oracle(project)
    found = found_boxes(oracle, oracle.split, Selection(0, 0.5, 10))
    with ArchivedSplit(project / "dataset/test") as archive:
        truths = TruthTable.from_archive(archive)
        sizes = {truth.image_id - 1: (truth.width, truth.height) for truth in archive.truths()}
    on_bars = {1, 4}  # the square images have bars at the left, where the last box lies
    extra = [index for index in range(5) if index not in on_bars]
    assert sorted(found.images.tolist()) == sorted(truths.images.tolist() + extra)
    corners = ltwh_to_xyxy(found.boxes_ltwh)
    assert all(
        (box >= 0).all() and (box[2:] <= sizes[image]).all() for image, box in zip(found.images, corners, strict=True)
    )
    for image, box in zip(truths.images, truths.boxes_ltwh, strict=True):
        assert np.abs(found.boxes_ltwh[found.images == image] - box).max(axis=1).min() < 1e-4  # float32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categories": ("chat", "dog")}, "the model knows 'chat', 'dog', the encoded split has 'chat', 'rat'"),
        ({"grid": Grid(16, 32, 1, 2, 1, 2)}, "the model's grid is .*\nrun `dvc repro train`"),
    ],
)
def test_a_model_of_other_data_is_refused(project: Path, changes: dict[str, Any], message: str) -> None:
    info = dataclasses.replace(Oracle.info, **changes)
    network: Any = SimpleNamespace(info=info)
    with ArchivedSplit(project / "dataset/test") as archive, pytest.raises(ProblemsError, match=message):
        check_match(network, open_encoded(project / "grid/test"), archive)


def test_an_archive_that_the_split_is_not_made_from_is_refused(project: Path, tmp_path: Path) -> None:
    with write_split(tmp_path / "test", ["chat", "dog"]) as writer:
        writer.add("0.png", encode_png(np.zeros((4, 4, 3), np.uint8)), 4, 4, [], [])
    network: Any = SimpleNamespace(info=Oracle.info)
    with ArchivedSplit(tmp_path / "test") as archive, pytest.raises(ProblemsError) as caught:
        check_match(network, open_encoded(project / "grid/test"), archive)
    assert caught.value.lines == (
        f"{tmp_path / 'test'}: 2 problems",
        "  the encoded split has 'chat', 'rat', the archives 'chat', 'dog'",
        "  the encoded split has 5 images, the archives 1",
        "run `dvc repro encode`",
    )


@pytest.mark.parametrize(
    "missing",
    ["model/model.json", "model/history.csv", "grid/test/all/images.npy", "dataset/val", "grid/report.json"],
)
def test_missing_input_is_named_and_nothing_is_written(project: Path, tmp_path: Path, missing: str) -> None:
    away = (project / missing).rename(tmp_path / "away")
    try:
        with pytest.raises(UserError, match=r"no such (file|folder).*(dvc repro|dvc pull)"):
            run(project, tmp_path / "out")
    finally:
        away.rename(project / missing)
    assert not (tmp_path / "out").exists()
