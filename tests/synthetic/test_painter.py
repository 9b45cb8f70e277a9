"""Boxes are the ink that shows; a sample is a function of seed, split and index; every knob does what it says."""

import functools
import io
import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from repository import ROOT

from humbleyolo.errors import UserError
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Synthetic
from humbleyolo.synthetic.drawable_words import find_problems
from humbleyolo.synthetic.drawn_split import draw_shard, draw_splits
from humbleyolo.synthetic.fonts import FAINTEST_INK
from humbleyolo.synthetic.painter import Painter, Sample, Word

FONTS = ROOT / "data" / "fonts"
SANS, BOLD, SERIF, MONO = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf"


def synthetic(**changes: Any) -> Synthetic:
    """The project's parameters with some changed; a mapping changes some keys of a section."""
    (dataset,) = load_params(ROOT / "params.yaml", "dataset")
    values = dataset.synthetic.model_dump()
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    return Synthetic.model_validate(values)


def draw(params: Synthetic, count: int, seed: int = 1, split: str = "test") -> list[Sample]:
    painter = Painter(params, FONTS, seed)
    return [painter.draw(split, index) for index in range(count)]


KINDS = {
    "default": synthetic(),
    "wide": synthetic(height=40, width=150, words=["chat", "i", "WWW"], frequencies=[1, 1, 1],
        cells={"rows": 3, "cols": 5}),
    "crowded": synthetic(height=50, width=90, placement="free", min_visible=0.3,
        free={"min_objects": 4, "max_objects": 12, "max_overlap": 1.0}),
    "some overlap": synthetic(placement="free", free={"min_objects": 2, "max_objects": 6, "max_overlap": 0.3},
        min_visible=0.2, fonts=[SANS, SERIF], font_px=[9, 16]),
    "apart": synthetic(height=80, placement="free", free={"min_objects": 0, "max_objects": 8}),
    "turned": synthetic(height=96, width=128, rotation_deg=180, font_px=[8, 30], fonts=[MONO, BOLD],
        cells={"rows": 2, "cols": 3}),
    "leaving": synthetic(height=33, width=47, font_px=[20, 40], min_visible=0.05, words=["Ωß", "é", "Ж."],
        frequencies=[2, 1, 1]),
    "inside": synthetic(may_leave_image=False, height=64, width=100, rotation_deg=30),
    "colourful": synthetic(ink=["#ff0000", "#00ff00", "#ffff00"], ground=["#000000", "#202080"],
        min_visible=0.6, font_px=[10, 20], cells={"rows": 3, "cols": 3}),
}  # fmt: skip


def drawn_mask(params: Synthetic, word: Word) -> npt.NDArray[np.bool_]:
    """Draw one word by itself, by the plainest way: (H, W) pixels of ink, cut to it."""
    return mask_of(params.words[word.label], word.font, word.px, word.angle_deg)


@functools.lru_cache(maxsize=500)
def mask_of(text: str, font: str, px: int, angle_deg: float) -> npt.NDArray[np.bool_]:
    face = ImageFont.truetype(FONTS / font, px, layout_engine=ImageFont.Layout.BASIC)
    picture = Image.new("L", (px * len(text) + 40, 2 * px + 40))
    ImageDraw.Draw(picture).text((20, 20), text, fill=255, font=face)
    coverage = tight(np.asarray(picture))
    if angle_deg:
        framed = Image.fromarray(np.pad(coverage, 2))
        turned = framed.rotate(angle_deg, Image.Resampling.BICUBIC, expand=True)
        coverage = tight(np.asarray(turned))
    return coverage > 0


def channels(sample: Sample) -> int:
    return 3 if sample.pixels.ndim == 3 else 1


def tight(coverage: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    seen = np.where(coverage < FAINTEST_INK, 0, coverage).astype(np.uint8)
    rows, cols = seen.nonzero()
    return seen[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]


def owners(params: Synthetic, sample: Sample) -> tuple[npt.NDArray[np.int8], list[int]]:
    """Put the words down one after the other on a large sheet; return the image's part, and each one's ink."""
    edge = 150  # more than any word here is long
    sheet = np.full((params.height + 2 * edge, params.width + 2 * edge), -1, np.int8)
    totals = []
    for number, word in enumerate(sample.words):
        mask = drawn_mask(params, word)
        assert max(mask.shape) <= edge
        rows, cols = mask.nonzero()
        sheet[edge + word.top + rows, edge + word.left + cols] = number
        totals.append(len(rows))
    return sheet[edge : edge + params.height, edge : edge + params.width], totals


@pytest.mark.parametrize("kind", KINDS)
def test_every_box_is_the_ink_that_shows(kind: str) -> None:
    params = KINDS[kind]
    found = 0
    for sample in draw(params, 1000 if kind == "default" else 100):
        image_owners, totals = owners(params, sample)
        for number, word in enumerate(sample.words):
            rows, cols = (image_owners == number).nonzero()
            left, top, width, height = word.box_ltwh
            assert (left, top) == (cols.min(), rows.min())
            assert (left + width, top + height) == (cols.max() + 1, rows.max() + 1)
            assert len(rows) >= params.min_visible * totals[number]
            assert left >= 0
            assert top >= 0
            assert left + width <= params.width
            assert top + height <= params.height
        found += len(sample.words)
        if params.background == "plain" and not params.noise and not params.blur_px:
            ground = sample.pixels[image_owners == -1]
            assert (ground == ground[0]).all()
            inked = sample.pixels[image_owners >= 0]
            assert not (inked == ground[0]).reshape(len(inked), channels(sample)).all(1).any()
    assert found > 50


def test_the_picture_alone_shows_the_box() -> None:
    # One word for each image: whatever is not ground is its ink.
    params = synthetic(cells={"rows": 1, "cols": 1, "nothing": 0}, words=["chat"], frequencies=[1])
    for sample in draw(params, 200):
        rows, cols = sample.pixels.nonzero()
        (word,) = sample.words
        left, top, width, height = word.box_ltwh
        assert (cols.min(), rows.min()) == (left, top)
        assert (cols.max() + 1, rows.max() + 1) == (left + width, top + height)


knobs = st.fixed_dictionaries(
    {
        "height": st.integers(1, 90),
        "width": st.integers(1, 90),
        "placement": st.sampled_from(["cells", "free"]),
        "cells": st.fixed_dictionaries(
            {"rows": st.integers(1, 4), "cols": st.integers(1, 4), "nothing": st.sampled_from([0.0, 1.0])}
        ),
        "free": st.fixed_dictionaries(
            {"min_objects": st.just(0), "max_objects": st.integers(1, 9), "max_overlap": st.floats(0, 1)}
        ),
        "may_leave_image": st.booleans(),
        "min_visible": st.floats(0.01, 1),
        "font_px": st.lists(st.integers(4, 40), min_size=2, max_size=2).map(sorted),
        "rotation_deg": st.sampled_from([0.0, 15.0, 180.0]),
        "blur_px": st.sampled_from([0.0, 2.0]),
        "noise": st.sampled_from([0.0, 0.2]),
        "background": st.sampled_from(["plain", "gradient", "noise"]),
        "ground": st.sampled_from([["#000000", "#300000"], ["#000000", "#404040"]]),
    }
)


@given(knobs, st.integers(0, 2**63 - 1), st.integers(0, 2**40))
def test_what_always_holds(changes: dict[str, Any], seed: int, index: int) -> None:
    if changes["placement"] == "cells":
        changes["cells"]["rows"] = min(changes["cells"]["rows"], changes["height"])
        changes["cells"]["cols"] = min(changes["cells"]["cols"], changes["width"])
    params = synthetic(**changes)
    sample = Painter(params, FONTS, seed).draw("train", index)
    assert sample.pixels.shape[:2] == (params.height, params.width)
    assert sample.pixels.dtype == np.uint8
    for number, word in enumerate(sample.words):
        left, top, width, height = word.box_ltwh
        assert 0 <= left < left + width <= params.width
        assert 0 <= top < top + height <= params.height
        if not params.may_leave_image:
            mask = drawn_mask(params, word)
            assert (word.left, word.top) >= (0, 0)
            assert word.left + mask.shape[1] <= params.width
            assert word.top + mask.shape[0] <= params.height
        if params.placement == "free":
            for other in sample.words[:number]:
                assert iou(word.box_ltwh, other.box_ltwh) <= params.free.max_overlap + 1e-12


def iou(one: Any, other: Any) -> float:
    pixels = [
        {(x, y) for x in range(left, left + width) for y in range(top, top + height)}
        for left, top, width, height in (one, other)
    ]
    return len(pixels[0] & pixels[1]) / len(pixels[0] | pixels[1])


# ---- seed, split, index


def test_a_sample_depends_on_seed_split_and_index_alone() -> None:
    params = synthetic(noise=0.1, blur_px=1.0, background="noise", ground=["#000000", "#404040"])
    painter = Painter(params, FONTS, 5)
    forward = [painter.draw(split, index) for split in ("train", "val", "test") for index in range(8)]
    order = np.random.default_rng(0).permutation(24)
    for position in order:
        split, index = ("train", "val", "test")[position // 8], int(position % 8)
        again = Painter(params, FONTS, 5).draw(split, index) if position % 2 else painter.draw(split, index)
        np.testing.assert_array_equal(again.pixels, forward[position].pixels)
        assert again.words == forward[position].words
    others = [Painter(params, FONTS, 6).draw("test", 0), Painter(params, FONTS, 5 + 2**62).draw("test", 0)]
    pictures = {sample.pixels.tobytes() for sample in [*forward, *others]}
    assert len(pictures) == 26


def test_other_splits_and_more_images_change_nothing() -> None:
    few = synthetic(images={"train": 1, "val": 1, "test": 9})
    many = synthetic(images={"train": 700, "val": 30, "test": 600})
    kept = list(draw_splits(few, FONTS, 1, {"test": range(9)}, processes=1))
    assert list(itertools.islice(draw_splits(many, FONTS, 1, {"test": range(600)}, processes=1), 9)) == kept


def test_the_cut_into_shards_and_processes_changes_nothing() -> None:
    params = synthetic(images={"train": 1, "val": 1, "test": 50}, rotation_deg=20.0, noise=0.05)
    whole = draw_shard(params, 3, FONTS, ("test", range(50)))
    for cuts in ([0, 50], [0, 1, 2, 50], [0, 17, 33, 50]):
        parts = [draw_shard(params, 3, FONTS, ("test", range(*cut))) for cut in itertools.pairwise(cuts)]
        assert list(itertools.chain.from_iterable(parts)) == whole
    assert list(draw_splits(params, FONTS, 3, {"test": range(50)})) == whole


def test_colours_and_noise_move_no_word() -> None:
    plain = draw(synthetic(), 20)
    looks = draw(
        synthetic(ink=["#ffffff", "#ff0000"], ground=["#000000", "#000044"], background="gradient",
            noise=0.1, blur_px=1.5), 20,
    )  # fmt: skip
    assert [[w.box_ltwh for w in sample.words] for sample in plain] == [
        [w.box_ltwh for w in sample.words] for sample in looks
    ]


def test_the_first_images_are_those_that_they_were() -> None:
    # Not an oracle, a tripwire: a change here means that every dataset drawn so far becomes another.
    assert [
        [(word.label, word.box_ltwh) for word in sample.words] for sample in draw(synthetic(), 3, 1, "train")
    ] == [
        [(1, (26, 19, 15, 8)), (0, (43, 47, 21, 9))],
        [(0, (6, 1, 24, 9)), (0, (35, 3, 24, 9)), (0, (19, 33, 24, 9)), (1, (40, 43, 15, 8))],
        [(1, (13, 19, 15, 8)), (1, (54, 26, 10, 6)), (1, (14, 41, 15, 8)), (0, (29, 37, 24, 9))],
    ]


# ---- the knobs


def test_frequencies_of_words_and_of_nothing() -> None:
    params = synthetic(words=["a", "b", "c", "d"], frequencies=[1, 2, 0, 5], cells={"nothing": 8}, width=128)
    samples = draw(params, 1500)
    counts = Counter(word.label for sample in samples for word in sample.words)
    cells = 1500 * 4
    assert sum(sample.not_drawn for sample in samples) < cells / 1000
    for label, share in enumerate([1 / 16, 2 / 16, 0, 5 / 16]):
        deviation = (share * (1 - share) / cells) ** 0.5
        assert abs(counts[label] / cells - share) <= 4 * deviation


def test_centres_lie_in_their_cells_and_everywhere_in_them() -> None:
    params = synthetic(height=60, width=90, cells={"rows": 2, "cols": 3, "nothing": 0}, min_visible=0.01,
        words=["ab"], frequencies=[1], font_px=[6, 6])  # fmt: skip
    hits = np.zeros((60, 90), np.int64)
    for sample in draw(params, 2000):
        cells = set()
        for word in sample.words:
            mask = drawn_mask(params, word)
            x, y = word.left + mask.shape[1] / 2, word.top + mask.shape[0] / 2
            assert 0 <= x < 90
            assert 0 <= y < 60
            cells.add((int(y // 30), int(x // 30)))
            hits[int(y), int(x)] += 1
        assert len(cells) == len(sample.words)
    assert (hits > 0).mean() > 0.8
    assert np.corrcoef(hits.sum(0), np.arange(90))[0, 1] < 0.3


@pytest.mark.parametrize("kind", ["default", "wide", "turned", "leaving"])
def test_a_cell_never_holds_the_centres_of_two_boxes(kind: str) -> None:
    """Not even where a word that is cut or covered shows a box whose centre is elsewhere than the word's."""
    params = KINDS[kind]
    tall, wide = params.height / params.cells.rows, params.width / params.cells.cols
    for sample in draw(params, 3000 if kind == "default" else 200, split="train"):
        boxes = [word.box_ltwh for word in sample.words]
        cells = [((y + h / 2) // tall, (x + w / 2) // wide) for x, y, w, h in boxes]
        assert len(set(cells)) == len(cells)


def test_free_placement_keeps_its_minimum_and_maximum() -> None:
    params = synthetic(height=128, width=128, placement="free", free={"min_objects": 3, "max_objects": 5})
    assert {len(sample.words) for sample in draw(params, 200)} == {3, 4, 5}


@pytest.mark.parametrize("limit", [0.0, 0.05, 0.2, 0.5])
def test_no_two_boxes_overlap_more_than_allowed(limit: float) -> None:
    # Also where a third word covers one of the two, and makes its box smaller.
    params = synthetic(
        placement="free", min_visible=0.1, font_px=[8, 30], words=["i.", "WW", "lA"], frequencies=[1, 1, 1],
        free={"min_objects": 0, "max_objects": 12, "max_overlap": limit},
    )  # fmt: skip
    most = 0.0
    for sample in draw(params, 100):
        ltwh = np.array([word.box_ltwh for word in sample.words], np.float64).reshape(-1, 4)
        corners = np.concatenate([ltwh[:, :2], ltwh[:, :2] + ltwh[:, 2:]], axis=1)
        low = np.maximum(corners[:, None, :2], corners[None, :, :2])
        high = np.minimum(corners[:, None, 2:], corners[None, :, 2:])
        shared = np.clip(high - low, 0, None).prod(-1)
        areas = ltwh[:, 2:].prod(1)
        overlaps = shared / (areas[:, None] + areas[None] - shared)
        np.fill_diagonal(overlaps, 0)
        most = max(most, float(overlaps.max(initial=0)))
    assert 0.9 * limit <= most <= limit


def test_a_minimum_that_cannot_be_kept_is_an_error() -> None:
    params = synthetic(placement="free", free={"min_objects": 40, "max_objects": 40})
    with pytest.raises(UserError, match=r"free\.min_objects: 40 words found no place in image 0 of test"):
        draw(params, 1)


def test_fonts_sizes_and_inks_are_all_drawn() -> None:
    params = synthetic(fonts=[SANS, MONO], font_px=[9, 12], ink=["#ff0000", "#00ff00"])
    words = [word for sample in draw(params, 200) for word in sample.words]
    assert {word.font for word in words} == {SANS, MONO}
    assert {word.px for word in words} == {9, 10, 11, 12}
    assert {word.ink for word in words} == {(255, 0, 0), (0, 255, 0)}


def test_rotation_stays_in_its_range() -> None:
    words = [word for sample in draw(synthetic(rotation_deg=20.0), 200) for word in sample.words]
    angles = np.array([word.angle_deg for word in words])
    assert -20 <= angles.min() < -18
    assert 18 < angles.max() <= 20


def test_grey_images_have_one_channel_and_coloured_ones_three() -> None:
    assert draw(synthetic(), 1)[0].pixels.shape == (64, 64)
    assert draw(synthetic(ink=["#fffffe"]), 1)[0].pixels.shape == (64, 64, 3)


def test_a_gradient_runs_from_one_colour_to_another() -> None:
    params = synthetic(background="gradient", ground=["#102030", "#405060"], cells={"nothing": 1e6})
    for sample in draw(params, 10):
        ends = {tuple(sample.pixels[y, x].tolist()) for y in (0, 63) for x in (0, 63)}
        assert {(16, 32, 48), (64, 80, 96)} <= ends
        steps = np.abs(np.diff(sample.pixels.astype(int), axis=1)).max()
        assert steps <= 3


def test_background_noise_stays_between_its_colours() -> None:
    params = synthetic(background="noise", ground=["#102030", "#405060"], cells={"nothing": 1e6})
    pixels = np.stack([sample.pixels for sample in draw(params, 10)])
    assert (pixels.reshape(-1, 3).min(0) >= [16, 32, 48]).all()
    assert (pixels.reshape(-1, 3).max(0) <= [64, 80, 96]).all()
    assert pixels.reshape(-1, 3).std(0).min() > 5


def test_noise_has_its_deviation() -> None:
    params = synthetic(noise=0.1, ground=["#808080"], cells={"nothing": 1e6})
    pixels = np.stack([sample.pixels for sample in draw(params, 20)])
    assert pixels.std() == pytest.approx(25.5, rel=0.02)
    assert pixels.mean() == pytest.approx(128, abs=0.5)


def test_blur_spreads_ink_and_keeps_boxes() -> None:
    sharp, blurred = draw(synthetic(), 10), draw(synthetic(blur_px=3.0), 10)
    for one, other in zip(sharp, blurred, strict=True):
        assert [word.box_ltwh for word in one.words] == [word.box_ltwh for word in other.words]
    counts = [sum((sample.pixels > 0).sum() for sample in samples) for samples in (sharp, blurred)]
    assert counts[1] > 1.5 * counts[0]  # of all images: the radius of one may be next to nothing


@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 200), (200, 8), (1, 64)])
def test_odd_shapes(height: int, width: int) -> None:
    params = synthetic(height=height, width=width, cells={"rows": 1, "cols": 1}, min_visible=0.001)
    for sample in draw(params, 30):
        assert sample.pixels.shape == (height, width)
        image_owners, _ = owners(params, sample)
        np.testing.assert_array_equal(sample.pixels > 0, image_owners >= 0)


def test_a_thousand_words() -> None:
    words = [f"w{number}" for number in range(1000)]
    params = synthetic(words=words, frequencies=[1] * 1000, width=128)
    assert find_problems(params, FONTS) == []
    assert len({word.label for sample in draw(params, 300) for word in sample.words}) > 400


def test_words_larger_than_the_image_are_not_drawn_where_too_little_would_show() -> None:
    params = synthetic(font_px=[11, 200], min_visible=0.9)
    samples = draw(params, 100)
    assert sum(sample.not_drawn for sample in samples) > 50
    assert max(word.px for sample in samples for word in sample.words) < 60


# ---- encoded


def test_encoded_samples_decode_to_the_pixels() -> None:
    for params in (synthetic(), synthetic(ink=["#ff8000"], noise=0.1)):
        for sample, encoded in zip(draw(params, 20), draw_shard(params, 1, FONTS, ("test", range(20))), strict=True):
            with Image.open(io.BytesIO(encoded.image_bytes)) as image:
                np.testing.assert_array_equal(np.asarray(image), sample.pixels)
            assert encoded.boxes_ltwh == [word.box_ltwh for word in sample.words]
            assert encoded.labels == [word.label for word in sample.words]
            assert encoded.not_drawn == sample.not_drawn


# ---- what only the fonts can show


def texts(params: Synthetic, fonts: Path = FONTS) -> Iterator[str]:
    return (".".join(map(str, key)) + ": " + text for key, text in find_problems(params, fonts))


def test_good_parameters_have_no_problems() -> None:
    for params in KINDS.values():
        assert list(texts(params)) == []


def test_words_that_a_font_lacks_are_all_named() -> None:
    params = synthetic(words=["chat", "日本", "a🐈"], frequencies=[1, 1, 1], fonts=[SANS, MONO])
    found = list(texts(params))
    assert len(found) == 4
    assert found[0].startswith("dataset.synthetic.words.1: '日本' cannot be drawn with DejaVuSans.ttf")
    assert "'日' (U+65E5), '本' (U+672C)" in found[0]
    assert "words.2: 'a🐈' cannot be drawn with DejaVuSans.ttf, which lacks '🐈' (U+1F408)" in found[1]


def test_fonts_that_are_missing_or_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "DejaVuSans.ttf").write_bytes((FONTS / SANS).read_bytes())
    (tmp_path / "text.ttf").write_text("no font")
    (tmp_path / "cut.ttf").write_bytes((FONTS / SANS).read_bytes()[:5000])
    names = ["DejaVuSan.ttf", "zzz", "text.ttf", "cut.ttf", "../x.ttf", "", "DejaVuSans.ttf"]
    found = list(texts(synthetic(fonts=names[:5] + names[6:]), tmp_path))
    assert len(found) == 5
    assert "did you mean 'DejaVuSans.ttf'?" in found[0]
    assert "allowed: DejaVuSans.ttf, cut.ttf, text.ttf" in found[1]
    assert "is not a font" in found[2]
    assert "is not a font" in found[3]
    assert "is not a file in" in found[4]
    assert "no such folder" in next(texts(synthetic(), tmp_path / "missing"))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"may_leave_image": False, "font_px": [80, 80]}, "words.0: 'chat' in DejaVuSans.ttf at font_px 80 does not"),
        ({"font_px": [400, 400]}, "never shows min_visible 0.7 of its ink"),
        ({"words": ["chat", "\u2800"]}, "leaves no ink"),  # a braille cell without dots
        ({"ink": ["#ffffff", "#010101"]}, "ink.1: '#010101' cannot be seen everywhere on the plain ground #000000"),
        ({"ink": ["#808080"], "ground": ["#000000", "#ffffff"], "background": "gradient"}, "on the gradient ground"),
        ({"ink": ["#000000"], "ground": ["#000000", "#ffffff"], "background": "noise"}, "on the noise ground"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_a_problem(changes: dict[str, Any], text: str) -> None:
    assert text in "\n".join(texts(synthetic(**changes)))


@pytest.mark.slow
def test_drawing_starts_without_tensorflow() -> None:
    heavy = {"tensorflow", "pandas", "fontTools"}
    code = f"import sys, humbleyolo.synthetic.painter; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
