"""The report as one HTML page: no file beside it, no server, nothing fetched, and no script but its own.

What comes from labels and file names is escaped by the template engine, or stands in JSON whose `<`, `>` and `&` are
escaped, and is put into the page as text. A content security policy names the page's own style and script by
their hashes and allows nothing else, not even to pictures of other places.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from humbleyolo.drawing.boxes_on_image import class_colour
from humbleyolo.geometry.grid import Grid
from humbleyolo.report import charts
from humbleyolo.report.charts import Line, Scale
from humbleyolo.report.contents import Headline, Report
from humbleyolo.report.embedded_images import FATES, KINDS
from humbleyolo.report.number_format import gain, metric, number, printable

_TEMPLATE, _STYLE, _SCRIPT = "template.html", "style.css", "script.js"
_MOST_CURVES = 100  # classes with curves of their own, those with the most objects
_SECTIONS = (
    ("numbers", "Numbers"),
    ("ceiling", "Ceiling"),
    ("mistakes", "Mistakes"),
    ("curves", "Curves"),
    ("classes", "Classes"),
    ("images", "Images"),
    ("data", "Data"),
    ("parameters", "Parameters"),
)


def gallery_data(report: Report, images: Sequence[Mapping[str, Any]], grid: Grid) -> dict[str, Any]:
    """Return what `script.js` reads: the images' entries, and the names and colours that they refer to."""
    return {
        "names": [printable(name) for name in report.names],
        "colours": ["#{:02x}{:02x}{:02x}".format(*class_colour(label)) for label in range(len(report.names))],
        "kinds": list(KINDS),
        "fates": list(FATES),
        "grid": {"rows": grid.rows, "cols": grid.cols},
        "images": list(images),
    }


def write_page(report: Report, gallery: Mapping[str, Any]) -> bytes:
    """Return the page, UTF-8: equal reports are equal bytes.

    Args:
        report: What it shows.
        gallery: Of `gallery_data`.
    """
    style, script = Markup(_file(_STYLE)), Markup(_file(_SCRIPT))  # noqa: S704 - our own files
    policy = (
        f"default-src 'none'; img-src data:; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    shown = len(gallery["images"])
    top = report.ceilings[0].get("ap") if report.ceilings else None
    keys = dict.fromkeys(key for counts in report.summary.values() for key in counts)
    html = _template().render(
        report=report,
        names=[printable(name) for name in report.names],
        policy=policy,
        style=style,
        script=script,
        sections=_SECTIONS,
        charts=_Charts(report),
        reached=report.evaluation.metrics.get("ap") if top else None,
        ceiling_keys=[key for key in report.ceilings[0] if key not in ("rows", "cols")]
        if report.ceilings
        else [],
        summary_keys=list(keys),
        kinds=KINDS[1:],
        slider=f"{int(100 * (report.threshold or 0) + 1e-9) / 100:.2f}",
        held=(
            f"All {number(report.images)} test images are here."
            if shown == report.images
            else f"{number(shown)} of {number(report.images)} test images are here, those with the most mistakes: "
            "render.report_images and render.report_mb say how many."
        ),
        gallery=script_json(gallery),
    )
    return html.encode("utf-8", "replace")


def script_json(values: Any) -> Markup:
    """Return JSON that can stand in a `script` element: nothing in it can end the element or open a comment."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.globals.update(n=number, m=metric, g=gain, p=printable, v=_value)
    return environment.from_string(_file(_TEMPLATE))


class _Charts:
    """The page's charts."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.match_iou = number(report.params["evaluate"]["match_iou"])
        objects = {label: row.get("objects") or 0 for label, row in report.classes}
        most = sorted(objects, key=lambda label: (-objects[label], label))[:_MOST_CURVES]
        self.curve_classes = (
            sorted(label for label in most if objects[label]) if len(report.names) > 1 else []
        )
        self._label_of = {report.names[label]: label for label in reversed(self.curve_classes)}

    @property
    def figures(self) -> list[tuple[str, Markup, str]]:
        """Title, chart and its id, in the order of the page."""
        figures = [
            (
                f"Precision and recall at IoU {self.match_iou}",
                self._precision_recall(),
                "chart-precision-recall",
            ),
            (
                "Precision, recall and F1; the line is the threshold",
                self._thresholds(),
                "chart-thresholds",
            ),
            (
                f"Is the confidence what it says? Larger dots are more detections. {self._calibration_errors}",
                self._reliability(),
                "chart-reliability",
            ),
            ("IoU of found boxes with their truths", self._ious(), "chart-ious"),
        ]
        if self._report.history:
            figures += [
                ("Loss, epoch by epoch", self._loss(), "chart-loss"),
                ("AP on val, epoch by epoch", self._training(), "chart-training"),
            ]
        return figures

    @property
    def _calibration_errors(self) -> str:
        """How far the confidence is from what it should be, on the whole."""
        metrics = self._report.evaluation.metrics
        iou, right = (metrics.get(f"calibration_error_{of}") for of in ("iou", "right"))
        return f"Calibration error: {metric(iou)} from the IoU, {metric(right)} from being right"

    @property
    def mistakes(self) -> Markup:
        """The cost of each kind of mistake."""
        bars = [
            (kind.kind, kind.ap_gain or 0.0, f"AP {gain(kind.ap_gain)}") for kind in self._report.mistakes
        ]
        return charts.bar_chart(
            "chart-mistakes",
            f"AP at IoU {self.match_iou} won back by repair: "
            + ", ".join(f"{bar[0]} {bar[2]}" for bar in bars),
            bars,
        )

    def interval(self, one: Headline) -> Markup:
        """A headline number and its interval."""
        return charts.interval_bar(one.value or 0.0, one.low, one.high)

    def _precision_recall(self) -> Markup:
        evaluation = self._report.evaluation
        lines = [Line("all classes", _points(evaluation.precision_recall, "recall", "precision"))]
        rows = evaluation.precision_recall_by_class
        lines += [
            Line(printable(name), _points(own, "recall", "precision"), str(label), 1)
            for name, label, own in self._by_class(rows)
        ]
        return charts.line_chart(
            "chart-precision-recall",
            f"Precision against recall at IoU {self.match_iou}; arrow keys read values",
            Scale("recall", *charts.UNIT),
            Scale("precision", *charts.UNIT),
            lines,
        )

    def _thresholds(self) -> Markup:
        rows = self._report.evaluation.thresholds
        together = [row for row in rows if row["class"] == ""]
        titles = {"precision": "precision", "recall": "recall", "f1": "F1"}
        lines = [
            Line(title, _points(together, "threshold", key), style=style)
            for style, (key, title) in enumerate(titles.items())
        ]
        for name, label, own in self._by_class(rows):
            lines += [
                Line(f"{title} of {printable(name)}", _points(own, "threshold", key), str(label), 3 + style)
                for style, (key, title) in enumerate(titles.items())
            ]
        return charts.line_chart(
            "chart-thresholds",
            "Precision, recall and F1 against the confidence threshold; arrow keys read values",
            Scale("confidence at least", *charts.UNIT),
            Scale("", *charts.UNIT),
            lines,
            mark=self._report.threshold,
        )

    def _reliability(self) -> Markup:
        rows = [row for row in self._report.evaluation.reliability if row["confidence"] is not None]
        most = max((row["count"] for row in rows), default=1)
        dots = [2 + 4 * (row["count"] / most) ** 0.5 for row in rows]
        return charts.line_chart(
            "chart-reliability",
            "Mean IoU with the nearest truth, and the part that is right, against confidence; arrow keys read values",
            Scale("confidence", *charts.UNIT),
            Scale("", *charts.UNIT),
            [
                Line("mean IoU", _points(rows, "confidence", "iou"), dots=dots),
                Line("part that is right", _points(rows, "confidence", "right"), style=1, dots=dots),
            ],
            diagonal=True,
        )

    def _ious(self) -> Markup:
        rows = self._report.evaluation.iou_histogram
        return charts.column_chart(
            "chart-ious",
            "How many found boxes have which IoU; arrow keys read values",
            Scale("IoU", *charts.UNIT),
            "boxes",
            [(row["low"], row["high"], row["count"]) for row in rows],
        )

    def _loss(self) -> Markup:
        history = self._report.history
        lines = [
            Line(title, _points(history, "epoch", key), style=style)
            for style, (key, title) in enumerate({"train_total": "train", "val_total": "val"}.items())
        ]
        values = [y for line in lines for _, y in line.points if y is not None and y > 0]
        low, high = (min(values), max(values)) if values else (0.1, 1.0)
        return charts.line_chart(
            "chart-loss",
            "Loss on train and val, epoch by epoch; arrow keys read values",
            self._epochs(),
            Scale("loss, logarithmic", low / 1.2, high * 1.2, log=True),
            lines,
        )

    def _training(self) -> Markup:
        history = self._report.history
        return charts.line_chart(
            "chart-training",
            "AP and AP50 on val, epoch by epoch; arrow keys read values",
            self._epochs(),
            Scale("", *charts.UNIT),
            [
                Line(title, _points(history, "epoch", key), style=style)
                for style, (key, title) in enumerate({"val_ap": "AP", "val_ap50": "AP50"}.items())
            ],
        )

    def _epochs(self) -> Scale:
        epochs = [row["epoch"] for row in self._report.history]
        return Scale("epoch", min(epochs), max(max(epochs), min(epochs) + 1))

    def _by_class(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, list[Mapping[str, Any]]]]:
        """Return name, label and own rows of each class that has curves."""
        own: dict[int, list[Mapping[str, Any]]] = {}
        for row in rows:
            label = self._label_of.get(row["class"])
            if label is not None:
                own.setdefault(label, []).append(row)
        return [(self._report.names[label], label, own[label]) for label in sorted(own)]


def _points(rows: Sequence[Mapping[str, Any]], across: str, up: str) -> list[tuple[float, float | None]]:
    return [(row[across], row[up]) for row in rows]


def _value(value: Any) -> str:
    """Return a parameter or a count as YAML writes it, long whole numbers with commas."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return "" if value is None else printable(json.dumps(value, ensure_ascii=False))


def _source(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _file(name: str) -> str:
    return resources.files("humbleyolo.report").joinpath(name).read_text(encoding="utf-8")
