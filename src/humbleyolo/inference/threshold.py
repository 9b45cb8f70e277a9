"""The score from which on a detection is shown, where nobody says."""

import json
from pathlib import Path

from humbleyolo.inference.model import THRESHOLD


def best_threshold(model: Path) -> tuple[float, str]:
    """Return a threshold for the model in a folder, and where it comes from.

    The stage `evaluate` writes the best one on val into `evaluation/metrics.json` beside the model's folder.
    """
    path = model.parent / "evaluation" / "metrics.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))["threshold"]
    except FileNotFoundError:
        return THRESHOLD, f"the default, since there is no {path}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return THRESHOLD, f"the default, since {path} says none"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return THRESHOLD, f"the default, since {path} says none"
    return float(value), f"the best on val, from {path}"
