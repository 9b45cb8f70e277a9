"""The charts of the report, each with the values of an evaluation that it shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from humbleyolo.report.number_format import gain, metric, number, printable
from humbleyolo.report.page_contents import Headline, Report
from humbleyolo.report.svg_charts import UNIT, Line, Scale, bar_chart, column_chart, interval_bar, line_chart

_MOST_CURVES = 100  # classes with curves of their own, those with the most objects


class Charts:
    """The page's charts."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.match_iou = number(report.params["evaluate"]["match_iou"])
        objects = {label: row.get("objects") or 0 for label, row in report.classes}
        most = sorted(objects, key=lambda label: (-objects[label], label))[:_MOST_CURVES]
        self.curve_classes = sorted(label for label in most if objects[label]) if len(report.names) > 1 else []
        self._label_of = {report.names[label]: label for label in reversed(self.curve_classes)}

    @property
    def figures(self) -> list[tuple[str, Markup, str]]:
        """Title, chart and its id, in the order of the page."""
        errors = self._calibration_errors
        figures = [
            (f"Precision and recall at IoU {self.match_iou}", self._precision_recall(), "chart-precision-recall"),
            ("Precision, recall and F1; the line is the threshold", self._thresholds(), "chart-thresholds"),
            (
                f"Calibration of the confidence; larger dots are more detections. {errors}",
                self._reliability(),
                "chart-reliability",
            ),
            ("IoU of detections with their ground truth", self._ious(), "chart-ious"),
        ]
        if self._report.history:
            learned = "; val was learned too" if self._report.params["train"]["include_val"] else ""
            figures += [
                (f"Loss, epoch by epoch{learned}", self._loss(), "chart-loss"),
                (f"AP on val, epoch by epoch{learned}", self._training(), "chart-training"),
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
        bars = [(kind.kind, kind.ap_cost or 0.0, f"AP {gain(kind.ap_cost)}") for kind in self._report.mistakes]
        costs = ", ".join(f"{kind} {cost}" for kind, _, cost in bars)
        return bar_chart("chart-mistakes", f"AP (IoU 0.50 to 0.95) won back by repair: {costs}", bars)

    def interval(self, one: Headline) -> Markup:
        """A headline number and its interval."""
        return interval_bar(one.value or 0.0, one.low, one.high)

    def _precision_recall(self) -> Markup:
        evaluation = self._report.evaluation
        lines = _lines(evaluation.precision_recall, "recall", {"precision": "all classes"})
        for name, label, own in self._by_class(evaluation.precision_recall_by_class):
            lines += _lines(own, "recall", {"precision": printable(name)}, str(label), 1)
        words = f"Precision against recall at IoU {self.match_iou}; arrow keys read values"
        across, up = Scale("recall", *UNIT), Scale("precision", *UNIT)
        return line_chart("chart-precision-recall", words, across, up, lines)

    def _thresholds(self) -> Markup:
        rows = self._report.evaluation.thresholds
        titles = {"precision": "precision", "recall": "recall", "f1": "F1"}
        lines = _lines([row for row in rows if row["class"] == ""], "threshold", titles)
        for name, label, own in self._by_class(rows):
            named = {key: f"{title} of {printable(name)}" for key, title in titles.items()}
            lines += _lines(own, "threshold", named, str(label), 3)
        words = "Precision, recall and F1 against the confidence threshold; arrow keys read values"
        across, up = Scale("confidence at least", *UNIT), Scale("", *UNIT)
        return line_chart("chart-thresholds", words, across, up, lines, mark=self._report.threshold)

    def _reliability(self) -> Markup:
        rows = [row for row in self._report.evaluation.reliability if row["confidence"] is not None]
        most = max((row["count"] for row in rows), default=1)
        dots = [2 + 4 * (row["count"] / most) ** 0.5 for row in rows]
        words = "Mean IoU with ground truth, and the part that is right, against confidence; arrow keys read values"
        lines = _lines(rows, "confidence", {"iou": "mean IoU", "right": "part that is right"}, dots=dots)
        across, up = Scale("confidence", *UNIT), Scale("", *UNIT)
        return line_chart("chart-reliability", words, across, up, lines, diagonal=True)

    def _ious(self) -> Markup:
        bins = [(row["low"], row["high"], row["count"]) for row in self._report.evaluation.iou_histogram]
        words = "Number of detections by IoU; arrow keys read values"
        return column_chart("chart-ious", words, Scale("IoU", *UNIT), "boxes", bins)

    def _loss(self) -> Markup:
        lines = _lines(self._report.history, "epoch", {"train_total": "train", "val_total": "val"})
        values = [y for line in lines for _, y in line.points if y is not None and y > 0]
        low, high = (min(values), max(values)) if values else (0.1, 1.0)
        up = Scale("loss, logarithmic", low / 1.2, high * 1.2, log=True)
        words = "Loss on train and val, epoch by epoch; arrow keys read values"
        return line_chart("chart-loss", words, self._epochs(), up, lines)

    def _training(self) -> Markup:
        lines = _lines(self._report.history, "epoch", {"val_ap": "AP", "val_ap50": "AP50"})
        words = "AP and AP50 on val, epoch by epoch; arrow keys read values"
        return line_chart("chart-training", words, self._epochs(), Scale("", *UNIT), lines)

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


def _lines(
    rows: Sequence[Mapping[str, Any]],
    across: str,
    titles: Mapping[str, str],
    group: str = "",
    style: int = 0,
    dots: Sequence[float] = (),
) -> list[Line]:
    """Return a line per column in `titles` against the column `across`; styles count up from `style`."""
    return [
        Line(title, [(row[across], row[key]) for row in rows], group, place, dots)
        for place, (key, title) in enumerate(titles.items(), style)
    ]
