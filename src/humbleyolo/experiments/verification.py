"""The committed results, built anew in a clone of their own and compared hash by hash."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from humbleyolo.errors import UserError
from humbleyolo.experiments.dvc_environment import dvc_environment
from humbleyolo.experiments.dvc_lock import PARAMS, Stages, check_sources, differing_outputs, read_lock, read_params
from humbleyolo.experiments.output_differences import how_much
from humbleyolo.pipeline.environment import NO_MATTER, recorded_environment
from humbleyolo.process.git import git
from humbleyolo.process.terminal import first_few, tell
from humbleyolo.storage.hashes import dvc_digest

TOLERANCE = {"ap": 0.03, "ap50": 0.01, "ap75": 0.03, "ar100": 0.03, "mean_iou": 0.03}
"""Largest differences of metrics between processors or versions: about those that another seed makes."""

_METRICS = "metrics.json"

_Differing = dict[str, list[str]]  # stage -> its outputs with other hashes


def verify(root: Path | None = None) -> int:
    """Rebuild the last commit of a project (None: the current folder's) in a clone, and print what differs.

    Returns:
        Exit code: 0 if every hash is the committed one, or if the environment is another and the metrics are
        within `TOLERANCE`; else 1.

    Raises:
        UserError: If there is nothing to compare with, or the chain does not run.
    """
    root = root or Path.cwd()
    try:
        top, inside = (git(root, "rev-parse", f"--show-{what}").strip() for what in ("toplevel", "prefix"))
        while inside and not (root / "dvc.yaml").is_file():  # from a folder of the project, such as docs
            root, inside = root.parent, str(Path(inside).parent).removeprefix(".")
        lock = git(root, "show", "HEAD:./dvc.lock")
    except UserError as error:
        *before, last = error.lines
        raise UserError(*before, f"{last}; run this in a clone with a committed dvc.lock") from None
    committed = read_lock(lock, "HEAD:dvc.lock")
    if git(root, "status", "--porcelain", "."):
        tell("the working tree has changes; what is verified is the last commit, without them")
    with tempfile.TemporaryDirectory(prefix="humbleyolo-verify-") as folder:
        git(root, "clone", "--quiet", "--no-hardlinks", top, f"{folder}/clone")
        clone = Path(folder) / "clone" / inside
        check_sources(committed, clone)
        inputs = _bring_inputs(root, clone)
        _rebuild(clone)
        built = read_lock((clone / "dvc.lock").read_text(encoding="utf-8"), "dvc.lock")
        differ = differing_outputs(committed, built, inputs)
        if not differ:
            outs = sum(len(stage["outs"]) for stage in built.values())
            tell(f"all {outs} outputs of {len(built)} stages have the committed hashes")
            return 0
        _tell(differ, committed, root, clone)
        return _judge(differ, committed, built, root, clone)


def _bring_inputs(root: Path, clone: Path) -> str:
    """Copy the labelled folder that git does not keep into the clone, if it lacks it, and return its name.

    Raises:
        UserError: If it is in neither.
    """
    try:
        inputs = str(read_params(clone)["dataset"]["inputs"])
    except (TypeError, KeyError) as error:
        raise UserError(f"HEAD:{PARAMS}: has no dataset.inputs ({error}); `humbleyolo params` says more") from None
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
        UserError: If it does not run.
    """
    environment = dvc_environment()
    # What the clone's own settings and the user's say of caches and remotes does not matter here.
    command = [sys.executable, "-m", "dvc", "repro", "--force", "--no-run-cache"]
    local = [sys.executable, "-m", "dvc", "cache", "dir", "--local", ".dvc/cache"]
    subprocess.run(local, cwd=clone, env=environment, check=True, capture_output=True)  # noqa: S603 - DVC
    if subprocess.run(command, cwd=clone, env=environment, check=False).returncode:  # noqa: S603 - DVC
        raise UserError("the chain does not run in a clone of the last commit; DVC says why above")


def _tell(differ: _Differing, committed: Stages, root: Path, clone: Path) -> None:
    """Print each output that differs, and by how much if the committed one lies in the working tree."""
    for stage, paths in differ.items():
        for path in paths:
            lies, digest = root / path, committed[stage]["outs"].get(path)
            there = lies.exists() and dvc_digest(lies, root) == digest
            tell(f"{stage}: {path}: {how_much(lies if there else None, clone / path)}")


def _judge(differ: _Differing, committed: Stages, built: Stages, root: Path, clone: Path) -> int:
    """Print the environments of each stage that differs, and the metrics; return the exit code."""
    at_fault = []
    for stage, paths in differ.items():
        if follows := [path for path in built[stage]["deps"] if any(path in of for of in differ.values())]:
            tell(f"{stage}: differs since its inputs do: {first_few(follows, 1)}")
        elif _same_environment(stage, paths[0], committed[stage]["outs"].get(paths[0]), root, clone):
            at_fault.append(stage)
    if at_fault:
        return 1
    metrics = next((path for paths in differ.values() for path in paths if path.endswith(_METRICS)), None)
    if metrics is None:
        tell("the metrics are the committed ones")
        return 0
    old = json.loads(git(root, "show", f"HEAD:./{metrics}"))
    new = json.loads((clone / metrics).read_text(encoding="utf-8"))
    within = [_within(name, old.get(name), new.get(name)) for name in TOLERANCE]
    return 0 if all(within) else 1


def _same_environment(stage: str, path: str, digest: str | None, root: Path, clone: Path) -> bool:
    """Print how the environments that made an output there and here differ; return True if they do not."""
    there = recorded_environment(stage, path, digest, root)
    here = recorded_environment(stage, path, dvc_digest(clone / path, clone), clone)
    if there is None or here is None:
        tell(f"{stage}: no run in this folder made the committed bytes, so what made them is not known")
        return False
    others = [name for name in sorted(here.keys() | there.keys()) if here.get(name) != there.get(name)]
    same = set(others) <= NO_MATTER
    tell(
        f"{stage}: its environment is the same, so the bytes should be: see docs/reproducibility.md"
        if same
        else f"{stage}: ran in another environment, where bytes may differ, and the metrics decide"
    )
    for name in others:
        old, new = _short(there.get(name), here.get(name)), _short(here.get(name), there.get(name))
        tell(f"  {name}: made with {old}; here {new}")
    return same


def _within(name: str, old: float | None, new: float | None) -> bool:
    """Print a metric of both, and return True if it is within the tolerance."""
    allowed = TOLERANCE[name]
    within = old is new if old is None or new is None else abs(old - new) <= allowed
    word = "within" if within else "beyond"
    tell(
        f"  {name}: committed {old}, here {new}: {word} the {allowed} that another processor or version may differ by"
    )
    return within


def _short(text: str | None, other: str | None) -> str:
    """Return a value as it is; of a long list, the words that the other lacks."""
    if text is None:
        return "none"
    words = text.split()
    if len(words) < 20:
        return text
    missing = [word for word in words if word not in (other or "").split()]
    return f"{len(words)}, of which the other has not {' '.join(missing) or 'none'}"
