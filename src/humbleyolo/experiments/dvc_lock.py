"""Hashes in `dvc.lock`: read, and compared with sources and with another run's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.pipeline.changed_dependencies import value_at
from humbleyolo.storage.hashes import dvc_digest

PARAMS = "params.yaml"
_CODE = ("src/", "stages/")  # where code lies, in `deps`
_FIX = "run `dvc repro` and commit dvc.lock"

Stages = dict[str, dict[str, Any]]
"""Stages by name, with `deps` and `outs` (path -> hash), `params` (section or dotted key -> values) and `cmd`."""


def read_lock(text: str, name: str) -> Stages:
    """Return the stages of a `dvc.lock`.

    Raises:
        UserError: If it is no `dvc.lock`.
    """
    try:
        stages = _parse(text, name)["stages"]
        return {
            stage: {
                "cmd": content.get("cmd"),
                "params": content.get("params", {}).get(PARAMS, {}),
                "deps": {entry["path"]: entry.get("md5") for entry in content.get("deps", [])},
                "outs": {entry["path"]: entry.get("md5") for entry in content.get("outs", [])},
            }
            for stage, content in stages.items()
        }
    except (TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{name}: is not what `dvc repro` writes ({error}); run it and commit it") from None


def read_params(clone: Path) -> Any:
    """Return the values of the parameter file, unchecked.

    Raises:
        UserError: If it is not YAML, as with the marks of a merge that was not finished.
    """
    return _parse((clone / PARAMS).read_text(encoding="utf-8"), f"HEAD:{PARAMS}")


def check_sources(committed: Stages, clone: Path) -> None:
    """Compare the sources that git keeps with `dvc.lock`, before minutes are spent on another's.

    Raises:
        UserError: If a file, a folder or a section of the parameters is not what `dvc.lock` says.
    """
    params = read_params(clone)
    for content in committed.values():
        for path, digest in content["deps"].items():
            if (clone / path).exists() and dvc_digest(clone / path, clone) != digest:
                raise _of_another(path)
        for key, value in content["params"].items():
            if value_at(params, key) != value:
                raise _of_another(f"{PARAMS} ({key})")


def require_data_of_params(project: Path) -> None:
    """Refuse encoded data that was made from another folder, split, seed or input than `params.yaml` now says.

    Files of that folder that were changed, added or removed since then count too. Without a `dvc.lock` nothing is
    known of the data, and nothing is refused.

    Raises:
        ProblemsError: With each value and folder that differs, and what to run.
        UserError: If `dvc.lock` is none, or a file cannot be read.
    """
    lock = project / "dvc.lock"
    if not lock.is_file():
        return
    stages, params = read_lock(lock.read_text(encoding="utf-8"), "dvc.lock"), read_params(project)
    problems = [
        f"{PARAMS}: {key} is {now}, the data was made with {before}"
        for stage, section in (("generate", "seed"), ("generate", "dataset"), ("encode", "encode"))
        if stage in stages
        for key, now, before in _differences(section, value_at(params, section), stages[stage]["params"].get(section))
    ]
    made = stages.get("generate", {"outs": {}})["outs"]
    encoded = stages.get("encode", {"deps": {}})["deps"]
    problems += [
        f"{path} was made anew since it was encoded" for path in made if encoded.get(path, made[path]) != made[path]
    ]
    read = [path for path in stages.get("generate", {"deps": {}})["deps"] if not path.startswith(_CODE)]
    problems += [f"{path} changed since it was read" for path in _changed(project, stages, "generate", "deps", read)]
    for stage in ("generate", "encode"):
        kept = list(stages.get(stage, {"outs": {}})["outs"])
        problems += [f"{path} is of another run" for path in _changed(project, stages, stage, "outs", kept)]
    if problems:
        raise ProblemsError("the data is not up to date; run `dvc repro encode`", problems)


def _changed(project: Path, stages: Stages, stage: str, part: str, paths: list[str]) -> Iterator[str]:
    """Yield the paths whose files there have other hashes than `dvc.lock` has for them."""
    for path in paths:
        if (project / path).exists() and dvc_digest(project / path, project) != stages[stage][part][path]:
            yield path


def _differences(key: str, now: Any, before: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted key of each value that differs, and both values; None for one that is not there."""
    if isinstance(now, dict) and isinstance(before, dict):
        for name in now | before:
            yield from _differences(f"{key}.{name}", now.get(name), before.get(name))
    elif now != before:
        yield key, now, before


def differing_outputs(committed: Stages, built: Stages, inputs: str) -> dict[str, list[str]]:
    """Return the outputs of each stage that have another hash, in the order of the chain.

    Raises:
        UserError: If the committed hashes are of other stages or inputs.
    """
    if gone := sorted(committed.keys() - built.keys()):
        raise UserError(f"HEAD:dvc.lock: has stage {gone[0]}, which dvc.yaml has not; {_FIX}")
    differ: dict[str, list[str]] = {}
    for stage, content in built.items():
        before = committed.get(stage)
        if before is None:
            raise UserError(f"HEAD:dvc.lock: has no stage {stage}; {_FIX}")
        if before.get("cmd") != content.get("cmd"):
            raise _of_another(f"dvc.yaml (cmd of {stage})")
        for path, digest in content["deps"].items():
            made_here = any(path in other["outs"] for other in built.values())
            if not made_here and before["deps"].get(path) != digest:
                if path == inputs:
                    raise UserError(
                        f"{inputs}: is not here what the last commit was made from; `dvc checkout` or `dvc pull` "
                        f"brings that where DVC keeps it; else {_FIX}"
                    )
                raise _of_another(path)
        paths = [path for path, digest in content["outs"].items() if before["outs"].get(path) != digest]
        if paths:
            differ[stage] = paths
    return differ


def _parse(text: str, name: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        raise UserError(f"{name}: is no YAML ({' '.join(str(error).split())})") from None


def _of_another(path: str) -> UserError:
    return UserError(f"HEAD:dvc.lock: is of another {path} than the last commit has; {_FIX}")
