"""Mirror images: letters lose their meaning, things that stand either way round do not."""

import io

import numpy as np
import pytest
from folders import Maker, voc
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from humbleyolo.begin.first_training import _flips
from humbleyolo.begin.mirror_images import Mirrored, Swapped, judge_mirrored, swapped_pairs
from humbleyolo.drawing.label_font import font
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.storage.array_types import Floats32, Ints


def sign(text: str, mirrored: bool, seed: int) -> bytes:
    """A picture of 60 x 60 pixels with letters, or another sign, near its middle."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (60, 60), tuple(rng.integers(0, 90, 3).tolist()))
    left, top, right, bottom = font(26).getbbox(text)
    x, y = rng.uniform(27, 33, 2).tolist()
    place = (x - (left + right) / 2, y - (top + bottom) / 2)
    ImageDraw.Draw(image).text(place, text, font=font(26), fill=tuple(rng.integers(150, 255, 3).tolist()))
    file = io.BytesIO()
    (ImageOps.mirror(image) if mirrored else image).save(file, "PNG")
    return file.getvalue()


def judged(
    make: Maker, either_way: bool, texts: tuple[str, ...] = ("bb", "dd"), count: int = 160, flip: str = "flip"
) -> Mirrored | None:
    """The outcome for mirrored images."""
    files: dict[str, bytes | str] = {}
    for number in range(count):
        text = texts[number % len(texts)]
        mirrored = either_way and number % 4 >= 2
        files[f"{number:03}.png"] = sign(text, mirrored, number)
        box = f"{text} 10 10 50 50"
        files[f"{number:03}.xml"] = voc(f"{number:03}.png", box, width=60, height=60)
    folder = make.folder(files)
    labelled = make.open(folder)
    with open_source(folder) as source:
        return judge_mirrored(labelled.images, labelled.classes, source).get(flip)


def test_letters_that_are_each_others_mirror_images_are_told(make: Maker) -> None:
    found = judged(make, either_way=False)
    assert found is not None
    assert found.boxes == 160
    assert found.right > 130
    assert found.hurts


@pytest.mark.slow
def test_two_classes_among_many_that_are_mirror_images_are_told(make: Maker) -> None:
    found = judged(make, either_way=False, texts=("bb", "dd", "OO", "XX", "II", "HH", "TT", "AA"))
    assert found is not None
    assert found.tells
    assert found.lost - found.won < 0.4 * found.right
    assert found.hurts
    assert {"bb", "dd"} & set(found.hurt)
    assert not {"OO", "XX", "HH"} & set(found.hurt)


def test_things_seen_from_either_side_are_not(make: Maker) -> None:
    found = judged(make, either_way=True, texts=("OO", "XX"))
    assert found is not None
    assert found.right > 130
    assert not found.hurts


@pytest.mark.parametrize(
    ("flip", "arrows"), [("flip", "←→"), pytest.param("flip_vertical", "↑↓", marks=pytest.mark.slow)]
)
def test_arrows_among_many_signs_are_told_though_few_boxes_show_it(make: Maker, flip: str, arrows: str) -> None:
    found = judged(make, either_way=False, texts=(*arrows, *"OXHI8+=|:●■◆○□◇╬"), count=200, flip=flip)
    assert found is not None
    (pair,) = found.pairs
    assert pair.names == tuple(sorted(arrows))
    assert pair.boxes // 2 < pair.swaps <= pair.boxes
    assert found.hurts
    assert found.lost - found.won < 0.2 * found.right


def test_signs_that_are_their_own_mirror_images_make_no_pair(make: Maker) -> None:
    found = judged(make, either_way=False, texts=tuple("OXHI8+=|:●■◆○□◇╬"), count=200)
    assert found is not None
    assert not found.pairs
    assert not found.hurts


def scored(swaps: Ints, boxes: int, noise: float, seed: int) -> tuple[Floats32, Floats32, Ints]:
    """Scores of boxes as they are and mirrored, if a mirrored box of class c is one of class `swaps[c]`."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(len(swaps)), boxes)
    plain, mirrored = (np.eye(len(swaps))[one] for one in (kinds, swaps[kinds]))
    added = rng.normal(0, noise, (2, *plain.shape))
    return (plain + added[0]).astype(np.float32), (mirrored + added[1]).astype(np.float32), kinds


@given(st.permutations(range(12)), st.integers(0, 3), st.integers(5, 30), st.integers(0, 99))
def test_the_pairs_that_swap_are_found_whatever_their_places(
    places: list[int], pairs: int, boxes: int, seed: int
) -> None:
    swaps, wanted = np.arange(12), []
    for first, second in zip(places[: 2 * pairs : 2], places[1 : 2 * pairs : 2], strict=True):
        swaps[[first, second]] = second, first
        wanted.append((min(first, second), max(first, second)))
    found = swapped_pairs(*scored(swaps, boxes, 0.1, seed))
    assert sorted(found) == sorted((*pair, 2 * boxes, 2 * boxes) for pair in wanted)


def test_classes_with_four_boxes_make_no_pair_however_clear_it_is() -> None:
    swaps = np.array([1, 0])
    plain, mirrored, kinds = scored(swaps, 5, 0.01, 0)
    assert swapped_pairs(plain, mirrored, kinds) == [(0, 1, 10, 10)]
    for fewer in (slice(1, None), slice(None, -1)):
        assert swapped_pairs(plain[fewer], mirrored[fewer], kinds[fewer]) == []


def test_the_clearest_pair_comes_first_and_classes_without_a_box_take_no_part() -> None:
    plain, mirrored, kinds = scored(np.array([1, 0, 3, 2, 4]), 10, 0.01, 0)
    fewer = np.flatnonzero((kinds > 1) | (np.arange(len(kinds)) % 2 == 0))
    assert swapped_pairs(plain[fewer], mirrored[fewer], kinds[fewer]) == [(2, 3, 20, 20), (0, 1, 10, 10)]
    alone = kinds != 1
    assert swapped_pairs(plain[alone], mirrored[alone], kinds[alone]) == [(2, 3, 20, 20)]


def test_classes_that_turn_into_one_another_in_a_ring_are_no_mirror_images() -> None:
    assert swapped_pairs(*scored(np.array([1, 2, 0]), 20, 0.1, 0)) == []


@pytest.mark.parametrize(("classes", "boxes"), [(2, 40), (4, 25), (20, 5), (20, 20)])
def test_guesses_seldom_make_a_pair(classes: int, boxes: int) -> None:
    """Scores are pure noise: nothing is known of a box, as it is or mirrored."""
    rng = np.random.default_rng(classes * boxes)
    kinds = np.repeat(np.arange(classes), boxes)
    drawn = (rng.normal(0, 1, (2, len(kinds), classes)).astype(np.float32) for _ in range(100))
    assert sum(bool(swapped_pairs(*one, kinds)) for one in drawn) <= 0.1 * 100


def test_one_class_cannot_tell(make: Maker) -> None:
    assert judged(make, either_way=False, texts=("bb",)) is None


def test_classes_that_a_reason_does_not_name_are_counted() -> None:
    recipe = {("train", "augment", name): ("0.5", "") for name in ("flip", "flip_vertical")}
    recipe[("evaluate", "mirrored")] = "none", ""
    one = Mirrored(120, 100, 60, 45, 5, hurt=tuple("abcde"))
    why = _flips({"flip": one}, recipe, "unknown")["train", "augment", "flip"][1]
    assert (
        why == "of 120 boxes 100 are recognized, 60 mirrored: mirror images of a, b, c and 2 more mean something else"
    )


@pytest.mark.parametrize(("lost", "won", "hurts"), [(30, 2, True), (10, 2, False), (30, 25, False), (0, 0, False)])
def test_only_a_large_loss_beyond_chance_counts(lost: int, won: int, hurts: bool) -> None:
    assert Mirrored(120, 100, 100 - lost + won, lost, won).hurts == hurts


def test_a_pair_hurts_though_few_boxes_are_recognized_and_a_loss_does_not() -> None:
    assert Mirrored(120, 50, 40, 12, 2, pairs=(Swapped(("left", "right"), 9, 12),)).hurts
    assert not Mirrored(120, 50, 10, 40, 0, hurt=("left",)).hurts
