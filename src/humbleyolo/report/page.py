"""The report as one HTML page: no file beside it, no server, nothing fetched, and no script but its own.

Texts from labels and file names are escaped by the template engine. The images' entries stand in JSON whose `<`, `>`
and `&` are escaped; the script puts them into the page as text.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.drawing.html_page import render_page
from humbleyolo.drawing.palette import class_colours
from humbleyolo.geometry.grid import Grid
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.params.sections import Render
from humbleyolo.report.charts import Charts
from humbleyolo.report.number_format import gain, metric, number, printable
from humbleyolo.report.page_contents import Report
from humbleyolo.report.page_images import CODES, FATES, Gallery, Images, most_mistakes_first

_MB = 1e6
_ANY_CLASS = ("precision", "recall", "f1")
_FLOOR_ROWS = (  # title, keys of metrics.json; none stands empty
    ("this model", ("ap", "ap50", *(f"any_class_{key}" for key in _ANY_CLASS))),
    ("floor: one box", ("floor_one_box_ap", "floor_one_box_ap50", *(f"floor_{key}" for key in _ANY_CLASS))),
    ("floor: a box per class", ("floor_ap", "floor_ap50", *("",) * len(_ANY_CLASS))),
)

_COUNTS = {
    "objects_per_image": "images with so many objects: {}",
    "classes": "objects of class {}",
    "areas": "{} objects, as COCO has the word",
    "area_px": "area of an object in square pixels, {}",
}


def build_page(
    report: Report, archive: Images, truths: TruthTable, split: EncodedSplit | None, settings: Render
) -> bytes:
    """Return the page with as many images as it has room for, those with the most mistakes first.

    Without an encoded split there are no cells to be seen.

    Raises:
        UserError: If an image is damaged.
    """
    grid = split.grid if split else None
    without_images = len(write_page(report, gallery_data(report, [], grid, settings.report_px)))
    gallery = Gallery(archive, truths, report.evaluation, split, settings.report_px)
    order = most_mistakes_first(report.evaluation)[: settings.report_images]
    images = gallery.entries(order, settings.report_mb * _MB - without_images)
    return write_page(report, gallery_data(report, list(images), grid, settings.report_px))


def gallery_data(
    report: Report, images: Sequence[Mapping[str, Any]], grid: Grid | None, longest_px: int
) -> dict[str, Any]:
    """Return the data of `script.js`: the images' entries, the names and colours that they refer to, their size."""
    return {
        "names": [printable(name) for name in report.names],
        "colours": class_colours(len(report.names)),
        "kinds": list(CODES),
        "fates": list(FATES),
        "grid": {"rows": grid.rows, "cols": grid.cols} if grid else {"rows": 1, "cols": 1},
        "longest": longest_px,
        "images": list(images),
    }


def write_page(report: Report, gallery: Mapping[str, Any]) -> bytes:
    """Return the page, UTF-8: equal reports are equal bytes."""
    ceilings = report.ceilings
    html = render_page(
        "report", "template.html", "style.css", "script.js",
        report=report,
        names=[printable(name) for name in report.names],
        n=number, m=metric, g=gain, p=printable, v=_value,
        charts=Charts(report),
        reached=report.evaluation.metrics.get("ap") if ceilings and ceilings[0].get("ap") else None,
        ceiling_keys=[key for key in ceilings[0] if key not in ("rows", "cols")] if ceilings else [],
        floor_rows=_FLOOR_ROWS,
        summary_keys=list(dict.fromkeys(key for counts in report.summary.values() for key in counts)),
        kinds=CODES[1:],
        has_cells=report.evaluation.confidence is not None,
        slider=f"{report.threshold or 0:.2f}",
        count_words=_count_words,
        shown=len(gallery["images"]),
        gallery=script_json(gallery),
    )  # fmt: skip
    return html.encode("utf-8", "replace")


def _count_words(key: str) -> str:
    """Return a key of `summary.json` in words: `classes.cat` is `objects of class cat`."""
    head, _, tail = key.partition(".")
    words = _COUNTS.get(head, head.replace("_", " ") + " {}")
    return words.format(tail.replace("_", " ") if head == "area_px" else tail).strip()


def script_json(values: Any) -> Markup:
    """Return JSON that can stand in a `script` element: nothing in it can end the element or open a comment."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def _value(value: Any) -> str:
    """Return a parameter or a count as YAML writes it, long whole numbers with commas."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float) and not (value.is_integer() and 10_000 <= abs(value) < 1e15):
        return f"{value:g}"
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f"{int(value):,}" if abs(value) >= 10_000 else str(value)
    return "" if value is None else printable(json.dumps(value, ensure_ascii=False))
