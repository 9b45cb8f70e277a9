"""The model card: facts of a model, for people who get nothing but its export.

Everything is read from the stages' outputs around the model; a missing output is said to be missing.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.detection.backends.metadata import Metadata
from humbleyolo.export.parity import Parity
from humbleyolo.models.artifact import ModelInfo

_INTERVALS = "intervals.csv"  # metric, value, low, high


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder: of its files' names and contents, in order."""
    digest = hashlib.sha256()
    if path.is_dir():
        for one in sorted(inside for inside in path.rglob("*") if inside.is_file()):
            digest.update(f"{one.relative_to(path).as_posix()}\0{sha256(one)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_card(info: ModelInfo, model: Path, export: Path, name: str, facts: Metadata, parity: Parity) -> str:
    """Return the card as Markdown.

    Args:
        info: Facts of the model.
        model: Its folder, `data/model`; the outputs of the other stages lie around it.
        export: The export, a file or a folder.
        name: Its final name.
        facts: Its metadata.
        parity: Its difference from the model.
    """
    data = model.parent
    parts = [
        f"# {name}",
        f"Finds {_listed(info.categories)} on images. Made by humbleyolo {facts.version}.",
        _network(info, facts),
        "## This file",
        _table(
            ("", ""),
            [
                ("precision", facts.precision),
                ("size", f"{_bytes(export):,} bytes"),
                ("SHA-256", sha256(export)),
                ("beside the model", str(parity)),
            ],
        ),
        "## How good it is",
        _metrics(data / "evaluation"),
        "## What it learned from",
        _data(data / "dataset"),
        "## Parameters",
        _parameters(data.parent / "params.yaml"),
        "## Hashes",
        _hashes(model, data),
        "## Licence",
        _licence(data),
    ]
    return "\n\n".join(parts) + "\n"


def _network(info: ModelInfo, facts: Metadata) -> str:
    grid = info.grid
    rounded = "Edges are then rounded to whole pixels of the image. " if facts.whole_pixels else ""
    return (
        f"Network `{info.model.name}` (width {info.model.width:g}, depth {info.model.depth:g}), {grid.height} x "
        f"{grid.width} pixels, {grid.rows} x {grid.cols} cells, boxes in a cell: {grid.boxes}. "
        f"Images of other shapes are scaled to fit, with letterbox padding of grey {info.fill}. "
        f"They go in as `pixels` (N, {grid.height}, {grid.width}, 3) of uint8; `boxes` (left, top, right, bottom in "
        f"those pixels), `scores`, `labels` and `count` come out, best first. "
        f"Scores under {facts.min_score:g} are dropped; of two boxes of one class that overlap by more than "
        f"{facts.nms_iou:g}, one; at most {facts.max_detections} stay. {rounded}"
        f"Threshold to show a box: {facts.threshold:g} ({facts.threshold_from})."
    )


def _metrics(folder: Path) -> str:
    found = _json(folder / "metrics.json")
    if not found:
        return "Not measured: there is no `metrics.json` beside the model."
    low_high = {row["metric"]: (row["low"], row["high"]) for row in _rows(folder / _INTERVALS)}
    flat = [(name, value) for name, value in found.items() if not isinstance(value, dict)]
    header = ("on test", "value", "95 % interval")[: 3 if low_high else 2]
    rows = [(name, _number(value), _interval(low_high.get(name)))[: len(header)] for name, value in flat]
    text = _table(header, rows)
    classes: dict[str, dict[str, Any]] = found.get("per_class") or {}
    if classes:
        columns = list(next(iter(classes.values())))
        text += "\n\n" + _table(
            ("class", *columns),
            [(name, *(_number(one.get(column)) for column in columns)) for name, one in classes.items()],
        )
    return text if low_high else f"{text}\n\nIntervals were not computed."


def _data(folder: Path) -> str:
    summary = _json(folder / "summary.json")
    if not summary:
        return "Not known: there is no `summary.json` beside the model."
    splits = {name: one for name, one in summary.items() if isinstance(one, dict) and "images" in one}
    classes = sorted({label for one in splits.values() for label in one.get("classes", {})})
    text = _table(
        ("split", "images", "objects", *classes),
        [
            (name, one["images"], one.get("objects"), *(one.get("classes", {}).get(key, 0) for key in classes))
            for name, one in splits.items()
        ],
    )
    ledger = _rows(folder / "ledger.csv")
    counts = Counter(row.get("kind") or row.get("why") or "" for row in ledger)
    text += f"\n\nThe ledger has {len(ledger)} rows of what was left out or changed."
    if counts:
        text += "\n\n" + _table(("in the ledger", "rows"), counts.most_common())
    return text


def _parameters(path: Path) -> str:
    try:
        return f"```yaml\n{path.read_text(encoding='utf-8').rstrip()}\n```"
    except (OSError, ValueError):
        return "Not known: there is no `params.yaml` above the model."


def _hashes(model: Path, data: Path) -> str:
    files = [
        model / "weights.npz",
        model / "model.json",
        *(data / "dataset" / f"{split}.zip" for split in SPLITS),
        data.parent / "params.yaml",
    ]
    return _table(("file", "SHA-256"), [(path.name, sha256(path)) for path in files if path.is_file()])


def _licence(data: Path) -> str:
    found = metadata.metadata("humbleyolo")
    text = f"humbleyolo: {found['License-Expression']}."
    fonts = data / "fonts" / "LICENSE.txt"
    if fonts.is_file():
        text += " Drawn with fonts that have a licence of their own (`data/fonts/LICENSE.txt`)."
    return f"{text} Nothing is known here of other rights in the images."


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def _number(value: object) -> str:
    return "none" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _interval(ends: tuple[str, str] | None) -> str:
    if ends is None or not all(ends):
        return ""
    return " to ".join(f"{float(end):.4g}" for end in ends)


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(names[:20])
    return few if len(names) <= 20 else f"{few} and {len(names) - 20} more classes"


def _bytes(path: Path) -> int:
    return sum(one.stat().st_size for one in [path, *path.rglob("*")] if one.is_file())


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, ValueError, csv.Error):
        return []
