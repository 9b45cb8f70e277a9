"""The images that go with their mistakes: `check` tells as many as `init` and `generate` leave out."""

from dataclasses import replace
from pathlib import Path

import pytest
from folders import Files, Maker, picture, read_labelled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from humbleyolo.check.folder_check import check, report_lines
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions
from humbleyolo.recipe.left_out import policy_of

LINES = {  # of an image of 40 x 20 px
    "right": "0 0.5 0.5 0.25 0.5",
    "also right": "0 0.2 0.3 0.1 0.2",
    "no such class": "2 0.5 0.5 0.25 0.5",
    "over the border by little": "0 0.9 0.5 0.22 0.5",
    "over the border by much": "0 0.9 0.5 0.9 0.5",
    "no number": "0 0.5 x 0.25 0.5",
}


def folder(images: list[list[str]]) -> Files:
    files: Files = {"classes.txt": "cat\n"}
    for number, kinds in enumerate(images):
        files |= {f"{number}.png": picture(number), f"{number}.txt": "\n".join(map(LINES.__getitem__, kinds))}
    return files


def read_as_init_does(path: Path) -> LabelledSet:
    """Under the treatment that `init` chooses once it has read the folder under `skip`."""
    options = ReadOptions(on_problem="skip")
    return read_labelled(path, replace(options, on_problem=policy_of(read_labelled(path, options))))


@given(
    st.lists(st.lists(st.sampled_from(sorted(LINES)), min_size=1, max_size=3, unique=True), min_size=1, max_size=4)
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_check_tells_the_images_that_init_leaves_out(make: Maker, images: list[list[str]]) -> None:
    path = make.folder(folder([["right"], *images]))
    stay = len(read_as_init_does(path).images)
    told = check(path, ReadOptions(), sheets=0).treatment
    goes = 1 + len(images) - stay
    total = f"{1 + len(images)} images"
    assert told.endswith(f"leaves out {goes} of {total}" if goes else "")
    assert bool(told) == bool(goes)


@pytest.mark.parametrize(
    ("in_force", "told"),
    [
        ("error", "on_problem error stops; skip, as `init` writes, leaves out 1 of 3 images"),
        ("skip", "on_problem skip: 1 of 3 images left out"),
        ("clip", "on_problem clip: 1 of 3 images left out"),
        ("skip_box", ""),
    ],
)
def test_the_treatment_in_force_is_told(make: Maker, in_force: str, told: str) -> None:
    path = make.folder(folder([["right"], ["right", "no such class"], ["right"]]))
    checked = check(path, ReadOptions(on_problem=in_force), sheets=0)
    assert checked.treatment == told
    assert len(checked.labelled.images) == (2 if in_force in ("skip", "clip") else 3)
    assert ([*report_lines(checked)][2] == told) == bool(told)
