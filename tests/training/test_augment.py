"""Boxes move exactly with the pixels, and what is drawn depends on (seed, epoch, image) alone."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from humbleyolo.params.sections import Augment
from humbleyolo.training.augment import Plan, change_images, changes_anything, draw_plan, move_boxes

HEIGHT, WIDTH = 48, 80
PARTS = [field.name for field in dataclasses.fields(Plan)]
STILL = dict.fromkeys(Augment.model_fields, 0.0)


def augment(**strengths: float) -> Augment:
    return Augment(**{**STILL, **strengths})


def pixels_of(plan: Plan, images: np.ndarray, fill: float = 0) -> np.ndarray:
    parts = [tf.constant(part, tf.float32) for part in (plan.scale, plan.shift, plan.window, plan.colour, plan.cut)]
    return change_images(tf.constant(images[plan.sources]), fill, *parts).numpy()


def one_rectangle_each(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (count, H, W, 3) black images with one white rectangle each, and the rectangles (count, 4)."""
    rng = np.random.default_rng(seed)
    images, boxes = np.zeros((count, HEIGHT, WIDTH, 3), np.uint8), np.zeros((count, 4))
    for image, box in zip(images, boxes, strict=True):
        left, top = rng.integers(0, WIDTH - 12), rng.integers(0, HEIGHT - 12)
        right, bottom = rng.integers(left + 8, WIDTH + 1), rng.integers(top + 8, HEIGHT + 1)
        image[top:bottom, left:right] = 255
        box[:] = left, top, right, bottom
    return images, boxes


def drawn_boxes(plan: Plan, boxes: np.ndarray, min_visible: float = 0.0) -> Any:
    count = len(boxes)
    return move_boxes(plan, boxes, np.zeros(count, np.int32), np.arange(count + 1), min_visible)


def ink(picture: np.ndarray) -> list[int]:
    """Return the box (xyxy) around what is brighter than half."""
    rows, cols = np.nonzero(picture[..., 0] > 127)
    return [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]


strengths = st.fixed_dictionaries(
    {
        "flip": st.sampled_from([0.0, 0.5, 1.0]),
        "flip_vertical": st.sampled_from([0.0, 0.5, 1.0]),
        "scale": st.floats(0, 0.5),
        "translate": st.floats(0, 0.3),
        "crop": st.floats(0, 0.5),
    }
)


@given(strengths, st.integers(0, 10**6), st.integers(0, 50))
def test_boxes_move_with_the_pixels(strength: dict[str, float], seed: int, epoch: int) -> None:
    images, boxes = one_rectangle_each(6, seed)
    plan = draw_plan(seed, epoch, np.arange(6), 6, (HEIGHT, WIDTH), augment(**strength))
    pictures, moved = pixels_of(plan, images), drawn_boxes(plan, boxes)
    for box, place in zip(moved.boxes, moved.image_index, strict=True):
        if min(box[2:] - box[:2]) >= 2:  # a sliver may leave no pixel that is brighter than half
            assert np.abs(np.array(ink(pictures[place])) - box).max() <= 1.0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 0.4))
def test_shifts_and_flips_copy_pixels_and_boxes_exactly(seed: int, translate: float) -> None:
    images, boxes = one_rectangle_each(6, seed)
    change = augment(flip=0.5, flip_vertical=0.5, translate=translate)
    plan = draw_plan(seed, 0, np.arange(6), 6, (HEIGHT, WIDTH), change)
    pictures, moved = pixels_of(plan, images), drawn_boxes(plan, boxes)
    assert set(np.unique(pictures)) <= {0.0, 255.0}
    for box, place in zip(moved.boxes, moved.image_index, strict=True):
        assert ink(pictures[place]) == box.tolist()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_a_mosaics_boxes_lie_on_its_pixels(seed: int) -> None:
    images, boxes = one_rectangle_each(9, seed)
    plan = draw_plan(seed, 3, np.arange(5), 9, (HEIGHT, WIDTH), augment(mosaic=1.0))
    pictures, moved = pixels_of(plan, images), drawn_boxes(plan, boxes)
    assert np.allclose((plan.window[..., 2:] - plan.window[..., :2]).prod(axis=-1).sum(axis=1), HEIGHT * WIDTH)
    drawn = np.zeros(pictures.shape[:3], bool)
    for box, place in zip(moved.boxes, moved.image_index, strict=True):
        left, top, right, bottom = box
        inside = [slice(int(np.ceil(low)) + 1, max(int(high) - 1, 0)) for low, high in ((top, bottom), (left, right))]
        inner = pictures[place, inside[0], inside[1]]
        assert (inner > 127).all()
        drawn[place, max(int(top) - 1, 0) : int(bottom) + 2, max(int(left) - 1, 0) : int(right) + 2] = True
    assert (pictures[..., 0][~drawn] < 128).all()


def test_nothing_is_changed_at_strength_0() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH, 3), np.uint8)
    plan = draw_plan(1, 2, np.arange(3), 3, (HEIGHT, WIDTH), augment())
    assert np.array_equal(pixels_of(plan, images), images)
    assert not changes_anything(augment(min_visible=0.5))


@pytest.mark.parametrize("name", [name for name in Augment.model_fields if name != "min_visible"])
def test_every_strength_changes_something(name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, HEIGHT, WIDTH, 3), np.uint8)
    change = augment(**{name: 0.5})
    assert changes_anything(change)
    plan = draw_plan(1, 2, np.arange(8), 8, (HEIGHT, WIDTH), change)
    assert not np.array_equal(pixels_of(plan, images), images)


def test_mirroring_is_a_flip() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, HEIGHT, WIDTH, 3), np.uint8)
    across = draw_plan(0, 0, np.arange(2), 2, (HEIGHT, WIDTH), augment(flip=1.0))
    assert np.array_equal(pixels_of(across, images), images[:, :, ::-1])
    down = draw_plan(0, 0, np.arange(2), 2, (HEIGHT, WIDTH), augment(flip_vertical=1.0))
    assert np.array_equal(pixels_of(down, images), images[:, ::-1])


def test_a_draw_depends_on_seed_epoch_and_image_alone() -> None:
    change = augment(**dict.fromkeys(set(STILL) - {"hue"}, 0.5))
    images = np.arange(12)
    size = (HEIGHT, WIDTH)
    whole = draw_plan(4, 7, images, 12, size, change)
    part = draw_plan(4, 7, images[::-1][3:5], 12, size, change)
    for name in PARTS:
        assert np.array_equal(getattr(part, name), getattr(whole, name)[::-1][3:5]), name
    for seed, epoch in ((5, 7), (4, 8)):
        assert not np.array_equal(draw_plan(seed, epoch, images, 12, size, change).scale, whole.scale)
    assert len(np.unique(whole.scale[:, 0, 0])) == 12


def test_one_strength_does_not_change_what_another_draws() -> None:
    size = (HEIGHT, WIDTH)
    shifted = draw_plan(0, 0, np.arange(4), 4, size, augment(translate=0.3))
    also_coloured = draw_plan(0, 0, np.arange(4), 4, size, augment(translate=0.3, brightness=0.3, hue=0.2))
    assert np.array_equal(shifted.shift, also_coloured.shift)


def test_an_object_mostly_out_of_sight_is_dropped() -> None:
    box = np.array([[0.0, 0.0, 10.0, 10.0]])
    plan = draw_plan(0, 0, np.arange(1), 1, (HEIGHT, WIDTH), augment())
    plan.shift[:] = (-6, 0)  # four tenths are left
    assert len(drawn_boxes(plan, box, 0.5).boxes) == 0
    kept = drawn_boxes(plan, box, 0.4)
    assert kept.boxes.tolist() == [[0, 0, 4, 10]]
    plan.shift[:] = (-10, 0)
    assert len(drawn_boxes(plan, box, 0.0).boxes) == 0


def test_an_object_that_shrinks_to_less_than_a_pixel_is_dropped() -> None:
    boxes = np.array([[10.0, 10.0, 18.0, 18.0]])
    for factor, left in ((0.126, 1), (0.124, 0)):
        plan = draw_plan(0, 0, np.arange(1), 1, (HEIGHT, WIDTH), augment())
        plan.scale[:] = factor
        assert len(drawn_boxes(plan, boxes).boxes) == left


@given(st.integers(0, 100))
def test_one_that_was_less_than_a_pixel_is_not(seed: int) -> None:
    boxes = np.array([[10.3, 10.1, 10.9, 30.2]])
    plan = draw_plan(seed, 0, np.arange(1), 1, (HEIGHT, WIDTH), augment(flip=0.5, flip_vertical=0.5))
    assert len(drawn_boxes(plan, boxes).boxes) == 1


def test_what_is_uncovered_is_filled() -> None:
    images = np.full((1, HEIGHT, WIDTH, 3), 200, np.uint8)
    plan = draw_plan(0, 0, np.arange(1), 1, (HEIGHT, WIDTH), augment())
    plan.shift[:] = (5, 0)
    picture = pixels_of(plan, images, fill=90)[0]
    assert (picture[:, :5] == 90).all()
    assert (picture[:, 5:] == 200).all()


def test_colours_change_as_they_are_named() -> None:
    images = np.random.default_rng(0).integers(90, 160, (1, HEIGHT, WIDTH, 3), np.uint8)
    plan = draw_plan(0, 0, np.arange(1), 1, (HEIGHT, WIDTH), augment())

    def with_colour(*colour: float) -> np.ndarray:
        plan.colour[:] = colour
        return pixels_of(plan, images)[0]

    assert np.allclose(with_colour(0.1, 1, 1, 0), images[0] + 25.5, atol=0.01)
    assert np.allclose(with_colour(0, 0.5, 1, 0), 127.5 + (images[0] - 127.5) / 2, atol=0.01)
    assert with_colour(0, 1, 0, 0).std(axis=-1).max() < 0.1  # without saturation all is grey
    luma = images[0] @ [0.299, 0.587, 0.114]
    assert np.allclose(with_colour(0, 1, 1, 0.5) @ [0.299, 0.587, 0.114], luma, atol=1)  # half a turn of hue
    assert np.abs(with_colour(0, 1, 1, 0.5) - images[0]).max() > 20


def test_what_shrinks_is_averaged_and_not_skipped() -> None:
    size, shape = 32, (1, 1, 2)
    board = np.indices((size, size)).sum(axis=0) % 2 * 255
    images = np.repeat(board[None, ..., None], 3, axis=-1).astype(np.uint8)
    plan = Plan(
        np.zeros((1, 1), np.int64), np.full(shape, 1 / 3), np.full(shape, 10.0),
        np.array([[[0.0, 0, size, size]]]), np.array([[0, 1, 1, 0]], np.float32),
        np.zeros((1, 4)),
    )  # fmt: skip
    inside = pixels_of(plan, images)[0, 12:18, 12:18]
    assert np.abs(inside - 127.5).max() < 20


@pytest.mark.parametrize("seed", range(5))
def test_windows_and_shifts_are_whole_pixels(seed: int) -> None:
    strengths = augment(scale=0.3, translate=0.3, crop=0.3, flip=0.5, flip_vertical=0.5, mosaic=0.7, cutout=0.5)
    plan = draw_plan(seed, 0, np.arange(8), 8, (50, 70), strengths)
    np.testing.assert_array_equal(plan.window, np.round(plan.window))
    np.testing.assert_array_equal(plan.cut, np.round(plan.cut))
    np.testing.assert_array_equal(plan.shift, np.round(plan.shift))


# -- cut-outs


@settings(max_examples=8, deadline=None)
@given(st.floats(0.05, 1), st.sampled_from([0.0, 0.7]), st.sampled_from([0.0, 0.3, 0.7]), st.integers(0, 10**6))
def test_a_cut_out_fills_pixels_and_drops_whom_nobody_can_see(
    part: float, mosaic: float, min_visible: float, seed: int
) -> None:
    """Pixel by pixel and object by object, against the same plan without it."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 200, (5, HEIGHT, WIDTH, 3), np.uint8)
    corners = np.sort(rng.uniform(0, 1, (40, 2, 2)), axis=1) * (WIDTH, HEIGHT)
    boxes, labels, offsets = corners.reshape(-1, 4), np.arange(40, dtype=np.int32), np.arange(0, 41, 8)
    strengths = {"flip": 0.5, "translate": 0.2, "mosaic": mosaic}
    size = (HEIGHT, WIDTH)
    bare, plan = (
        draw_plan(seed, 1, np.arange(5), 5, size, augment(**strengths, cutout=cutout)) for cutout in (0.0, part)
    )
    without, pictures = pixels_of(bare, images, 230), pixels_of(plan, images, 230)
    for picture, before, (left, top, right, bottom) in zip(pictures, without, plan.cut.tolist(), strict=True):
        assert 0 <= left <= right <= WIDTH
        assert 0 <= top <= bottom <= HEIGHT
        assert right - left <= part * WIDTH + 0.5
        assert bottom - top <= part * HEIGHT + 0.5
        covered = before.copy()
        covered[int(top) : int(bottom), int(left) : int(right)] = 230
        np.testing.assert_array_equal(picture, covered)

    whole = move_boxes(bare, boxes, labels, offsets, 0.0)
    visible = move_boxes(plan, boxes, labels, offsets, min_visible)
    expected = []
    for box, label, place in zip(whole.boxes.tolist(), whole.labels.tolist(), whole.image_index, strict=True):
        (left, top, right, bottom), cut = box, plan.cut[place]
        across = max(0.0, min(right, cut[2]) - max(left, cut[0]))
        down = max(0.0, min(bottom, cut[3]) - max(top, cut[1]))
        seen = (right - left) * (bottom - top) - across * down
        sides = boxes[label, 2:] - boxes[label, :2]  # mosaics shrink: the whole object's, in the new image
        layer = next(one for one in range(plan.sources.shape[1]) if label // 8 == plan.sources[place, one]
                     and inside(box, plan.window[place, one]))  # fmt: skip
        if seen > 0 and seen >= min_visible * (sides * np.abs(plan.scale[place, layer])).prod():
            expected.append((place, label, box))
    found = list(zip(visible.image_index, visible.labels.tolist(), visible.boxes.tolist(), strict=True))
    assert found == expected


def inside(box: list[float], window: np.ndarray) -> bool:
    return bool((window[:2] <= box[:2]).all() and (box[2:] <= window[2:]).all())


def test_a_cut_out_covers_an_object_in_part_or_as_a_whole() -> None:
    box = np.array([[10.0, 10.0, 30.0, 20.0]])
    plan = draw_plan(0, 0, np.arange(1), 1, (HEIGHT, WIDTH), augment())
    for cut, least, left in (
        ((10, 0, 22, 48), 0.4, 1), ((10, 0, 22, 48), 0.41, 0), ((0, 0, 80, 48), 0.0, 0), ((30, 0, 80, 48), 1.0, 1)
    ):  # fmt: skip
        plan.cut[:] = cut
        kept = drawn_boxes(plan, box, least)
        assert kept.boxes.tolist() == box.tolist()[:left]


def test_a_cut_out_of_0_changes_no_bit_of_a_plan_and_another_one_nothing_else() -> None:
    others = augment(**dict.fromkeys(set(STILL) - {"hue", "cutout"}, 0.5))
    size, chosen = (HEIGHT, WIDTH), np.arange(6)
    bare, plan = (draw_plan(3, 2, chosen, 6, size, others.model_copy(update={"cutout": part})) for part in (0.0, 0.8))
    for name in PARTS:
        assert (getattr(bare, name).tobytes() == getattr(plan, name).tobytes()) == (name != "cut"), name
    images = np.random.default_rng(0).integers(0, 256, (6, HEIGHT, WIDTH, 3), np.uint8)
    parts = [tf.constant(part, tf.float32) for part in (bare.scale, bare.shift, bare.window, bare.colour)]
    np.testing.assert_array_equal(
        change_images(tf.constant(images[bare.sources]), 9, *parts), pixels_of(bare, images, 9)
    )
