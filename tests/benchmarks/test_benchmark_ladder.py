"""docs/ladder.md is what docs/ladder.json makes, and that is of the rungs as the script has them."""

import json

from benchmarks import ladder
from benchmarks.ladder import PAGE, RESULTS, STEPS, make_page, rungs
from humbleyolo.params.loader import load_params

KEPT = json.loads(RESULTS.read_text())


def test_the_page_is_made_of_what_was_kept() -> None:
    assert make_page(PAGE.read_text(), KEPT) == PAGE.read_text()


def test_every_rung_was_run_with_its_values_and_three_seeds() -> None:
    assert {title: entry["values"] for title, entry in KEPT.items()} == rungs()
    assert {tuple(sorted(entry["runs"])) for entry in KEPT.values()} == {("1", "2", "3")}


def test_the_rung_of_the_default_has_the_default_s_values() -> None:
    sections = {}
    names = ("model", "loss", "train", "evaluate")
    for name, section in zip(names, load_params(ladder.ROOT / "params.yaml", *names), strict=True):
        sections[name] = section.model_dump()
    default = next(title for title, _ in STEPS if title.endswith("the default"))
    for key, value in rungs()[default].items():
        found = sections
        for part in key.split("."):
            found = found[part]
        if not key.startswith("model.humble."):  # of another network
            assert found == value, key


def test_a_rung_whose_values_have_changed_is_no_longer_known() -> None:
    title, changes = STEPS[0]
    assert set(ladder._still_true(KEPT, title, changes)) == {"1", "2", "3"}
    assert ladder._still_true(KEPT, title, changes | {"train.epochs": 6}) == {}
    assert ladder._still_true(KEPT, "another", changes) == {}
