"""Compare a run's metrics with the committed ones: `compare_metrics.py <committed> <new>`.

On one class of processor they are equal to the byte. Elsewhere sums are rounded otherwise, and training takes another
way. Its result may then differ as much as with another seed.
"""

import json
import sys
from pathlib import Path
from typing import Any

TOLERANCE = {"images": 0, "objects": 0, "ap": 0.03, "ap50": 0.01, "ap75": 0.03, "ar100": 0.03, "mean_iou": 0.03}


def differences(committed: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return one line per metric that differs by more than is allowed."""
    return [
        f"{name}: {new[name]}, committed {committed[name]}; allowed: {allowed or 'nothing'} more or less"
        for name, allowed in TOLERANCE.items()
        if not _close(committed[name], new[name], allowed)
    ]


def _close(one: float | None, other: float | None, allowed: float) -> bool:
    if one is None or other is None:  # a metric that does not exist
        return one is other
    return abs(one - other) <= allowed


def main() -> None:
    """Compare two files; exit with 1 if they differ by more than is allowed."""
    committed, new = (json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:3])
    found = differences(committed, new)
    for name in TOLERANCE:
        print(f"{name:>10}  committed {committed[name]}  now {new[name]}")
    if found:
        sys.exit("error: the metrics are not those committed\n  " + "\n  ".join(found))
    print("the metrics are within the tolerance")


if __name__ == "__main__":
    main()
