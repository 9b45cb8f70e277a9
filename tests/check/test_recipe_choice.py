"""The recipe that a folder gets, and what follows from it for the grid."""

import pytest
from folders import Maker, picture, voc
from params_text import DEFAULT
from repository import ROOT

from humbleyolo.check.folder_check import check, report_lines
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.params.loader import parse_params
from humbleyolo.params.overlay import lay_over


@pytest.mark.parametrize(
    ("many", "recipe", "loss", "lost"), [(2, "bccd", "iou", 1), (3, "photographs", "aligned", 0)]
)
def test_the_grid_is_judged_by_the_loss_of_the_recipe(
    make: Maker, monkeypatch: pytest.MonkeyPatch, many: int, recipe: str, loss: str, lost: int
) -> None:
    monkeypatch.setattr("humbleyolo.check.recipe_choice._MANY_BOXES", many)
    boxes = ("cat 4 4 60 60", "cat 5 7 61 59")  # of nearly one centre
    folder = make.folder({"a.png": picture(width=64, height=64), "a.xml": voc("a.png", *boxes, width=64, height=64)})
    checked = check(folder, ReadOptions())
    assert checked.best is not None
    assert (checked.recipe.name, checked.best.ceiling.lost) == (recipe, lost)
    told = " ".join(" ".join(report_lines(checked)).split())
    assert f"the grid loses {lost} of 2" in told
    assert f"(loss {loss})" in told
    text, _ = lay_over(DEFAULT, "params.yaml", (ROOT / f"examples/{recipe}.yaml").read_text(), recipe)
    params = parse_params(text, "params.yaml")
    assert (params.loss.name, params.loss.cells) == (loss, checked.recipe.cells)
