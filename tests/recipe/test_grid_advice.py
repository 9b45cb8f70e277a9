"""The advised input and grid: nobody's objects are too small, and no more is asked for than is needed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from folders import Maker, picture, voc
from hypothesis import given, settings
from hypothesis import strategies as st

from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.params.value_types import CellsAnObject
from humbleyolo.recipe.grid_advice import Choice, advise


def sized(make: Maker, height: int, width: int, *boxes: tuple[float, float, float, float]) -> list[LabelledImage]:
    texts = [f"cat {left} {top} {right} {bottom}" for left, top, right, bottom in boxes]
    xml = voc("a.png", *texts, width=width, height=height)
    return make.read({"a.png": picture(width=width, height=height), "a.xml": xml}).images


def advised(records: Sequence[LabelledImage]) -> Choice:
    _, best = advise(records, ("cat",), "several")
    assert best is not None
    return best


def test_large_objects_need_320_pixels_and_small_ones_more(make: Maker) -> None:
    large, small = [(100, 100, 500, 400)], [(100, 100, 118, 140)]
    assert (advised(sized(make, 480, 640, *large)).width, advised(sized(make, 480, 640, *large)).height) == (320, 256)
    best = advised(sized(make, 480, 640, *small))
    assert best.width == 640
    assert not best.good
    assert "18 px wide or high here (20 would be good)" in best.reason


def test_objects_too_small_to_be_learned_get_a_warning_with_the_ways_out(make: Maker) -> None:
    """40 px on a photograph of 4000: 6 in the input. In parts of 1280 they have 20."""
    best = advised(sized(make, 2250, 4000, (100, 100, 140, 140), (900, 900, 940, 940)))
    (text,) = best.warnings
    assert text.startswith(
        "warning: the median object is 6 px wide or high in the advised input, too small to be learned; "
    )
    assert "parts of 1280 px (then `predict --tile 1280`), or set a larger encode.height" in text
    assert "1 object in 10" not in best.reason
    assert not advised(sized(make, 480, 640, (100, 100, 118, 140))).warnings
    (text,) = advised(sized(make, 64, 64, (5, 5, 8, 50))).warnings
    assert "cut images" not in text  # such parts would be enlarged too much


def test_sides_are_multiples_of_what_the_recipe_was_measured_with(make: Maker) -> None:
    """Blood cells, one cell each, at 240 x 320; photographs, several cells each, at multiples of 32."""
    records = sized(make, 480, 640, (100, 100, 500, 400))
    shapes = {cells: advise(records, ("cat",), cells)[1] for cells in get_args(CellsAnObject)}
    assert {cells: (best.height, best.width) for cells, best in shapes.items() if best} == {
        "one": (240, 320),
        "several": (256, 320),
    }


def test_objects_side_by_side_need_cells_of_their_own(make: Maker) -> None:
    boxes = [(10 + 22 * x, 10 + 22 * y, 30 + 22 * x, 30 + 22 * y) for x in range(28) for y in range(20)]
    best = advised(sized(make, 480, 640, *boxes))
    assert best.good
    assert best.ceiling.lost == 0


def test_small_pictures_are_not_enlarged_beyond_twice_their_size(make: Maker) -> None:
    assert advised(sized(make, 64, 64, (5, 5, 50, 50))).width == 64
    assert advised(sized(make, 64, 64, (5, 5, 12, 50))).width == 128


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_advice_is_the_cheapest_good_one(record: LabelledImage, seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres, sides = rng.uniform(0, 1, (9, 2)) * (800, 600), rng.uniform(10, 200, (9, 2))
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).clip(0, [800, 600] * 2)
    one = replace(record, boxes=boxes, labels=("cat",) * 9, height=600, width=800)
    choices, best = advise([one], ("cat",), "several")
    assert best is not None
    before = [choice for choice in choices[: choices.index(best)] if choice.width >= 320]
    assert not any(choice.good for choice in before)
    assert best.good or best is choices[-1]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> LabelledImage:
    """An image whose boxes and size a test replaces."""
    return sized(Maker(tmp_path_factory.mktemp("one")), 20, 40, (1, 1, 9, 9))[0]


@pytest.mark.parametrize(
    ("landscape", "size"), [(100, (192, 320)), (60, (192, 320)), (52, (256, 256)), (48, (256, 256)), (0, (320, 192))]
)
def test_images_that_lie_and_images_that_stand(record: LabelledImage, landscape: int, size: tuple[int, int]) -> None:
    box = np.array([[200.0, 200, 900, 900]])
    wide = replace(record, boxes=box, labels=("cat",), height=1080, width=1920)
    tall = replace(wide, height=1920, width=1080)
    best = advised([wide] * landscape + [tall] * (100 - landscape))
    assert (best.height, best.width) == size
