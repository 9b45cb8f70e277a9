"""Differences between two outputs of a stage, in the terms of their kind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


def how_much(committed: Path | None, built: Path) -> str:
    """Return the distance of two outputs as text, in the terms of their kind."""
    if committed is None:
        return "differs; `dvc pull` or `dvc checkout` brings the committed one, to tell by how much"
    if built.is_dir():
        return "; ".join(_differing_files(committed, built))
    if built.suffix == ".npz":
        with np.load(committed, allow_pickle=False) as one, np.load(built, allow_pickle=False) as other:
            if one.keys() != other.keys():
                return "differs: holds other arrays"
            far = {name: _farthest(one[name], other[name]) for name in one}
        name = max(far, key=far.__getitem__)
        return f"differs by {far[name]:.3g} at most, in {name}; {sum(map(bool, far.values()))} of {len(far)} arrays"
    if built.suffix == ".npy":
        one, other = (np.load(path, allow_pickle=False) for path in (committed, built))
        return f"differs by {_farthest(one, other):.3g} at most"
    old, new = committed.read_bytes(), built.read_bytes()
    if built.suffix in (".csv", ".json"):
        lines = old.splitlines(), new.splitlines()
        first = next(
            (row for row, pair in enumerate(zip(*lines, strict=False), 1) if pair[0] != pair[1]),
            min(map(len, lines)) + 1,
        )
        return f"differs from line {first} on"
    first = next((at for at, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), len(new))
    return f"differs from byte {first} on ({len(old)} and {len(new)} bytes)"


def _differing_files(committed: Path, built: Path) -> Iterator[str]:
    """Yield each file that two folders do not have alike, and the distance of the two."""
    inside = {path.relative_to(folder) for folder in (committed, built) for path in folder.rglob("*")}
    for name in sorted(inside):
        old, new = committed / name, built / name
        if not (old.exists() and new.exists()):
            yield f"{name.as_posix()} is in the {'committed' if old.exists() else 'new'} one alone"
        elif new.is_file() and old.read_bytes() != new.read_bytes():
            yield f"{name.as_posix()} {how_much(old, new)}"


def _farthest(one: Any, other: Any) -> float:
    """Return the largest difference of two arrays; infinite if their shapes differ."""
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max(initial=0.0))
