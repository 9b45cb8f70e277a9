"""The environment of a run, on which its bits depend: versions, system, processor, threads."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from humbleyolo.errors import UserError
from humbleyolo.pipeline.changed_dependencies import STARTED_NS
from humbleyolo.process.terminal import tell
from humbleyolo.process.versions import LIBRARY_VARIABLES, PACKAGES, processor_facts
from humbleyolo.process.workers import available_cores
from humbleyolo.storage.atomic import make_folder
from humbleyolo.storage.hashes import dvc_digest
from humbleyolo.storage.json import write_json

RECORDS = Path(".humbleyolo/environment")
"""Folder of the records, one file per stage; no output, and not in git."""

NO_MATTER = frozenset({"cores"})
"""Names that decide no bytes: the number of threads is a parameter."""


def describe_environment() -> dict[str, str]:
    """Return the environment of this process, name -> value.

    It holds versions of Python and packages, the system, the processor, and the cores that this process may use.
    Each variable that has libraries compute otherwise is there; so are threads and GPUs of a loaded TensorFlow.
    """
    processor = processor_facts()
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor.get("model name") or platform.processor() or "unknown",
        "features": " ".join(sorted((processor.get("flags") or processor.get("Features") or "").split())),
        "cores": str(available_cores()),
        **_tensorflow(),
        **{name: value for name, value in sorted(os.environ.items()) if name.startswith(LIBRARY_VARIABLES)},
    }


def record_environment(stage: str, out: Path, root: Path, beside: Sequence[Path] = ()) -> None:
    """Write the environment of a stage into `RECORDS`; print a warning if that cannot be done.

    The record names the outputs by their hashes. So it is never taken for that of results from a cache, or from
    another commit.

    Args:
        stage: Name of the stage.
        out: The folder that it wrote into, from `root`. What was there before this process is another stage's.
        root: The project's folder.
        beside: Files that it wrote elsewhere, from `root`.
    """
    try:
        made = [path for path in sorted((root / out).iterdir()) if path.stat().st_mtime_ns >= STARTED_NS]
        paths = [*(out / path.name for path in made), *beside]
        outputs = {path.as_posix(): dvc_digest(root / path, root) for path in paths}
        record = {"environment": describe_environment(), "outputs": outputs}
        write_json(make_folder(root / RECORDS) / f"{stage}.json", record)
    except (UserError, OSError, metadata.PackageNotFoundError) as error:
        tell(f"warning: {error}; `humbleyolo verify` will not know what {stage} ran with", to=sys.stderr)


def recorded_environment(stage: str, output: str, digest: str | None, root: Path) -> dict[str, str] | None:
    """Return the environment in which a stage made an output; None if no run here is known to have made its bytes.

    Args:
        stage: Name of the stage.
        output: The output, from `root`.
        digest: Hash of the output.
        root: The project's folder.
    """
    try:
        record = json.loads((root / RECORDS / f"{stage}.json").read_text(encoding="utf-8"))
        made, environment = record["outputs"][output], record["environment"]
        known = made == digest and all(isinstance(value, str) for value in environment.values())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return environment if known else None


def _tensorflow() -> dict[str, str]:
    """Return TensorFlow's threads and GPUs; nothing if this process has not loaded it, which takes seconds."""
    tf = sys.modules.get("tensorflow")
    if tf is None:
        return {}
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {
        "intra_op_threads": str(tf.config.threading.get_intra_op_parallelism_threads()),
        "inter_op_threads": str(tf.config.threading.get_inter_op_parallelism_threads()),
        "gpus": ", ".join(gpus) or "none",
    }
