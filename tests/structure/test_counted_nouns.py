"""Messages say `1 image`, not `1 images`: a number before a noun comes from `counted`."""

import ast
import re
from collections.abc import Iterator

import pytest
from repository import ROOT

NOUNS = (
    "boxes classes clips detections epochs files findings folds frames groups images labels lines mistakes names "
    "objects pictures steps words workers"
)
AFTER = re.compile(rf" (?:(?!has |on |without )[a-z]+ )?(?:{NOUNS.replace(' ', '|')})\b")
# Functions whose number is never 1 but for a handful of images, or whose error is not a person's:
NEVER_ONE = {
    "__str__", "_check", "_doubt_lines", "_include_val", "_judge", "_keeps_its_order", "_limits", "_listed",
    "_mistake", "_note_losses", "_result", "_tell_left_out", "add", "check_match", "contact_sheet", "detect_by_folds",
    "drawing_places", "frames", "limit_warnings", "render", "report_lines", "with_mirrored", "write_changed",
}  # fmt: skip


def plurals(source: str) -> Iterator[str]:
    """Yield each number in an f-string that stands before a plural by itself, with the function around it."""
    if not re.search(rf"\}}{AFTER.pattern}", source):  # parsing takes ten times as long
        return
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


@pytest.mark.parametrize("folder", ["src/humbleyolo", "stages"])
def test_a_number_before_a_noun_is_counted(folder: str) -> None:
    paths = (ROOT / folder).rglob("*.py")
    found = [f"{path.name}: {one}" for path in paths for one in plurals(path.read_text("utf-8"))]
    assert [one for one in found if one.split(": ")[1] not in NEVER_ONE] == []


def test_a_plural_is_seen() -> None:
    line = "f\"{n} images, {n} of {m} boxes, {counted(n, 'box', 'boxes')}, {MOST} boxes, {n} label files\""
    assert list(plurals(f"def f(n):\n    return {line}")) == ["f: n images, ", "f: n label files"]
