"""The committed results, built anew from nothing in a clone of their own, and compared hash by hash."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from humbleyolo.errors import UserError
from humbleyolo.pipeline.environment import NO_MATTER, recorded_environment
from humbleyolo.storage.hashes import digest_of

TOLERANCE = {"ap": 0.03, "ap50": 0.01, "ap75": 0.03, "ar100": 0.03, "mean_iou": 0.03}
"""How much the metrics may differ where processor or versions do: about what another seed makes."""

_METRICS = "metrics.json"
_PARAMS = "params.yaml"

_Differing = dict[str, list[str]]  # stage -> its outputs with other hashes


def verify(root: Path | None = None) -> int:
    """Rebuild the last commit in a temporary clone, print what differs, and return the exit code.

    Args:
        root: A folder of the project; None: the one in which this runs.

    Returns:
        0 where every hash is the committed one, or where the environment is another and the metrics are within
        `TOLERANCE`; else 1.

    Raises:
        UserError: Where there is nothing to compare with, or the chain does not run.
    """
    root = Path(_git(root or Path.cwd(), "rev-parse", "--show-toplevel").strip())
    committed = _read_lock(_git(root, "show", "HEAD:dvc.lock"), "HEAD:dvc.lock")
    if _git(root, "status", "--porcelain"):
        print("the working tree has changes; what is verified is the last commit, without them")
    with tempfile.TemporaryDirectory(prefix="humbleyolo-verify-") as folder:
        clone = Path(folder) / "clone"
        _git(root, "clone", "--quiet", "--no-hardlinks", str(root), str(clone))
        _check_sources(committed, clone)
        inputs = _bring_inputs(root, clone)
        _rebuild(clone)
        built = _read_lock((clone / "dvc.lock").read_text(encoding="utf-8"), "dvc.lock")
        differ = _compare(committed, built, inputs)
        if not differ:
            outs = sum(len(stage["outs"]) for stage in built.values())
            print(f"all {outs} outputs of {len(built)} stages have the committed hashes")
            return 0
        _tell(differ, committed, root, clone)
        return _judge(differ, committed, built, root, clone)


def _read_lock(text: str, name: str) -> dict[str, Any]:
    """Return stage -> `deps` and `outs`, each path -> hash, `params`, section -> values, and `cmd`.

    Raises:
        UserError: Where it is no `dvc.lock`.
    """
    try:
        stages = _parse(text, name)["stages"]
        return {
            stage: {
                "cmd": content.get("cmd"),
                "params": content.get("params", {}).get(_PARAMS, {}),
                **{
                    kind: {entry["path"]: entry.get("md5") for entry in content.get(kind, [])}
                    for kind in ("deps", "outs")
                },
            }
            for stage, content in stages.items()
        }
    except (TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{name}: is not what `dvc repro` writes ({error}); run it and commit it") from None


def _parse(text: str, name: str) -> Any:
    """Read YAML.

    Raises:
        UserError: Where it is none, as with the marks of a merge that was not finished.
    """
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        raise UserError(f"HEAD:{name.removeprefix('HEAD:')}: is no YAML ({error})") from None


def _params(clone: Path) -> Any:
    return _parse((clone / _PARAMS).read_text(encoding="utf-8"), _PARAMS)


def _bring_inputs(root: Path, clone: Path) -> str:
    """Copy the labelled folder that git does not keep, where the clone lacks it, and return what it is called.

    Raises:
        UserError: Where it is in neither.
    """
    try:
        inputs = str(_params(clone)["dataset"]["inputs"])
    except (TypeError, KeyError) as error:
        raise UserError(
            f"HEAD:{_PARAMS}: has no dataset.inputs ({error}); `humbleyolo params` says more"
        ) from None
    source, target = root / inputs, clone / inputs
    if target.exists():
        return inputs
    if not source.exists():
        raise UserError(
            f"{inputs}: is neither in the last commit nor here; to build anew takes what was built from: put it "
            "there, or `dvc pull` it where DVC keeps it"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    return inputs


def _rebuild(clone: Path) -> None:
    """Run the chain without DVC's caches, with this environment's programs.

    Raises:
        UserError: Where it does not run.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    # What the clone's own settings and the user's say of caches and remotes does not matter here.
    command = [sys.executable, "-m", "dvc", "repro", "--force", "--no-run-cache"]
    _run([sys.executable, "-m", "dvc", "cache", "dir", "--local", ".dvc/cache"], clone, environment)
    if subprocess.run(command, cwd=clone, env=environment, check=False).returncode:  # noqa: S603 - DVC
        raise UserError("the chain does not run in a clone of the last commit; DVC says why above")


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603 - DVC


def _compare(committed: dict[str, Any], built: dict[str, Any], inputs: str) -> _Differing:
    """Return the outputs of each stage that have another hash, in the order of the chain.

    Raises:
        UserError: Where the committed hashes are of other stages or inputs.
    """
    if gone := sorted(committed.keys() - built.keys()):
        raise UserError(
            f"HEAD:dvc.lock: has stage {gone[0]}, which dvc.yaml has not; run `dvc repro` and commit dvc.lock"
        )
    differ: _Differing = {}
    for stage, content in built.items():
        before = committed.get(stage)
        if before is None:
            raise UserError(f"HEAD:dvc.lock: has no stage {stage}; run `dvc repro` and commit dvc.lock")
        if before.get("cmd") != content.get("cmd"):
            raise _of_another(f"dvc.yaml (cmd of {stage})")
        for path, digest in content["deps"].items():
            made_here = any(path in other["outs"] for other in built.values())
            if not made_here and before["deps"].get(path) != digest:
                if path == inputs:
                    raise UserError(
                        f"{inputs}: is not here what the last commit was made from; `dvc checkout` or `dvc pull` "
                        "brings that where DVC keeps it; else run `dvc repro` and commit dvc.lock"
                    )
                raise _of_another(path)
        paths = [path for path, digest in content["outs"].items() if before["outs"].get(path) != digest]
        if paths:
            differ[stage] = paths
    return differ


def _check_sources(committed: dict[str, Any], clone: Path) -> None:
    """Compare what git keeps, before minutes are spent on a `dvc.lock` of something else.

    Raises:
        UserError: Where a file, a folder or a section of the parameters is not what `dvc.lock` says.
    """
    params = _params(clone)
    for content in committed.values():
        for path, digest in content["deps"].items():
            if (clone / path).exists() and digest_of(clone / path) != digest:
                raise _of_another(path)
        for section, values in content["params"].items():
            if params.get(section) != values:
                raise _of_another(f"{_PARAMS} ({section})")


def _of_another(path: str) -> UserError:
    return UserError(
        f"HEAD:dvc.lock: is of another {path} than the last commit has; run `dvc repro` and commit dvc.lock"
    )


def _tell(differ: _Differing, committed: dict[str, Any], root: Path, clone: Path) -> None:
    """Print each output that differs, and how much, where the committed one lies in the working tree."""
    for stage, paths in differ.items():
        for path in paths:
            lies, digest = root / path, committed[stage]["outs"].get(path)
            there = lies.exists() and digest_of(lies) == digest
            print(f"{stage}: {path}: {_how_much(lies if there else None, clone / path)}")


def _how_much(committed: Path | None, built: Path) -> str:
    """Return how far two files are apart, in the terms of their kind."""
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
    """Yield each file of two folders that is not the same in both, and how far the two are apart."""
    inside = {path.relative_to(folder) for folder in (committed, built) for path in folder.rglob("*")}
    for name in sorted(inside):
        old, new = committed / name, built / name
        if not (old.exists() and new.exists()):
            yield f"{name.as_posix()} is in the {'committed' if old.exists() else 'new'} one alone"
        elif new.is_file() and old.read_bytes() != new.read_bytes():
            yield f"{name.as_posix()} {_how_much(old, new)}"


def _farthest(one: Any, other: Any) -> float:
    """Return the largest difference of two arrays; infinite where their shapes differ."""
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max(initial=0.0))


def _judge(
    differ: _Differing, committed: dict[str, Any], built: dict[str, Any], root: Path, clone: Path
) -> int:
    """Print what each stage that differs ran with, there and here, and the metrics; return the exit code."""
    at_fault = []
    for stage, paths in differ.items():
        if follows := [path for path in built[stage]["deps"] if any(path in of for of in differ.values())]:
            more = f" and {len(follows) - 1} more" if follows[1:] else ""
            print(f"{stage}: differs since its inputs do: {follows[0]}{more}")
        elif _same_environment(stage, paths[0], committed[stage]["outs"].get(paths[0]), root, clone):
            at_fault.append(stage)
    if at_fault:
        return 1
    metrics = next((path for paths in differ.values() for path in paths if path.endswith(_METRICS)), None)
    if metrics is None:
        print("the metrics are the committed ones")
        return 0
    old = json.loads(_git(root, "show", f"HEAD:{metrics}"))
    new = json.loads((clone / metrics).read_text(encoding="utf-8"))
    within = [_within(name, old.get(name), new.get(name)) for name in TOLERANCE]
    return 0 if all(within) else 1


def _same_environment(stage: str, path: str, digest: str | None, root: Path, clone: Path) -> bool:
    """Print how what made a committed output differs from what made it here, and return whether nothing does."""
    there = recorded_environment(stage, path, digest, root)
    here = recorded_environment(stage, path, digest_of(clone / path), clone)
    if there is None or here is None:
        print(f"{stage}: no run in this folder made the committed bytes, so what made them is not known")
        return False
    others = [name for name in sorted(here.keys() | there.keys()) if here.get(name) != there.get(name)]
    same = set(others) <= NO_MATTER
    print(
        f"{stage}: its environment is the same, so the bytes should be: see docs/reproducibility.md"
        if same
        else f"{stage}: ran in another environment, where bytes may differ, and the metrics decide"
    )
    for name in others:
        old, new = _short(there.get(name), here.get(name)), _short(here.get(name), there.get(name))
        print(f"  {name}: made with {old}; here {new}")
    return same


def _within(name: str, old: float | None, new: float | None) -> bool:
    """Print a metric of both, and return whether it is within the tolerance."""
    allowed = TOLERANCE[name]
    within = old is new if old is None or new is None else abs(old - new) <= allowed
    word = "within" if within else "beyond"
    print(
        f"  {name}: committed {old}, here {new}: {word} the {allowed} that another processor or version may differ by"
    )
    return within


def _short(text: str | None, other: str | None) -> str:
    """Return a value as it is; of a long list, what the other has not."""
    if text is None:
        return "none"
    words = text.split()
    if len(words) < 20:
        return text
    missing = [word for word in words if word not in (other or "").split()]
    return f"{len(words)}, of which the other has not {' '.join(missing) or 'none'}"


def _git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it printed.

    Raises:
        UserError: Where git refuses, with its words.
    """
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - git
    except FileNotFoundError:
        raise UserError("git is not there; install it") from None
    if done.returncode:
        raise UserError(
            f"git {arguments[0]}: {done.stderr.strip()}; run this in a clone with a committed dvc.lock"
        )
    return done.stdout
