"""What a run's bits depend on besides its parameters, data and code: the versions, the system and the processor."""

import json
import os
import platform
from importlib import metadata
from pathlib import Path

from humbleyolo.files import atomic_write, make_folder

PACKAGES = ("tensorflow", "keras", "numpy", "pillow", "pandas", "dvc")

RECORDS = Path(".humbleyolo/environment")
"""Where each stage leaves what it ran with, a file a stage; no output, and not in git."""

_CPUINFO = Path("/proc/cpuinfo")


def describe_environment() -> dict[str, str]:
    """Return the versions of Python and of the packages that compute, the system, and the processor."""
    processor = _processor()
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor.get("model name") or platform.processor() or "unknown",
        "features": " ".join(sorted((processor.get("flags") or processor.get("Features") or "").split())),
        "cores": str(os.cpu_count()),
    }


def record_environment(stage: str, root: Path) -> None:
    """Write what a stage ran with beside the project's outputs, without being one of them.

    Raises:
        UserError: Where it cannot be written.
    """
    with atomic_write(make_folder(root / RECORDS) / f"{stage}.json") as file:
        file.write((json.dumps(describe_environment(), indent=2) + "\n").encode())


def _processor() -> dict[str, str]:
    """Return what Linux tells of the first core; nothing elsewhere."""
    try:
        first = _CPUINFO.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
