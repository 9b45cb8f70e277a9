"""Keys that a file lacks come from a template, with their comments; what the file has stays."""

import difflib
from itertools import pairwise

import pytest
from params_text import DEFAULT, every_key
from ruamel.yaml import YAML

from humbleyolo.errors import ProblemsError
from humbleyolo.params.keys import Key, dotted
from humbleyolo.params.update import add_missing
from humbleyolo.params.yaml_edits import YamlText


def update(text, *templates):
    return add_missing(text, "params.yaml", templates or [("new", DEFAULT)])


def without(*keys: Key) -> str:
    """Return the default file without the lines of some keys, in blocks or in braces."""
    text = DEFAULT
    for key in keys:
        document = YamlText(text, "params.yaml")
        section = document._sections[key[:-1]]
        name, value = document._items[key]
        if section.flow_style:
            at = [item[0].value for item in section.value].index(key[-1])
            if at:
                start, end = document._end(section.value[at - 1][1]), document._end(value)
            else:
                start, end = name.start_mark.index, section.value[1][0].start_mark.index
            text = text[:start] + text[end:]
        else:
            first, last = document._rows_of((name, value))
            text = "\n".join([*document._rows[:first], *document._rows[last + 1 :]])
    return text


EVERY = list(every_key())
# The first of each section, and of those behind another section.
QUICK = {key for before, key in pairwise(["", *EVERY]) if key.rpartition(".")[0] != before.rpartition(".")[0]}


@pytest.mark.parametrize("key", [pytest.param(key, marks=[pytest.mark.slow] * (key not in QUICK)) for key in EVERY])
def test_every_key_comes_back_with_its_comments_and_at_its_place(key):
    way = tuple(key.split("."))
    if key == "model.humble" or key.count("."):
        siblings = [other for other in every_key() if other.rpartition(".")[0] == key.rpartition(".")[0]]
        assert len(siblings) > 1
    text, added, source = update(without(way))
    assert text == DEFAULT
    assert [dotted(one) for one in added] == [key]
    assert source == "new"


def test_several_keys_come_back_in_their_order():
    keys = [("seed",), ("encode", "rows"), ("encode", "cols"), ("train", "validation"), ("render",)]
    text, added, _ = update(without(*keys))
    assert text == DEFAULT
    assert list(added) == keys


def test_what_the_file_has_stays():
    mine = without(("train", "validation"), ("evaluate", "bins"))
    mine = mine.replace("\nseed: 1 ", "\n# My own seed.\nseed: 7 ").replace("  epochs: 20\n", "  epochs: 7  # mine\n")
    text, added, _ = update(mine)
    assert list(added) == [("train", "validation"), ("evaluate", "bins")]
    changes = [line for line in difflib.ndiff(mine.splitlines(), text.splitlines()) if line[0] in "+-?"]
    assert changes
    assert {line[0] for line in changes} == {"+"}


def test_a_file_that_lacks_nothing_is_not_touched():
    mine = DEFAULT.replace("\nseed: 1 ", "\nseed: 7 ")

    def never():
        raise AssertionError
        yield

    assert add_missing(mine, "params.yaml", never()) == (mine, {}, "")


def test_the_first_template_that_has_all_of_the_keys_is_taken():
    lacking = without(("train", "validation", "nms_iou"))
    other = DEFAULT.replace("    nms_iou: 0.5  ", "    nms_iou: 0.25 ", 1)
    templates = [("no yaml", "<<<<<<< HEAD\n"), ("empty", ""), ("older", lacking), ("newer", other), ("own", DEFAULT)]
    text, added, source = update(without(("train", "validation")), *templates)
    assert source == "newer"
    assert text == other
    assert YAML(typ="safe").load(added["train", "validation"])["nms_iou"] == 0.25


def test_without_a_template_the_option_is_named():
    with pytest.raises(ProblemsError, match="--template") as caught:
        add_missing(without(("seed",)), "params.yaml", [])
    assert caught.value.problems == ("seed: is missing",)


def test_a_misspelt_key_is_told_and_not_filled_up():
    with pytest.raises(ProblemsError, match="not changed") as caught:
        update(DEFAULT.replace("\nseed:", "\nsede:"))
    assert caught.value.problems == ("sede: unknown key; did you mean seed?",)
