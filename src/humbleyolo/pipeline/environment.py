"""What a run's bits depend on besides its parameters, data and code: versions, system, processor, threads."""

import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from humbleyolo.errors import UserError
from humbleyolo.process.workers import available_cores
from humbleyolo.storage.atomic import atomic_write, make_folder
from humbleyolo.storage.hashes import digest_of

PACKAGES = ("tensorflow", "keras", "numpy", "pillow", "pandas", "hotcoco", "jinja2", "fonttools", "dvc")

RECORDS = Path(".humbleyolo/environment")
"""Where each stage leaves what it ran with, a file a stage; no output, and not in git."""

NO_MATTER = frozenset({"cores"})
"""What is told, but decides no bytes: the number of threads is a parameter."""

_CPUINFO = Path("/proc/cpuinfo")

# Beginnings of environment variables that choose other code or threads in the libraries that compute. Not all of TF_:
# Terraform's begin with it too, and hold secrets.
_VARIABLES = (
    "DNNL_", "KERAS_", "MKL_", "NPY_", "NVIDIA_TF32_", "OMP_", "ONEDNN_", "OPENBLAS_", "TF_CUDNN_",
    "TF_DETERMINISTIC_", "TF_DISABLE_", "TF_ENABLE_", "TF_GPU_", "TF_NUM_", "TF_SET_", "TF_USE_", "TF_XLA_", "XLA_",
)  # fmt: skip


def describe_environment() -> dict[str, str]:
    """Return what this process computes with, by name.

    That is the versions of Python and of the packages that compute, the system, the processor, the cores that this
    process may use, and each variable that has the libraries compute otherwise. Where TensorFlow is loaded, its
    threads and graphics cards too.
    """
    processor = _processor()
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor.get("model name") or platform.processor() or "unknown",
        "features": " ".join(sorted((processor.get("flags") or processor.get("Features") or "").split())),
        "cores": str(available_cores()),
        **_tensorflow(),
        **{name: value for name, value in sorted(os.environ.items()) if name.startswith(_VARIABLES)},
    }


def record_environment(stage: str, out: Path, root: Path) -> None:
    """Write what a stage ran with beside the project's outputs, without being one of them.

    The record names the outputs by their hashes, so that it is never taken for that of others: results that came
    from a cache, or with another commit. Where it cannot be written, a warning says so: the results are made.

    Args:
        stage: Which.
        out: The folder that it wrote into, from `root`.
        root: Of the project.
    """
    try:
        outputs = {(out / path.name).as_posix(): digest_of(path) for path in sorted((root / out).iterdir())}
        record = {"environment": describe_environment(), "outputs": outputs}
        with atomic_write(make_folder(root / RECORDS) / f"{stage}.json") as file:
            file.write((json.dumps(record, indent=2) + "\n").encode())
    except (UserError, OSError, metadata.PackageNotFoundError) as error:
        print(f"warning: {error}; `humbleyolo verify` will not know what {stage} ran with", file=sys.stderr)


def recorded_environment(stage: str, output: str, digest: str | None, root: Path) -> dict[str, str] | None:
    """Return what a stage ran with when it made an output.

    Args:
        stage: Which.
        output: The output, from `root`.
        digest: Its hash.
        root: Of the project.

    Returns:
        As `describe_environment`; None where no run here is known to have made these bytes.
    """
    try:
        record = json.loads((root / RECORDS / f"{stage}.json").read_text(encoding="utf-8"))
        made, environment = record["outputs"][output], record["environment"]
        known = made == digest and all(isinstance(value, str) for value in environment.values())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return environment if known else None


def _tensorflow() -> dict[str, str]:
    """Return what TensorFlow computes with; nothing where this process has not loaded it, which takes seconds."""
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


def _processor() -> dict[str, str]:
    """Return what Linux tells of the first core; nothing elsewhere."""
    try:
        first = _CPUINFO.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
