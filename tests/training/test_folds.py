"""Networks on folds: every image judged by one that has not seen it, and resumed where it stopped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from repository import ROOT
from small_training import HUMBLE, IOU, PLAIN, TINY, draw_split

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.errors import UserError
from humbleyolo.params.loader import load_params
from humbleyolo.training import folds
from humbleyolo.training.folds import FoldSettings, Length, detect_by_folds, divide
from humbleyolo.training.step_time import StepTime

RUNTIME, EVALUATE = load_params(ROOT / "params.yaml", "runtime", "evaluate")
SETTINGS = FoldSettings(1, RUNTIME, HUMBLE, IOU, PLAIN, EVALUATE, 3)
TWO = Length(1.0, 2)


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that TensorFlow has in this process, which it cannot change once it has computed."""
    monkeypatch.setattr(folds, "start_runtime", lambda _: None)


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> list[EncodedSplit]:
    return [draw_split(tmp_path_factory.mktemp("split"), TINY, images, objects=1) for images in (11, 7)]


@pytest.mark.parametrize(("images", "count"), [(18, 3), (20, 3), (7, 7), (100, 2)])
def test_folds_are_of_one_size_and_a_matter_of_the_seed(images: int, count: int) -> None:
    found = divide(images, count, 1)
    sizes = np.bincount(found, minlength=count)
    assert sizes.sum() == images
    assert sizes.max() - sizes.min() <= 1
    np.testing.assert_array_equal(found, divide(images, count, 1))
    assert not np.array_equal(found, divide(images, count, 2))


def detections(held: folds.HeldOut) -> bytes:
    found = held.detections
    return b"".join(column.tobytes() for column in (found.images, found.labels, found.scores, found.boxes_ltwh))


def test_no_network_sees_what_it_judges(
    splits: list[EncodedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each image is trained on in every fold but its own, and detected in its own."""
    seen: list[list[bytes]] = []
    judged: list[list[bytes]] = []
    build = folds.build_trainer

    def watched(*given: object) -> object:
        data = given[-1]
        assert isinstance(data, EncodedSplit)
        seen.append([image.tobytes() for image in data.images[0 : len(data)]])
        trainer = build(*given)  # type: ignore[arg-type]
        predict = trainer.predict
        judged.append([])
        monkeypatch.setattr(
            trainer,
            "predict",
            lambda images: (judged[-1].extend(one.tobytes() for one in images), predict(images))[1],
        )
        return trainer

    monkeypatch.setattr(folds, "build_trainer", watched)
    held = detect_by_folds(SETTINGS, splits, TWO, tmp_path)
    every = {image.tobytes() for split in splits for image in split.images}
    assert len(seen) == 3
    for own, others in zip(judged, seen, strict=True):
        assert not set(own) & set(others)
        assert set(own) | set(others) == every
    assert set().union(*judged) == every
    assert (held.epochs, held.why) == (2, "as asked for")
    assert held.detections.image_count == 18


def test_a_run_that_was_stopped_ends_with_the_same_bytes(
    splits: list[EncodedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = detections(detect_by_folds(SETTINGS, splits, TWO, tmp_path / "whole"))
    run = folds._run_fold

    def stopped(*given: object) -> object:
        if given[4] == 1:
            raise KeyboardInterrupt
        return run(*given)  # type: ignore[arg-type]

    folder = tmp_path / "stopped"
    with monkeypatch.context() as patched:
        patched.setattr(folds, "_run_fold", stopped)
        with pytest.raises(KeyboardInterrupt):
            detect_by_folds(SETTINGS, splits, TWO, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["fold-1.npy", "plan.json"]
    capsys.readouterr()
    assert detections(detect_by_folds(SETTINGS, splits, TWO, folder)) == whole
    assert "fold 1 of 3" not in capsys.readouterr().err
    monkeypatch.setattr(folds, "_run_fold", None)  # nothing is trained any more
    assert detections(detect_by_folds(SETTINGS, splits, TWO, folder)) == whole
    (folder / "fold-2.npy").write_bytes(b"torn")
    with pytest.raises(TypeError):
        detect_by_folds(SETTINGS, splits, TWO, folder)
    assert "fold-2.npy: cannot be used" in capsys.readouterr().err


def test_another_run_in_the_folder_starts_anew_and_says_so(
    splits: list[EncodedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def trained(*given: object) -> np.ndarray:
        (tmp_path / f"fold-{given[4]}.npy").touch()
        return np.zeros((0, 7))

    monkeypatch.setattr(folds, "_run_fold", trained)
    detect_by_folds(SETTINGS, splits, TWO, tmp_path)
    other = replace(SETTINGS, train=PLAIN.model_copy(update={"learning_rate": 0.02}))
    for settings, data, length, differ in (
        (SETTINGS, splits, Length(1.0, 1), "arguments"),
        (other, splits, Length(1.0, 1), "parameters"),
        (other, splits[::-1], Length(1.0, 1), "data"),
    ):
        detect_by_folds(settings, data, length, tmp_path)
        said = capsys.readouterr().err
        assert f"plan.json: is of a run with other {differ}; the audit starts anew" in said
    (tmp_path / "plan.json").write_text("{}")
    detect_by_folds(other, splits[::-1], Length(1.0, 1), tmp_path)
    assert "plan.json: is damaged; the audit starts anew" in capsys.readouterr().err


def test_a_model_of_one_s_own_is_no_start(
    splits: list[EncodedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    starts = []
    monkeypatch.setattr(folds, "_run_fold", lambda *given: starts.append(given[0].train.start) or np.zeros((0, 7)))
    own = replace(SETTINGS, train=PLAIN.model_copy(update={"start": "own"}))
    detect_by_folds(own, splits, TWO, tmp_path)
    assert starts == ["scratch"] * 3
    assert "a model that may have seen the images; the audit begins scratch" in capsys.readouterr().err


def test_minutes_become_epochs_that_are_written_down(
    splits: list[EncodedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds, "_run_fold", lambda *_: np.zeros((0, 7)))
    monkeypatch.setattr(folds, "measure_step", lambda *_: StepTime(1.0, 0.0, 0.0, 1.0))
    # 12 images are three steps, and there are three folds: 9 s an epoch of all.
    held = detect_by_folds(SETTINGS, splits, Length(0.31, None), tmp_path)
    assert (held.epochs, held.why) == (2, "0.31 minutes at 1 s a step, as measured here")
    monkeypatch.setattr(folds, "measure_step", None)
    assert detect_by_folds(SETTINGS, splits, Length(0.31, None), tmp_path).epochs == 2
    monkeypatch.setattr(folds, "measure_step", lambda *_: StepTime(1.0, 0.0, 0.0, 1.0))
    assert detect_by_folds(SETTINGS, splits, Length(100.0, None), tmp_path).epochs == PLAIN.epochs
    assert detect_by_folds(SETTINGS, splits, Length(0.1, None), tmp_path).epochs == 1


def test_too_few_images_or_boxes_are_refused_with_what_to_do(splits: list[EncodedSplit], tmp_path: Path) -> None:
    large = replace(SETTINGS, train=PLAIN.model_copy(update={"batch": 13}))
    with pytest.raises(
        UserError, match=r"18 images in 3 folds leave 12 to train on, fewer than train.batch 13; lower"
    ):
        detect_by_folds(large, splits, TWO, tmp_path)
    empty = [
        replace(split, boxes=split.boxes[:0], labels=split.labels[:0], offsets=split.offsets * 0) for split in splits
    ]
    with pytest.raises(UserError, match="no boxes"):
        detect_by_folds(SETTINGS, empty, TWO, tmp_path)


def test_a_class_that_a_fold_has_hardly_seen_is_not_judged_there(
    splits: list[EncodedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds, "_run_fold", lambda *_: np.zeros((0, 7)))
    rare = [replace(split, labels=np.zeros_like(split.labels)) for split in splits]
    rare[0].labels[:1] = 1
    held = detect_by_folds(SETTINGS, rare, TWO, tmp_path)
    assert held.ever_unlearned == [False, True]
    assert held.judged(np.array([0, 0]), np.array([0, 1])).tolist() == [True, False]
