"""Dependencies that changed since a stage started.

DVC hashes parameters, code and inputs when a stage has ended, and would record those of the next try as what was run.
So a stage compares them itself, and fails if they changed meanwhile.
"""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from humbleyolo.storage.dvc_files import dvc_files

STARTED_NS = time.time_ns()
"""The time at which this process began, or soon after: `stages` imports this first."""

_PARAMS, _PIPELINE = Path("params.yaml"), Path("dvc.yaml")
_CODE = ("src", "stages")

Stamps = dict[str, tuple[int, int]]  # file -> time of its last change, nanoseconds, and its size, bytes


@dataclass(frozen=True)
class Snapshot:
    """Parameters and inputs of a stage as it started.

    Attributes:
        params: The bytes of params.yaml; None if there is none.
        inputs: Stamps of the files that people edit.
    """

    params: bytes | None
    inputs: Stamps


def take_snapshot(inputs: list[str]) -> Snapshot:
    """Return parameters and inputs as they are now.

    Args:
        inputs: Files that people edit, or folders with all in them that DVC sees.

    Raises:
        UserError: If a `.dvcignore` has a line that is no pattern.
    """
    return Snapshot(_read(_PARAMS), _stamps(inputs))


def find_changes(before: Snapshot, stage: str, inputs: list[str]) -> list[str]:
    """Return the sections, files of code and inputs that changed since a stage started.

    Code counts if dvc.yaml lists it, or a folder that it lies in, used or not: DVC hashes whole folders.

    Args:
        before: The snapshot of the start.
        stage: Name of the stage in dvc.yaml.
        inputs: As `take_snapshot` was given.
    """
    params, after, code = _read(_PARAMS), _stamps(inputs), sorted(_late_code())
    names = before.inputs.keys() | after.keys()
    changed = sorted(name for name in names if before.inputs.get(name) != after.get(name))
    if params == before.params and not code:
        return changed
    yaml = YAML(typ="safe", pure=True)
    try:
        entry = yaml.load(_PIPELINE.read_bytes())["stages"][stage]
        rooms = tuple(Path(dep) for dep in entry["deps"])
        code = [name for name in code if any(Path(name).is_relative_to(room) for room in rooms)]
        sections = list(_changed_sections(yaml, before.params, params, entry["params"]))
    except (YAMLError, OSError, ValueError, LookupError, TypeError, AttributeError):
        sections = [str(_PARAMS)] if params != before.params else []
    return [*sections, *code, *changed]


def _changed_sections(yaml: Any, before: bytes | None, after: bytes | None, names: list[str]) -> Iterator[str]:
    old, new = (yaml.load(text or b"") for text in (before, after))
    yield from (f"{_PARAMS}: {name}" for name in names if value_at(old, name) != value_at(new, name))


def value_at(params: Any, key: str) -> Any:
    """Return the section, or the value at a dotted key, of the parameters; None if there is none.

    Raises:
        AttributeError: If the parameters are no mapping.
    """
    section, *rest = key.split(".")
    value = params.get(section)
    for part in rest:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _stamps(paths: list[str]) -> Stamps:
    files = [Path(path) for path in paths if Path(path).is_file()]
    for path in paths:
        files += dvc_files(Path(path), Path())
    found = {}
    for file in files:
        try:
            status = file.stat()
        except OSError:  # gone, or a link to nothing
            continue
        found[file.as_posix()] = (status.st_mtime_ns, status.st_size)
    return found


def _late_code() -> Iterator[str]:
    """Yield files of the project's code that changed after this process began, and modules in use that are gone."""
    for name, (changed_ns, _) in _stamps(list(_CODE)).items():
        if changed_ns > STARTED_NS and "__pycache__" not in name:
            yield name
    root = Path.cwd()
    folders = tuple(f"{root / folder}{os.sep}" for folder in _CODE)
    for module in list(sys.modules.values()):  # thousands, with TensorFlow: a path of each would take 0.1 s
        file = getattr(module, "__file__", None) or ""
        if file.startswith(folders) and not Path(file).exists():
            yield Path(file).relative_to(root).as_posix()
