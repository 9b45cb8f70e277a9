"""An example changes what it names, and nothing else; a result with mistakes is refused."""

import pytest
from params_text import DEFAULT

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.params.keys import dotted
from humbleyolo.params.loader import parse_params
from humbleyolo.params.overlay import edited_keys, lay_over


def lay(example, text=DEFAULT):
    return lay_over(text, "params.yaml", example, "mine.yaml")


def problems_of(example, text=DEFAULT):
    with pytest.raises(ProblemsError) as caught:
        lay(example, text)
    return caught.value.headline, list(caught.value.problems)


def test_what_an_example_names_changes_and_an_edit_of_the_file_stays():
    edited = DEFAULT.replace("\nseed: 1 ", "\nseed: 7 ")
    text, changes = lay("train:\n  epochs: 3\n  augment: {flip: 0.5}\n", edited)
    assert [(dotted(change.key), change.new) for change in changes] == [
        ("train.epochs", "3"), ("train.augment.flip", "0.5")
    ]  # fmt: skip
    params = parse_params(text, "params.yaml")
    assert (params.seed, params.train.epochs, params.train.augment.flip) == (7, 3, 0.5)
    assert params.train.batch == parse_params(edited, "params.yaml").train.batch


def test_lists_and_weights_of_classes_are_replaced_as_a_whole():
    text, _ = lay("loss:\n  class_weights: {rat: 2.0, chat: 1.5}\nencode:\n  finer: [2]\n")
    text, changes = lay("loss:\n  class_weights: {rat: 3.0}\n", text)
    assert [tuple(change) for change in changes] == [
        (("loss", "class_weights"), "{rat: 2.0, chat: 1.5}", "{rat: 3.0}")
    ]
    params = parse_params(text, "params.yaml")
    assert params.loss.class_weights == {"rat": 3.0}
    assert params.encode.finer == [2]


def test_an_example_laid_over_twice_changes_nothing_more():
    example = "train:\n  epochs: 3\n"
    text, _ = lay(example)
    assert lay(example, text) == (text, [])
    assert lay("train:\n  epochs: 3 # a whole number\n  learning_rate: 0.0150\n", text) == (text, [])


def test_an_example_in_braces_and_a_file_in_blocks():
    text, _ = lay("{train: {epochs: 3}, dataset: {synthetic: {words: [a, b, c], frequencies: [1, 2, 3]}}}")
    assert parse_params(text, "params.yaml").dataset.synthetic.frequencies == [1, 2, 3]


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("train:\n  epoch: 3\n", "line 2: train.epoch: unknown key; did you mean epochs?"),
        ("trian:\n  epochs: 3\n", "line 1: trian: unknown key; did you mean train?"),
        ("train: 3\n", "line 1: train: 3 is not allowed; allowed: a section with keys"),
        ("train:\n", "line 1: train: an empty value is not allowed; allowed: a section with keys"),
        ("1: 3\n", "[1]: unknown key; allowed: seed"),
        ("seed: 3\nseed: 4\n", "line 2: seed: is given twice, first in line 1; keep one"),
        ("seed: [3\n", "not YAML"),
    ],
)
def test_a_mistake_in_an_example_is_told_with_its_line(example, expected):
    headline, problems = problems_of(example)
    assert headline == "mine.yaml"
    assert expected in problems[0]


@pytest.mark.parametrize("example", ["", "# nothing\n", "[1]\n", "text\n"])
def test_an_example_without_values_is_refused(example):
    with pytest.raises(UserError, match=r"mine\.yaml: holds no values"):
        lay(example)


def test_all_that_is_wrong_with_the_result_is_told():
    headline, problems = problems_of("train:\n  epochs: '3'\nevaluate:\n  background_iou: 0.9\nseed: true\n")
    assert headline == "params.yaml: not changed, since with mine.yaml it would have mistakes"
    assert [problem.split(": ")[0] for problem in problems] == ["seed", "train.epochs", "evaluate.background_iou"]


def test_a_file_that_lacks_a_key_is_told_the_command_that_adds_it():
    text = "".join(line for line in DEFAULT.splitlines(keepends=True) if not line.startswith("  batch:"))
    assert problems_of("train:\n  batch: 3\n", text) == (
        "params.yaml", ["train.batch: is missing; `humbleyolo params --update` adds it"]
    )  # fmt: skip


def test_edited_keys_are_those_with_other_values_than_committed():
    edited = DEFAULT.replace("\nseed: 1 ", "\nseed: 7 ").replace("  epochs: ", "  epochs:   ")
    edited = edited.replace("  batch: 64 ", "  batch: 32 ")
    assert edited_keys(edited, DEFAULT, "train: {epochs: 20, batch: 32}") == [("seed",)]
    assert edited_keys(edited, DEFAULT, "train: {epochs: 20}") == [("seed",), ("train", "batch")]
    assert edited_keys(edited, "no: [yaml", "seed: 1") == []
