"""The order of the images and the learning rate, as functions of the seed and the step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_training import PLAIN

from humbleyolo.training.schedule import epoch_order, learning_rate


@given(st.integers(0, 2**63 - 1), st.integers(0, 10_000), st.integers(1, 300))
def test_the_order_is_a_permutation_that_seed_and_epoch_decide(seed: int, epoch: int, images: int) -> None:
    order = epoch_order(seed, epoch, images)
    np.random.seed(0)  # noqa: NPY002 - nobody's global state matters
    np.testing.assert_array_equal(np.sort(order), np.arange(images))
    np.testing.assert_array_equal(order, epoch_order(seed, epoch, images))


def test_no_two_epochs_or_seeds_have_the_same_order() -> None:
    orders = {epoch_order(seed, epoch, 50).tobytes() for seed in (0, 1, 2, 2**40) for epoch in range(10)}
    assert len(orders) == 40


@given(st.integers(1, 40), st.integers(1, 30), st.floats(0, 1), st.floats(0, 1))
def test_the_rate_rises_to_its_highest_and_falls_to_its_final(
    epochs: int, steps: int, warmup: float, final: float
) -> None:
    train = PLAIN.model_copy(
        update={"epochs": epochs, "warmup_epochs": warmup * (epochs - 1), "final_learning_rate": final * 0.01}
    )
    rates = np.array([learning_rate(step, steps, train) for step in range(epochs * steps)])
    top = int(np.argmax(rates))
    assert abs(top - train.warmup_epochs * steps) <= 1
    assert (rates > 0).all() or final == 0
    assert (rates <= 0.01 * (1 + 1e-12)).all()
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) <= 1e-15).all()
    assert (rates[top:] >= train.final_learning_rate - 1e-15).all()


def test_the_rate_of_the_article_is_divided_by_the_steps() -> None:
    train = PLAIN.model_copy(update={"schedule": "inverse_time", "inverse_time_decay": 0.01, "warmup_epochs": 0.0})
    assert [learning_rate(step, 10, train) for step in (0, 100, 900)] == pytest.approx([0.01, 0.005, 0.001])


def test_the_rate_at_the_ends() -> None:
    train = PLAIN.model_copy(update={"epochs": 101, "warmup_epochs": 1.0})
    assert learning_rate(0, 4, train) == pytest.approx(0.01 / 5)
    assert learning_rate(4, 4, train) == pytest.approx(0.01)
    assert learning_rate(4 + 200, 4, train) == pytest.approx((0.01 + 0.0005) / 2)  # half way down the cosine
    assert learning_rate(403, 4, train) == pytest.approx(0.0005, rel=0.01)
    at_once = PLAIN.model_copy(update={"warmup_epochs": 0.0})
    assert learning_rate(0, 4, at_once) == 0.01
