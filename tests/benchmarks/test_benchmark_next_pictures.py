"""The arms of the comparison of `humbleyolo next` with chance: what is labelled, what is chosen."""

from pathlib import Path

from benchmarks.next_pictures import choose_by_chance, split_off, table

LISTS = {
    "train": [Path(f"{number:02}.xml") for number in range(40)],
    "val": [Path("val.xml")],
    "test": [Path("test.xml")],
}


def test_a_quarter_is_labelled_and_the_pool_is_the_rest_of_train() -> None:
    labelled, pool = split_off(LISTS, 1)
    assert len(labelled["train"]) == 10
    assert sorted([*labelled["train"], *pool]) == LISTS["train"]
    assert {name: labelled[name] for name in ("val", "test")} == {name: LISTS[name] for name in ("val", "test")}
    assert split_off(LISTS, 1)[1] == pool != split_off(LISTS, 2)[1]


def test_chance_takes_as_many_of_the_pool_once_each() -> None:
    _, pool = split_off(LISTS, 1)
    chosen = choose_by_chance(pool, 12, 1)
    assert len(set(chosen)) == 12
    assert set(chosen) <= set(pool)
    assert chosen == choose_by_chance(pool, 12, 1) != choose_by_chance(pool, 12, 2)


def test_the_table_has_a_row_for_each_arm() -> None:
    run = {"ap": 0.5, "ap50": 0.7, "images": 40, "boxes": 80}
    lines = table({seed: {"quarter": run, "next": run, "chance": run} for seed in (1, 2)}).splitlines()
    assert len(lines) == 5
    assert all(line.count("|") == 6 for line in lines)
