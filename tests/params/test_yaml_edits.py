"""Edits of YAML's text: one value or key differs, every other character stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from params_text import DEFAULT
from ruamel.yaml import YAML

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.params.keys import leaves
from humbleyolo.params.yaml_edits import YamlText, one_line


def load(text):
    return YAML(typ="safe", pure=True).load(text)


def replaced(text, **changes):
    return YamlText(text, "a.yaml").replace({tuple(key.split("__")): value for key, value in changes.items()})


def added(text, key, template):
    return YamlText(text, "a.yaml").add(tuple(key.split(".")), YamlText(template, "b.yaml"))


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a: 1\n", "2", "a: 2\n"),
        ("a: 1", "2", "a: 2"),
        ("a:   1     # why\nb: 1\n", "20", "a:   20    # why\nb: 1\n"),
        ("a: 1 # why\n", "a long text", "a: a long text # why\n"),
        ("a: a long text # why\n", "1", "a: 1           # why\n"),
        ("a: 'x # no comment' # why\n", "y", "a: y                # why\n"),
        ("a: [1, 2]  # why\n", "[3]", "a: [3]     # why\n"),
        ("a: [1,  # one\n    2]  # two\nb: 3\n", "[3]", "a: [3]  # two\nb: 3\n"),
        ("a:\n  - 1\n  - 2  # two\n# below\nb: 3\n", "[3]", "a: [3]  # two\n# below\nb: 3\n"),
        ("a:\n- 1\n- 2\nb: 3\n", "[3]", "a: [3]\nb: 3\n"),
        ("a:\n  x: 1\n  y: {z: 1}\nb: 3\n", "{}", "a: {}\nb: 3\n"),
        ("a:\nb: 3\n", "1", "a: 1\nb: 3\n"),
        ("a: # why\nb: 3\n", "1", "a: 1 # why\nb: 3\n"),
        ("a: |\n  text\nb: 3\n", "1", "a: 1\nb: 3\n"),
        ("{a: 1, b: 3}\n", "2", "{a: 2, b: 3}\n"),
        ("a: 1  # why\r\nb: 3\r\n", "2", "a: 2  # why\r\nb: 3\r\n"),
        ("\ufeffa: 1  # \U0001f600\nb: 3\n", "2", "\ufeffa: 2  # \U0001f600\nb: 3\n"),
        ("%YAML 1.2\n---\na: 1\n...\n", "2", "%YAML 1.2\n---\na: 2\n...\n"),
        ("'a': 1\n", "2", "'a': 2\n"),
    ],
)
def test_a_value_is_replaced_where_it_stands(text, value, expected):
    assert replaced(text, a=value) == expected


def test_values_are_replaced_together():
    text = "a: 1\nb:\n  c: 1  # c\n  d: [x]\ne: 1\n"
    assert replaced(text, e="5", a="100", b__d="[y, z]", b__c="22") == (
        "a: 100\nb:\n  c: 22 # c\n  d: [y, z]\ne: 5\n"
    )


def test_nothing_to_replace_changes_nothing():
    assert replaced(DEFAULT) == DEFAULT


@given(key=st.sampled_from([key for key, _ in leaves(load(DEFAULT))]), value=st.sampled_from(["7", "[a, b]", "x"]))
def test_any_value_of_the_parameters_can_be_replaced(key, value):
    changed = YamlText(DEFAULT, "params.yaml").replace({key: value})
    differ = [(old, new) for old, new in zip(DEFAULT.split("\n"), changed.split("\n"), strict=True) if old != new]
    assert len(differ) <= 1
    for old, new in differ:
        assert old.partition(" #")[2] == new.partition(" #")[2]


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\nb: *x\n",
        "a: &x {c: 1}\nb: *x\n",
        "b: &x {c: 1}\na: {<<: *x}\n",
        "a: 1\n<<: {a: 2}\n",
        "a: &a [*a]\nb: *a\n",
    ],
)
def test_aliases_are_refused(text):
    with pytest.raises(UserError, match=r"^a\.yaml: .*aliases cannot be edited; write the value out"):
        replaced(text, a="2")


def test_a_key_given_twice_is_refused_with_its_lines():
    with pytest.raises(ProblemsError, match=r"^a\.yaml: ") as caught:
        replaced("a: 1\nb: 2\na: 3\n", b="4")
    assert caught.value.problems == ("line 3: a: is given twice, first in line 1; keep one",)


def test_an_anchor_that_a_list_repeats_is_refused():
    with pytest.raises(UserError, match=r"a\.yaml: cannot be edited as it is written; set a by hand"):
        replaced("a: &x 1\nb: [*x]\n", a="2")


TEMPLATE = """\
# Of the file.

a: 1      # of a
          # more of a

# Of b,
# in two lines.
b: 2

c:        # of c
  d: 4    # of d
  # Of e.
  e: [1,
      2]
  f: {g: 1, h: [x, y]}

i: 5
"""


@pytest.mark.parametrize("key", ["a", "b", "c", "c.d", "c.e", "c.f", "c.f.g", "c.f.h", "i"])
def test_a_key_taken_out_comes_back(key):
    lines = TEMPLATE.split("\n")
    spans = {"a": (1, 4), "b": (4, 8), "c": (8, 15), "c.d": (10, 11), "c.e": (11, 14), "c.f": (14, 15), "i": (15, 17)}
    if key in spans:
        start, end = spans[key]
        text = "\n".join(lines[:start] + lines[end:])
    else:
        text = TEMPLATE.replace({"c.f.g": "g: 1, ", "c.f.h": ", h: [x, y]"}[key], "")
    assert load(text) != load(TEMPLATE)
    assert added(text, key, TEMPLATE) == TEMPLATE


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        # Another margin, other comments, other values, another order: all stay.
        ("c:\n    d: 9   # mine\n    # mine, too\n", "c.e",
         "c:\n    d: 9   # mine\n    # Of e.\n    e: [1,\n        2]\n    # mine, too\n"),
        ("i: 7\na: 8 # mine\n     # mine\n", "b",
         "i: 7\na: 8 # mine\n     # mine\n\n# Of b,\n# in two lines.\nb: 2\n"),
        ("c: {d: 4}\n", "c.f", "c: {d: 4, f: {g: 1, h: [x, y]}}\n"),
        ("c: {d: 4}\n", "c.e", "c: {d: 4, e: [1, 2]}\n"),
        ("c: {}\n", "c.d", "c: {d: 4}\n"),
        ("c:\n  f:\n    h: []  # mine\n", "c.f.g", "c:\n  f:\n    g: 1\n    h: []  # mine\n"),
        ("a: 1", "i", "a: 1\n\ni: 5"),
        ("a: 1\r\n", "b", "a: 1\r\n\r\n# Of b,\r\n# in two lines.\r\nb: 2\r\n"),
    ],
)  # fmt: skip
def test_a_key_is_added_behind_the_one_before_it(text, key, expected):
    assert added(text, key, TEMPLATE) == expected


@given(st.recursive(st.integers() | st.text("ab: #'[]{},\n"), lambda inner: st.lists(inner, max_size=3)))
def test_any_value_is_shown_in_one_line(value):
    assert "\n" not in one_line(value)
    assert load(one_line(value)) == value
