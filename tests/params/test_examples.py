"""The ready-made parameter files."""

from pathlib import Path

import pytest
from repository import ROOT

from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Params

FILES = sorted((ROOT / "examples").glob("*/params.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_it_is_right(file: Path) -> None:
    assert load_params(file, *Params.model_fields)


def test_bccd_is_read_as_it_was_published() -> None:
    (dataset,) = load_params(ROOT / "examples/bccd/params.yaml", "dataset")
    assert (dataset.source, dataset.inputs) == ("labelled", "data/labelled/bccd")
    assert dataset.labelled.split.by == "lists"
    assert dataset.labelled.on_problem == "skip"  # two of its boxes have no area
