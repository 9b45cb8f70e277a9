"""The recipe that a folder gets, and what follows from it for the grid."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from folders import Maker, picture, voc
from params_text import DEFAULT
from repository import ROOT

from humbleyolo.check.folder_check import check, report_lines
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.params.loader import parse_params
from humbleyolo.params.overlay import lay_over
from humbleyolo.recipe.recipe_choice import Recipe, choose_recipe


@pytest.mark.parametrize(
    ("recipe", "lost"),
    [(Recipe("bccd", "iou", "one", "many"), 1), (Recipe("photographs", "aligned", "several", "few"), 0)],
)
def test_the_grid_is_judged_by_the_loss_of_the_recipe(
    make: Maker, monkeypatch: pytest.MonkeyPatch, recipe: Recipe, lost: int
) -> None:
    monkeypatch.setattr("humbleyolo.check.folder_check.choose_recipe", lambda *_: recipe)
    boxes = ("cat 4 4 60 60", "cat 5 7 61 59")  # of nearly one centre
    folder = make.folder({"a.png": picture(width=64, height=64), "a.xml": voc("a.png", *boxes, width=64, height=64)})
    checked = check(folder, ReadOptions())
    assert checked.best is not None
    assert checked.best.ceiling.lost == lost
    told = " ".join(" ".join(report_lines(checked)).split())
    assert f"the grid loses {lost} of 2" in told
    assert f"(loss {recipe.loss})" in told
    text, _ = lay_over(DEFAULT, "params.yaml", (ROOT / f"examples/{recipe.name}.yaml").read_text(), recipe.name)
    params = parse_params(text, "params.yaml")
    assert (params.loss.name, params.loss.cells) == (recipe.loss, recipe.cells)


def pictures(count: int, each: int, low: float, high: float, *, scale: int = 1, classes: str = "ab") -> list[Any]:
    """Labelled images of 640 x 480 pixels, times a scale, whose boxes have sides of `low` to `high` pixels."""
    rng = np.random.default_rng(count * each)
    sides = rng.uniform(low, high, (count, each, 2)) * scale
    boxes = np.concatenate([np.zeros_like(sides), sides], axis=2)
    labels = [classes[number % len(classes)] for number in range(each)]
    return [SimpleNamespace(height=480 * scale, width=640 * scale, boxes=one, labels=labels) for one in boxes]


CELLS = pictures(200, 12, 40, 60)


def test_cells_under_a_microscope_are_learned_from_random_weights() -> None:
    assert choose_recipe(CELLS, 0.99).name == "bccd"


def test_a_slide_that_was_scanned_twice_as_large_changes_nothing() -> None:
    assert choose_recipe(CELLS[:100] + pictures(100, 12, 40, 60, scale=2), 0.99).name == "bccd"


@pytest.mark.parametrize(
    ("images", "told_apart", "reason"),
    [
        (CELLS[:100], 0.99, "1,200 boxes are few"),
        (pictures(2400, 1, 120, 220), 0.99, "with 1.0 an image, boxes are few"),  # a number plate, or a face, on each
        (pictures(300, 8, 30, 55), 0.99, "with 8.0 an image, boxes are few"),  # cars from above
        (pictures(200, 12, 20, 200), 0.99, "2,400 boxes vary by a factor of "),
        (CELLS, 0.77, "its classes are told apart in 77% of cases"),  # as on boards
        (CELLS, None, "there were no classes to compare"),
    ],
)
def test_other_pictures_begin_with_pretrained_weights(
    images: list[Any], told_apart: float | None, reason: str
) -> None:
    recipe = choose_recipe(images, told_apart)
    assert recipe.name == "photographs"
    assert recipe.reason.startswith(reason)
    assert len("model lite, start pretrained: ") + len(recipe.reason) <= 78
