"""Networks on folds: every image judged by one that has not seen it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_training import PLAIN, RUN

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.errors import UserError
from humbleyolo.training import folds, planned_runs
from humbleyolo.training.folds import detect_by_folds, divide
from humbleyolo.training.planned_runs import Length

ONE = Length(1.0, 1)

pytestmark = pytest.mark.usefixtures("threads", "eagerly", "a_network_that_stays")


@pytest.mark.parametrize(("images", "count"), [(18, 3), (20, 3), (7, 7), (100, 2)])
def test_folds_are_of_one_size_and_a_matter_of_the_seed(images: int, count: int) -> None:
    found = divide(images, count, 1)
    sizes = np.bincount(found, minlength=count)
    assert sizes.sum() == images
    assert sizes.max() - sizes.min() <= 1
    np.testing.assert_array_equal(found, divide(images, count, 1))
    assert not np.array_equal(found, divide(images, count, 2))


@pytest.mark.parametrize("seed", range(5))
def test_look_alikes_are_in_one_fold_and_folds_are_even(seed: int) -> None:
    alike = [[0, 7, 9], [3, 4]]
    found = divide(20, 4, seed, alike)
    assert all(len({*found[group].tolist()}) == 1 for group in alike)
    assert np.bincount(found, minlength=4).tolist() == [5] * 4
    assert not np.array_equal(found, divide(20, 4, seed))


def test_fewer_units_than_folds_are_refused(splits: list[EncodedSplit], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2 images that differ are fewer than 3 folds; label more"):
        detect_by_folds(RUN, splits, 3, ONE, tmp_path, (), [list(range(17))])


def test_no_network_sees_what_it_judges(
    splits: list[EncodedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each image is trained on in every fold but its own, and detected in its own."""
    seen: list[list[bytes]] = []
    judged: list[list[bytes]] = []
    build = planned_runs.build_trainer

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

    monkeypatch.setattr(planned_runs, "build_trainer", watched)
    monkeypatch.setattr(folds, "_LEARNED", 1)
    held = detect_by_folds(RUN, splits, 3, ONE, tmp_path)
    every = {image.tobytes() for split in splits for image in split.images}
    assert len(seen) == 3
    for own, others in zip(judged, seen, strict=True):
        assert not set(own) & set(others)
        assert set(own) | set(others) == every
    assert set().union(*judged) == every
    assert (held.epochs, held.why) == (1, "as asked for")
    assert held.detections.image_count == 18


def test_too_few_images_or_boxes_are_refused_with_what_to_do(splits: list[EncodedSplit], tmp_path: Path) -> None:
    large = replace(RUN, train=PLAIN.model_copy(update={"batch": 13}))
    with pytest.raises(
        UserError, match=r"18 images in 3 folds leave 12 to train on, fewer than train.batch 13; lower"
    ):
        detect_by_folds(large, splits, 3, ONE, tmp_path)
    empty = [
        replace(split, boxes=split.boxes[:0], labels=split.labels[:0], offsets=split.offsets * 0) for split in splits
    ]
    with pytest.raises(UserError, match="no boxes"):
        detect_by_folds(RUN, empty, 3, ONE, tmp_path)


def test_labels_none_of_which_can_be_judged_are_refused_before_the_training(
    splits: list[EncodedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planned_runs, "train_and_detect", lambda *_: pytest.fail("trained"))
    monkeypatch.setattr(folds, "_LEARNED", 1000)
    with pytest.raises(UserError, match=r"no label can be judged: .* 1000 boxes .*; label more images, or give more"):
        detect_by_folds(RUN, splits, 3, ONE, tmp_path)


def test_a_class_that_a_fold_has_hardly_seen_is_not_judged_there(
    splits: list[EncodedSplit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def begin(*_: object) -> np.ndarray:
        assert "not judged: <rare>" in capsys.readouterr().err or seen
        seen.append(True)
        return np.zeros((0, 7))

    seen: list[bool] = []
    monkeypatch.setattr(planned_runs, "train_and_detect", begin)
    rare = [replace(split, labels=np.zeros_like(split.labels), categories=("often", "<rare>")) for split in splits]
    rare[0].labels[:1] = 1
    held = detect_by_folds(RUN, rare, 3, ONE, tmp_path)
    assert held.notes == ["note: too few boxes to learn, so not judged: <rare>"]
    assert held.judged(np.array([0, 0]), np.array([0, 1])).tolist() == [True, False]
