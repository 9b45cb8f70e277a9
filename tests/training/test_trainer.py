"""Single steps of training, and the weights that come out of them."""

import dataclasses
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from small_training import HUMBLE, IOU, PLAIN, TINY, draw_split, start

from humbleyolo.dataset.encoded_split import EncodedSplit, open_encoded
from humbleyolo.dataset.encoding import encode_split
from humbleyolo.errors import UserError
from humbleyolo.models.build import build_model
from humbleyolo.models.tensorflow_setup import computing_in
from humbleyolo.training.augment import change_images
from humbleyolo.training.schedule import epoch_order
from humbleyolo.training.trainer import Trainer


def test_the_average_follows_the_weights(tiny: EncodedSplit) -> None:
    train = PLAIN.model_copy(update={"ema_decay": 0.15})
    trainer = start(tiny, train=train)
    assert trainer.term_names == ["box", "obj", "noobj", "class"]  # before the first step
    network, expected = trainer._network, trainer.weights()
    for step, terms in enumerate(trainer.run_epoch(0)):
        assert terms.shape == (4,)
        decay = min(0.15, (1 + step) / (10 + step))
        for weight in network.weights:
            now = np.asarray(weight)
            expected[weight.path] = decay * expected[weight.path] + (1 - decay) * now
    assert step == 1  # 10 images make two batches of 4
    for name, values in trainer.weights().items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-7)


@pytest.mark.usefixtures("eagerly")
def test_without_an_average_the_weights_themselves_are_kept(tiny: EncodedSplit) -> None:
    trainer = start(tiny, train=PLAIN.model_copy(update={"ema_decay": 0.0}))
    before = trainer.weights()
    list(trainer.run_epoch(0))
    after = trainer.weights()
    for weight in trainer._network.weights:
        np.testing.assert_array_equal(after[weight.path], weight)
    assert any((before[name] != after[name]).any() for name in before)


@pytest.mark.usefixtures("eagerly")
def test_a_loss_that_is_no_number_stops_with_step_term_and_image(tiny: EncodedSplit) -> None:
    image = 7
    targets = np.array(tiny.targets)
    row, col = np.argwhere(targets[image, ..., -1])[0]
    targets[image, row, col, TINY.classes] = np.nan
    # The epoch in which the image comes in the second batch: it is dropped in none of the first three.
    places = {epoch: int(np.flatnonzero(epoch_order(1, epoch, 10) == image)[0]) for epoch in range(20)}
    epoch = next(epoch for epoch, place in places.items() if 4 <= place < 8)
    trainer = start(dataclasses.replace(tiny, targets=targets))
    steps = trainer.run_epoch(epoch)
    next(steps)
    with pytest.raises(UserError) as caught:
        next(steps)
    text = str(caught.value)
    assert f"training stopped at step {epoch * 2 + 2} (epoch {epoch + 1})" in text
    assert f"box on images {image}" in text
    assert "class" not in text
    assert "lower train.learning_rate" in text
    with pytest.raises(UserError, match=r"box on images \d+, \d+, \d+, \d+; obj on"):  # the weights are lost now
        next(trainer.run_epoch(0))


@pytest.mark.usefixtures("eagerly")
def test_images_kept_as_jpegs_train_as_their_pixels_do(tmp_path: Path) -> None:
    draw_split(tmp_path, TINY, 8)
    list(encode_split(tmp_path / "split", TINY, 0, tmp_path / "jpegs", 90))
    kept = open_encoded(tmp_path / "jpegs")
    trainers = start(kept), start(dataclasses.replace(kept, images=kept.images[:]))
    terms = [list(trainer.run_epoch(0)) for trainer in trainers]
    np.testing.assert_array_equal(*terms)
    for name, weights in trainers[0].weights().items():
        np.testing.assert_array_equal(weights, trainers[1].weights()[name])


@pytest.mark.usefixtures("eagerly")
def test_the_next_batch_is_made_while_a_step_computes(tiny: EncodedSplit, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = start(tiny)
    made, two_are_made = [], threading.Event()
    inputs, step = trainer.inputs, trainer.step

    def noted(epoch: int, chosen: np.ndarray) -> list[tf.Tensor]:
        made.append(chosen.tolist())
        if len(made) == 2:
            two_are_made.set()
        return inputs(epoch, chosen)

    def waiting(number: int, parts: Iterable[list[tf.Tensor]]) -> np.ndarray:
        own = list(parts)
        assert two_are_made.wait(60)
        return step(number, own)

    monkeypatch.setattr(trainer, "inputs", noted)
    monkeypatch.setattr(trainer, "step", waiting)
    list(trainer.run_epoch(0))
    assert made == [trainer.chosen(0, place).tolist() for place in range(2)]


@pytest.mark.usefixtures("eagerly")
def test_computing_in_bfloat16_trains_float32_weights(tiny: EncodedSplit) -> None:
    """Eight bits of precision change the numbers a little and the course of training hardly."""
    losses = {}
    for precision in ("float32", "bfloat16"):
        with computing_in(precision):
            network = build_model(HUMBLE, tiny.grid, 1)
        average = build_model(HUMBLE, tiny.grid, 1)
        assert {variable.dtype for variable in network.weights} == {"float32"}
        assert network.get_layer("conv2").compute_dtype == precision
        trainer = Trainer(network, average, tiny, IOU, PLAIN, 1)
        losses[precision] = np.concatenate(list(trainer.run_epoch(0)))
        assert average.get_layer("conv2").compute_dtype == "float32"
    assert not np.array_equal(losses["float32"], losses["bfloat16"])
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], rtol=0.1, atol=0.05)


@pytest.mark.usefixtures("eagerly")
def test_two_steps_are_adamw_s_with_clipped_gradients(tiny: EncodedSplit) -> None:
    """Loshchilov & Hutter 2019, algorithm 2; only kernels decay. In one step the length is no matter."""
    rate, decay, longest = 0.01, 0.5, 0.05
    train = PLAIN.model_copy(
        update={
            "warmup_epochs": 0.0, "learning_rate": rate, "final_learning_rate": rate, "weight_decay": decay,
            "clip_norm": longest,
        }
    )  # fmt: skip
    model = HUMBLE.model_copy(update={"humble": HUMBLE.humble.model_copy(update={"batch_norm": True})})
    trainer = start(tiny, model, train)
    variables = trainer._network.trainable_variables
    expected = [np.asarray(variable, np.float64) for variable in variables]
    first, second = ([np.zeros_like(values) for values in expected] for _ in range(2))
    lengths = []
    for step in range(2):
        inputs = trainer.inputs(0, np.arange(4 * step, 4 * step + 4))
        with tf.GradientTape() as tape:
            terms = trainer.loss(inputs[0], trainer._network(inputs[1], training=True))
            total = tf.add_n([tf.reduce_mean(term) for term in terms.values()])
        gradients = [np.asarray(gradient, np.float64) for gradient in tape.gradient(total, variables)]
        lengths.append(np.sqrt(sum((gradient**2).sum() for gradient in gradients)))
        for place, gradient in enumerate(gradients):
            gradient = gradient * min(1, longest / lengths[-1])
            first[place] = 0.9 * first[place] + 0.1 * gradient
            second[place] = 0.999 * second[place] + 0.001 * gradient**2
            if expected[place].ndim > 1:
                expected[place] -= rate * decay * expected[place]
            mean, spread = first[place] / (1 - 0.9 ** (step + 1)), second[place] / (1 - 0.999 ** (step + 1))
            expected[place] -= rate * mean / (np.sqrt(spread) + 1e-7 / np.sqrt(1 - 0.999 ** (step + 1)))
        trainer.step(step, [inputs])
    assert min(lengths) > longest
    assert abs(lengths[0] / lengths[1] - 1) > 0.05
    assert {values.ndim for values in expected} > {1}
    for variable, values in zip(variables, expected, strict=True):
        np.testing.assert_allclose(np.asarray(variable), values, atol=1e-4, err_msg=variable.path)


@pytest.mark.usefixtures("eagerly")
def test_memory_of_predictions_does_not_grow_with_the_split(
    tiny: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, seen = start(tiny), list[int]()
    whole, predict = trainer.predict(tiny.images), trainer._predict
    assert whole.shape == (10, *TINY.shape)
    monkeypatch.setattr("humbleyolo.training.trainer.images_at_a_time", lambda _: 3)
    monkeypatch.setattr(trainer, "_predict", lambda images: (seen.append(len(images)), predict(images))[1])
    np.testing.assert_allclose(trainer.predict(tiny.images), whole, rtol=1e-5, atol=1e-7)
    assert seen == [3, 3, 3, 1]


@pytest.mark.usefixtures("eagerly")
def test_examples_are_what_the_first_epoch_learns_from(tiny: EncodedSplit) -> None:
    chosen = np.sort(epoch_order(1, 0, len(tiny))[:12])
    assert len(chosen) > PLAIN.batch
    images, moved = start(tiny).examples()
    np.testing.assert_array_equal(images, tiny.images[chosen])  # nothing augments
    inside = np.isin(tiny.image_index, chosen)
    np.testing.assert_array_equal(moved.boxes, tiny.boxes[inside])
    np.testing.assert_array_equal(moved.labels, tiny.labels[inside])
    np.testing.assert_array_equal(chosen[moved.image_index], tiny.image_index[inside])

    strengths = PLAIN.augment.model_copy(
        update={"flip": 0.5, "translate": 0.2, "brightness": 0.2, "mosaic": 0.3, "cutout": 0.5}
    )
    trainer = start(tiny, train=PLAIN.model_copy(update={"augment": strengths}))
    images, moved = trainer.examples()
    targets, sources, *plan = trainer.inputs(0, chosen)
    np.testing.assert_allclose(images, change_images(sources, tiny.fill, *plan), atol=0.5)
    np.testing.assert_array_equal(trainer.loss.targets(*moved, len(chosen)), targets)
