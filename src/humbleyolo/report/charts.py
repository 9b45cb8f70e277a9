"""The charts of the report, each with the values of an evaluation that it shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from humbleyolo.report.number_format import gain, metric, number, printable
from humbleyolo.report.page_contents import Headline, Report
from humbleyolo.report.svg_charts import (
    UNIT,
    Line,
    Scale,
    bar_chart,
    column_chart,
    interval_bar,
    line_chart,
)

_MOST_CURVES = 100  # classes with curves of their own, those with the most objects


class Charts:
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
        errors = self._calibration_errors
        figures = [
            (
                f"Precision and recall at IoU {self.match_iou}",
                self._precision_recall(),
                "chart-precision-recall",
            ),
            ("Precision, recall and F1; the line is the threshold", self._thresholds(), "chart-thresholds"),
            (
                f"Calibration of the confidence; larger dots are more detections. {errors}",
                self._reliability(),
                "chart-reliability",
            ),
            ("IoU of detections with their ground truth", self._ious(), "chart-ious"),
        ]
        if self._report.history:
            figures += [
                ("Loss, epoch by epoch", self._loss(), "chart-loss"),
                ("AP on val, epoch by epoch", self._training(), "chart-training"),
            ]
        return figures

    @property
    def _calibration_errors(self) -> str:
        """The calibration errors, in words."""
        metrics = self._report.evaluation.metrics
        iou, right = (metrics.get(f"calibration_error_{of}") for of in ("iou", "right"))
        return f"Calibration error: {metric(iou)} from the IoU, {metric(right)} from being right"

    @property
    def mistakes(self) -> Markup:
        """The cost of each kind of mistake."""
        bars = [
            (kind.kind, kind.ap_gain or 0.0, f"AP {gain(kind.ap_gain)}") for kind in self._report.mistakes
        ]
        return bar_chart(
            "chart-mistakes",
            f"AP at IoU {self.match_iou} won back by repair: "
            + ", ".join(f"{bar[0]} {bar[2]}" for bar in bars),
            bars,
        )

    def interval(self, one: Headline) -> Markup:
        """A headline number and its interval."""
        return interval_bar(one.value or 0.0, one.low, one.high)

    def _precision_recall(self) -> Markup:
        evaluation = self._report.evaluation
        lines = [Line("all classes", _points(evaluation.precision_recall, "recall", "precision"))]
        rows = evaluation.precision_recall_by_class
        lines += [
            Line(printable(name), _points(own, "recall", "precision"), str(label), 1)
            for name, label, own in self._by_class(rows)
        ]
        return line_chart(
            "chart-precision-recall",
            f"Precision against recall at IoU {self.match_iou}; arrow keys read values",
            Scale("recall", *UNIT),
            Scale("precision", *UNIT),
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
        return line_chart(
            "chart-thresholds",
            "Precision, recall and F1 against the confidence threshold; arrow keys read values",
            Scale("confidence at least", *UNIT),
            Scale("", *UNIT),
            lines,
            mark=self._report.threshold,
        )

    def _reliability(self) -> Markup:
        rows = [row for row in self._report.evaluation.reliability if row["confidence"] is not None]
        most = max((row["count"] for row in rows), default=1)
        dots = [2 + 4 * (row["count"] / most) ** 0.5 for row in rows]
        return line_chart(
            "chart-reliability",
            "Mean IoU with ground truth, and the part that is right, against confidence; arrow keys read values",
            Scale("confidence", *UNIT),
            Scale("", *UNIT),
            [
                Line("mean IoU", _points(rows, "confidence", "iou"), dots=dots),
                Line("part that is right", _points(rows, "confidence", "right"), style=1, dots=dots),
            ],
            diagonal=True,
        )

    def _ious(self) -> Markup:
        rows = self._report.evaluation.iou_histogram
        return column_chart(
            "chart-ious",
            "Number of detections by IoU; arrow keys read values",
            Scale("IoU", *UNIT),
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
        return line_chart(
            "chart-loss",
            "Loss on train and val, epoch by epoch; arrow keys read values",
            self._epochs(),
            Scale("loss, logarithmic", low / 1.2, high * 1.2, log=True),
            lines,
        )

    def _training(self) -> Markup:
        history = self._report.history
        return line_chart(
            "chart-training",
            "AP and AP50 on val, epoch by epoch; arrow keys read values",
            self._epochs(),
            Scale("", *UNIT),
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
