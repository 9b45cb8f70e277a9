"""Messages say `1 image`, not `1 images`: a number before a noun comes from `counted`."""

import ast
import re
from collections.abc import Iterator

from repository import ROOT

NOUNS = (
    "boxes classes clips detections epochs files findings folds frames groups images labels lines mistakes names "
    "objects pictures steps words workers"
)
AFTER = re.compile(rf" (?:(?!has |on |without )[a-z]+ )?(?:{NOUNS.replace(' ', '|')})\b")
# Functions whose number is never 1 but for a handful of images, or whose error is not a person's:
NEVER_ONE = {
    "begin/first_training.py: _include_val",
    "check/folder_check.py: _doubt_lines",
    "commands/next.py: _tell_left_out",
    "dataset/archive.py: add",
    "detection/backends/metadata.py: _mistake",
    "detection/video/predict_clips.py: drawing_places",
    "drawing/boxes_on_image.py: _check",
    "drawing/contact_sheet.py: contact_sheet",
    "drawing/preview.py: write_changed",
    "evaluation/learning_gain.py: __str__",
    "experiments/comparison.py: report_lines",
    "labels/convert.py: _note_losses",
    "metrics/detection_limits.py: limit_warnings",
    "models/mirrored.py: with_mirrored",
    "params/rules.py: _keeps_its_order",
    "process/cluster.py: _result",
    "stages/render.py: render",
    "training/folds.py: detect_by_folds",
}


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


def test_a_number_before_a_noun_is_counted() -> None:
    found: dict[str, list[str]] = {}
    for folder, above in (("src/humbleyolo", "src/humbleyolo"), ("stages", ".")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for one in plurals(path.read_text("utf-8")):
                name, _, text = one.partition(": ")
                found.setdefault(f"{path.relative_to(ROOT / above).as_posix()}: {name}", []).append(text)
    assert {place: texts for place, texts in found.items() if place not in NEVER_ONE} == {}
    assert NEVER_ONE - found.keys() == set()  # each is of a function that is there


def test_a_plural_is_seen() -> None:
    line = "f\"{n} images, {n} of {m} boxes, {counted(n, 'box', 'boxes')}, {MOST} boxes, {n} label files\""
    assert list(plurals(f"def f(n):\n    return {line}")) == ["f: n images, ", "f: n label files"]
