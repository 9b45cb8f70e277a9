"""The model card: facts of a model, for people who get nothing but its export.

Everything is read from the stages' outputs around the model; a missing output is said to be missing. The texts are in
`card.md`, a Jinja template.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.dataset.archived_split import ENDING
from humbleyolo.detection.backends.metadata import Metadata
from humbleyolo.export.parity import Parity
from humbleyolo.models.artifact import ModelInfo
from humbleyolo.storage.hashes import sha256_of


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder: of its files' names and contents, in order."""
    if not path.is_dir():
        return sha256_of(path)
    digest = hashlib.sha256()
    for one in sorted(inside for inside in path.rglob("*") if inside.is_file()):
        digest.update(f"{one.relative_to(path).as_posix()}\0{sha256_of(one)}\n".encode())
    return digest.hexdigest()


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
    archives = [path for split in SPLITS for path in sorted((data / "dataset" / split).glob(f"*{ENDING}"))]
    files = [model / "weights.npz", model / "model.json", *archives, data.parent / "params.yaml"]
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - Markdown
    environment.filters["row"] = _row
    return environment.from_string(
        resources.files("humbleyolo.export").joinpath("card.md").read_text("utf-8")
    ).render(
        name=name,
        info=info,
        facts=facts,
        parity=parity,
        export=export,
        sha256=_sha256,
        size=sum(one.stat().st_size for one in [export, *export.rglob("*")] if one.is_file()),
        params=_text(data.parent / "params.yaml").rstrip(),
        hashes=[(path.relative_to(data.parent).as_posix(), sha256_of(path)) for path in files if path.is_file()],
        licence=metadata.metadata("humbleyolo")["License-Expression"],
        fonts=(data / "fonts" / "LICENSE.txt").is_file(),
        **_metrics(data / "evaluation"),
        **_dataset(data / "dataset"),
    )


def _metrics(folder: Path) -> dict[str, Any]:
    metrics = _json(folder / "metrics.json")
    intervals = {row["metric"]: (row["low"], row["high"]) for row in _rows(folder / "intervals.csv")}
    flat = [(name, value) for name, value in metrics.items() if not isinstance(value, dict)]
    classes = metrics.get("per_class") or {}
    numbers = [
        (name, _number(value), *([_interval(*intervals.get(name, ("", "")))] if intervals else []))
        for name, value in flat
    ]
    columns = list(next(iter(classes.values()), ()))
    rows = [(name, *(_number(one.get(column)) for column in columns)) for name, one in classes.items()]
    tables = {"numbers": numbers, "classes": classes, "class_rows": rows}
    return {"metrics": metrics, "intervals": intervals, **tables}


def _dataset(folder: Path) -> dict[str, Any]:
    summary, ledger = _json(folder / "summary.json"), _rows(folder / "ledger.csv")
    splits = {name: one for name, one in summary.items() if isinstance(one, dict) and "images" in one}
    labels = sorted({label for one in splits.values() for label in one.get("classes", {})})
    rows = [
        (name, one["images"], one.get("objects"), *(one.get("classes", {}).get(label, 0) for label in labels))
        for name, one in splits.items()
    ]
    kinds = Counter(row.get("kind") or row.get("why") or "" for row in ledger).most_common()
    return {"splits": rows, "labels": labels, "ledger": ledger, "kinds": kinds}


def _row(cells: Iterable[object]) -> str:
    """Return a line of a Markdown table."""
    return "| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in cells) + " |"


def _number(value: object) -> str:
    return "none" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _interval(low: str, high: str) -> str:
    return f"{float(low):.4g} to {float(high):.4g}" if low and high else ""


def _text(path: Path) -> str:
    """Return the content of a file; empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(_text(path).splitlines()))
    except csv.Error:
        return []
