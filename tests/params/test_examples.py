"""The examples, laid over the committed params.yaml."""

from pathlib import Path

import pytest
from repository import ROOT

from humbleyolo.params.keys import dotted, leaves
from humbleyolo.params.loader import parse_params, read_sections
from humbleyolo.params.overlay import lay_over

FILES = sorted((ROOT / "examples").glob("*.yaml"))
DEFAULT = (ROOT / "params.yaml").read_text(encoding="utf-8")


RECIPES = [file for file in FILES if file.stem in ("bccd", "photographs")]


def changed_by(file: Path) -> list[str]:
    """The keys whose values an example changes."""
    _, changes = lay_over(DEFAULT, "params.yaml", file.read_text(encoding="utf-8"), file.name)
    return [dotted(change.key) for change in changes]


def test_there_are_examples_and_nothing_else() -> None:
    assert {file.stem for file in FILES} == {"article", "bccd", "fifteen", "hard", "photographs", "yolov1"}
    assert sorted((ROOT / "examples").iterdir()) == FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
class TestExample:
    def test_it_goes_with_the_values_that_it_does_not_name(self, file: Path) -> None:
        text, _ = lay_over(DEFAULT, "params.yaml", file.read_text(encoding="utf-8"), file.name)
        assert parse_params(text, "params.yaml")

    def test_every_value_in_it_is_another_than_the_default(self, file: Path) -> None:
        """Or is so in the other recipe of `humbleyolo init`, since one may follow the other."""
        named = [dotted(key) for key, _ in leaves(read_sections(file.read_text(encoding="utf-8"), file.name)[0])]
        shared = set().union(*map(changed_by, RECIPES)) if file in RECIPES else set()
        assert set(changed_by(file)) <= set(named) <= {*changed_by(file), *shared}
        assert len(set(named)) == len(named)

    def test_comments_and_layout_stay(self, file: Path) -> None:
        text, changes = lay_over(DEFAULT, "params.yaml", file.read_text(encoding="utf-8"), file.name)
        before, after = DEFAULT.splitlines(), text.splitlines()
        assert len(before) == len(after)
        assert sum(old != new for old, new in zip(before, after, strict=True)) <= len(changes)
        for old, new in zip(before, after, strict=True):
            assert old.partition(" # ")[2] == new.partition(" # ")[2]
            assert old.partition(":")[0] == new.partition(":")[0]

    def test_it_says_how_it_is_applied(self, file: Path) -> None:
        assert f"`humbleyolo params --from examples/{file.name}`" in " ".join(
            line.removeprefix("# ") for line in file.read_text(encoding="utf-8").splitlines()
        )


def test_bccd_is_read_as_it_was_published() -> None:
    example = (ROOT / "examples/bccd.yaml").read_text(encoding="utf-8")
    dataset = parse_params(lay_over(DEFAULT, "params.yaml", example, "bccd")[0], "params.yaml").dataset
    assert (dataset.source, dataset.inputs) == ("labelled", "data/labelled/bccd")
    assert dataset.labelled.split.by == "lists"
    assert dataset.labelled.on_problem == "skip_box"  # two of its boxes have no area
