"""The text that `humbleyolo score` prints."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from humbleyolo.dataset.split_size import is_small
from humbleyolo.evaluation.confusion import confused_classes
from humbleyolo.evaluation.mistakes import costs_of_kinds
from humbleyolo.inputs.ledger import short_name
from humbleyolo.process.display_width import cut, padded
from humbleyolo.process.terminal import counted, wrapped_lines
from humbleyolo.scoring.scored_detections import Scored

COCO = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100", "ar_small", "ar_medium",
    "ar_large",
)  # fmt: skip
_OTHERS = ("voc_ap", "mean_iou", "precision", "recall", "f1")
_CLASS_COLUMNS = ("objects", "detections", "ap", "ap50", "ap75", "precision", "recall", "f1")
_MOST_CLASSES, _MOST_CONFUSIONS, _NAME = 12, 4, 16


def report_lines(scored: Scored) -> Iterator[str]:
    """Yield the result as text of 80 columns."""
    metrics, tables = scored.found.metrics, scored.found.tables
    for line in scored.told:
        yield from wrapped_lines(line)
    images, objects = metrics["images"], metrics["objects"]
    if objects and is_small(images, objects):
        few = f"{counted(images, 'image')} with {counted(objects, 'object')}"
        yield from wrapped_lines(f"note: {few} are too few to tell how good this is; AP may be off by 0.25 and more")
    least = "none" if metrics["threshold"] is None else f"{metrics['threshold']:.3f}"
    yield from wrapped_lines(f"threshold: {least}, {scored.threshold_from}")
    yield ""
    ends = {row["metric"]: (row["low"], row["high"]) for row in tables["intervals"].to_dict("records")}
    yield f"{'':<12}{'value':>8}  95 % interval"
    for name in (*COCO, *_OTHERS):
        low, high = ends.get(name, (np.nan, np.nan))
        interval = f"{low:.4f} to {high:.4f}" if np.isfinite([low, high]).all() else ""
        yield f"{name:<12}{_shown(metrics[name]):>8}  {interval}".rstrip()
    yield ""
    yield f"{'mistakes':<18}{'count':>7}{'cost in AP':>12}  in AP at the IoU of a match"
    for kind, count, cost, gain in _mistakes(metrics["ap"], tables):
        yield f"{kind:<18}{count:>7,}{_shown(cost):>12}  {_shown(gain)}"
    yield ""
    yield from _class_lines(metrics["per_class"])
    yield from _confusions(scored)


def _mistakes(ap: float | None, tables: Mapping[str, pd.DataFrame]) -> list[tuple[str, int, float | None, float]]:
    """Return kind, count and both costs of the mistakes, those that cost most first."""
    rows = tables["mistakes"][["kind", "count", "ap_gain"]].itertuples(index=False, name=None)
    found = {kind: (count, gain) for kind, count, gain in rows}
    gains = {kind: gain for kind, (_, gain) in found.items()}
    costs = costs_of_kinds(ap, tables["precision_recall"]["precision"], gains)
    rows_of = [(kind, count, costs.get(kind), gain) for kind, (count, gain) in found.items()]
    return sorted(rows_of, key=lambda row: -(row[2] or 0.0))


def _class_lines(per_class: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield f"{'class':<{_NAME}}" + "".join(f"{name:>{_column(name)}}" for name in _CLASS_COLUMNS)
    most = sorted(per_class, key=lambda name: -per_class[name]["objects"])[:_MOST_CLASSES]
    for name in per_class:
        if name in most:
            values = "".join(f"{_shown(per_class[name][key], 3):>{_column(key)}}" for key in _CLASS_COLUMNS)
            yield f"{padded(cut(name, _NAME - 1), _NAME)}{values}"
    if len(per_class) > len(most):
        yield f"... and {counted(len(per_class) - len(most), 'class', 'classes')} of fewer objects"


def _confusions(scored: Scored) -> Iterator[str]:
    """Yield a line with the largest confusions of two classes at the threshold."""
    most = confused_classes(scored.found.tables["confusion"])[:_MOST_CONFUSIONS]
    pairs = [f"{short_name(truth)} as {short_name(predicted)} {count:,}" for truth, predicted, count in most]
    if pairs:
        yield from wrapped_lines(f"confused: {'; '.join(pairs)}")


def _column(name: str) -> int:
    return max(len(name) + 1, 7)


def _shown(value: float | None, digits: int = 4) -> str:
    if value is None or not np.isfinite(value):
        return "none"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"
