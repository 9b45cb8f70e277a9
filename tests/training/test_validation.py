"""The score and the loss on val."""

import numpy as np
import pytest
import tensorflow as tf
from small_training import IOU, PLAIN, start

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.training import validation as module
from humbleyolo.training.validation import ValidationScore
from humbleyolo.training.weighted_loss import WeightedLoss


def test_the_truth_scores_1_and_costs_nothing(odd: EncodedSplit) -> None:
    validation = ValidationScore(odd, PLAIN.validation)
    targets = np.asarray(odd.targets)
    assert validation.score(targets) == (1, 1)
    assert validation.score(np.zeros_like(targets)) == (0, 0)
    assert max(validation.terms(targets, WeightedLoss(IOU, odd.categories, odd.grid)).values()) < 1e-3


def test_validation_s_terms_are_means_over_images_whatever_the_batch(
    tiny: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = start(tiny)
    predictions = trainer.predict(tiny.images)
    whole = trainer.loss(tf.constant(np.asarray(tiny.targets)), tf.constant(predictions))
    monkeypatch.setattr(module, "images_at_a_time", lambda _: 3)
    found = ValidationScore(tiny, PLAIN.validation).terms(predictions, trainer.loss)
    assert found == pytest.approx({name: np.mean(term) for name, term in whole.items()}, rel=1e-5)
