"""What was edited while a stage ran.

DVC looks at parameters, sources and inputs when a stage has ended, and would record those of the next try as what was
run. So a stage looks too, and does not end well where they are no longer what it began with.
"""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

STARTED_NS = time.time_ns()
"""When this process began, or soon after: `stages` imports this first."""

_PARAMS, _PIPELINE = Path("params.yaml"), Path("dvc.yaml")

Stamps = dict[str, tuple[int, int]]  # a file -> when it was changed last, and its size


@dataclass(frozen=True)
class Before:
    """What a stage began with.

    Attributes:
        params: The bytes of params.yaml; None where there is none.
        inputs: Files that people edit.
    """

    params: bytes | None
    inputs: Stamps


def look(inputs: list[str]) -> Before:
    """Return what a stage begins with.

    Args:
        inputs: Files, or folders with all that is in them, that people edit.
    """
    return Before(_read(_PARAMS), _stamps(inputs))


def edited(before: Before, stage: str, inputs: list[str]) -> list[str]:
    """Return what DVC would record otherwise than it was run.

    Args:
        before: What the stage began with.
        stage: Its name in dvc.yaml.
        inputs: As `look` was given.
    """
    after = _stamps(inputs)
    changed = sorted(
        name for name in before.inputs.keys() | after.keys() if before.inputs.get(name) != after.get(name)
    )
    return [*_sections(before.params, _read(_PARAMS), stage), *sorted(_sources()), *changed]


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _stamps(paths: list[str]) -> Stamps:
    files = [Path(path) for path in paths if Path(path).is_file()]
    for path in paths:
        for folder, _, names in os.walk(path):
            files += [Path(folder) / name for name in names]
    found = {}
    for file in files:
        try:
            status = file.stat()
        except OSError:  # gone, or a link to nothing
            continue
        found[file.as_posix()] = (status.st_mtime_ns, status.st_size)
    return found


def _sources() -> Iterator[str]:
    """Yield the project's modules in use that were changed after this process began."""
    root = Path.cwd()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not file or not Path(file).is_relative_to(root):
            continue
        name = Path(file).relative_to(root)
        if name.parts[0] not in ("src", "stages"):
            continue
        try:
            late = Path(file).stat().st_mtime_ns > STARTED_NS
        except OSError:  # removed
            late = True
        if late:
            yield name.as_posix()


def _sections(before: bytes | None, after: bytes | None, stage: str) -> Iterator[str]:
    """Yield the sections of params.yaml that the stage depends on and that are not what they were."""
    if before == after:
        return
    yaml = YAML(typ="safe", pure=True)
    try:
        old, new = (yaml.load(text or b"") for text in (before, after))
        names = yaml.load(_PIPELINE.read_bytes())["stages"][stage]["params"]
        yield from (f"{_PARAMS}: {name}" for name in names if old.get(name) != new.get(name))
    except (YAMLError, OSError, ValueError, LookupError, TypeError, AttributeError):
        yield str(_PARAMS)
