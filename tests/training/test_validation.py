"""The score and the loss on val."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from small_training import IOU, PLAIN, start

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.dataset.jpeg_images import Images
from humbleyolo.storage.array_types import Floats32
from humbleyolo.training import validation as module
from humbleyolo.training.validation import ValidationScore
from humbleyolo.training.weighted_loss import WeightedLoss


def in_turn(outputs: Floats32, sizes: list[int]) -> Callable[[Images], Floats32]:
    """Return a network that answers with `outputs` in their order; `sizes` gets how many images it saw at a time."""

    def answer(images: Images) -> Floats32:
        start = sum(sizes)
        sizes.append(len(images))
        return outputs[start : start + len(images)]

    return answer


def test_the_truth_scores_1_and_costs_nothing(odd: EncodedSplit) -> None:
    validation = ValidationScore(odd, PLAIN.validation)
    targets = np.asarray(odd.targets)
    loss = WeightedLoss(IOU, odd.categories, odd.grid)
    right = validation.measure(in_turn(targets, []), loss)
    assert (right.ap, right.ap50) == (1, 1)
    assert max(right.terms.values()) < 1e-3
    wrong = validation.measure(in_turn(np.zeros_like(targets), []), loss)
    assert (wrong.ap, wrong.ap50) == (0, 0)


def test_a_network_is_measured_batch_by_batch_and_alike_whatever_the_batch(
    tiny: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = start(tiny)
    predictions = trainer.predict(tiny.images)
    terms = trainer.loss(tf.constant(np.asarray(tiny.targets)), tf.constant(predictions))
    whole = ValidationScore(tiny, PLAIN.validation).measure(in_turn(predictions, []), trainer.loss)
    monkeypatch.setattr(module, "images_at_a_time", lambda _: 3)
    sizes: list[int] = []
    found = ValidationScore(tiny, PLAIN.validation).measure(in_turn(predictions, sizes), trainer.loss)
    assert max(sizes) == 3
    assert sum(sizes) == len(tiny)
    assert (found.ap, found.ap50) == (whole.ap, whole.ap50)
    assert found.terms == pytest.approx({name: np.mean(term) for name, term in terms.items()}, rel=1e-5)


def test_val_is_scored_with_the_votes_that_it_is_told(odd: EncodedSplit) -> None:
    """A cell beside each object answers too, surer and worse: the mean of both boxes fits better than its own."""
    loss, grid = WeightedLoss(IOU, odd.categories, odd.grid), odd.grid
    outputs = np.array(odd.targets)
    for image, row, col in zip(*np.nonzero(odd.targets[..., -1] > 0), strict=True):
        other = col + 1 if col + 1 < grid.cols else col - 1
        if outputs[image, row, other, -1] == 0:
            *classes, x, y, width, height, _ = outputs[image, row, col]
            beside = x + col - other + 0.15 * width * grid.cols
            outputs[image, row, other] = [*classes, beside, y, width, height, 1.0]
            outputs[image, row, col, -1] = 0.9
    found = []
    for vote_iou in (1.0, 0.6):
        validation = PLAIN.validation.model_copy(update={"vote_iou": vote_iou})
        found.append(ValidationScore(odd, validation).measure(in_turn(outputs, []), loss).ap)
    alone, voted = found
    assert alone is not None
    assert voted is not None
    assert voted > alone + 0.1
