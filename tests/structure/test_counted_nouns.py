"""Messages say `1 image`, not `1 images`: a number before a noun comes from `counted`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import ROOT
from ruamel.yaml import YAML

SRC = ROOT / "src/humbleyolo"
NOUNS = "boxes classes clips detections epochs files findings frames images labels mistakes objects pictures steps"
AFTER = re.compile(rf" (?:[a-z]+ )?(?:{NOUNS.replace(' ', '|')})\b")
# Functions whose number is never 1, but for a handful of images that nobody trains on:
NEVER_ONE = {
    "_doubt_lines", "_facts", "_include_val", "drawing_places", "_judge", "_limits", "_tell_left_out",
    "frames", "report_lines",
}  # fmt: skip


def rooms() -> list[str]:
    """Return those on which no stage depends: a change of words in the others would run the stages anew."""
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values()
    used = {Path(str(one)).name for stage in stages for one in stage["deps"]}
    return sorted({path.parent.name for path in SRC.glob("*/__init__.py")} - used)


def plurals(source: str) -> Iterator[str]:
    """Yield each number in an f-string that stands before a plural by itself, with the function around it."""
    for place in ast.walk(ast.parse(source)):
        if not isinstance(place, ast.FunctionDef):
            continue
        for text in ast.walk(place):
            if isinstance(text, ast.JoinedStr):
                for before, one, after in zip([None, *text.values], text.values, text.values[1:], strict=False):
                    if isinstance(one, ast.FormattedValue) and _is_plural(before, one, after):
                        yield f"{place.name}: {ast.unparse(one.value)}{after.value}"


def _is_plural(before: ast.expr | None, one: ast.FormattedValue, after: ast.expr) -> bool:
    constant = isinstance(one.value, ast.Name) and one.value.id.isupper()
    counted = isinstance(one.value, ast.Call) and ast.unparse(one.value.func) == "counted"
    part = isinstance(before, ast.Constant) and re.search(r"\bof $", before.value)  # 1 of 1 images
    plural = isinstance(after, ast.Constant) and AFTER.match(after.value)
    return bool(plural and not (constant or counted or part))


@pytest.mark.parametrize("room", rooms())
def test_a_number_before_a_noun_is_counted(room: str) -> None:
    found = [f"{path.name}: {one}" for path in (SRC / room).rglob("*.py") for one in plurals(path.read_text("utf-8"))]
    assert [one for one in found if one.split(": ")[1] not in NEVER_ONE] == []


def test_a_plural_is_seen() -> None:
    line = "f\"{n} images, {n} of {m} boxes, {counted(n, 'box', 'boxes')}, {MOST} boxes, {n} label files\""
    assert list(plurals(f"def f(n):\n    return {line}")) == ["f: n images, ", "f: n label files"]
    assert rooms() == ["check", "commands", "detection", "experiments", "export", "serve"]
