"""The versions of this package and of the libraries that decide bytes, compared between machines."""

import hashlib
import os
import platform
import re
import zlib
from functools import cache
from importlib import metadata
from pathlib import Path

from PIL import features

PACKAGES = ("tensorflow", "keras", "numpy", "pillow", "pandas", "hotcoco", "jinja2", "fonttools", "dvc")
"""The packages whose versions a run records."""

# Not all of TF_: Terraform's begin with it too, and hold secrets.
LIBRARY_VARIABLES = (
    "DNNL_", "KERAS_", "MKL_", "NPY_", "NVIDIA_TF32_", "OMP_", "ONEDNN_", "OPENBLAS_", "TF_CUDNN_",
    "TF_DETERMINISTIC_", "TF_DISABLE_", "TF_ENABLE_", "TF_GPU_", "TF_NUM_", "TF_SET_", "TF_USE_", "TF_XLA_", "XLA_",
)  # fmt: skip
"""Beginnings of environment variables that choose other code or threads in the libraries that compute."""

COMPUTING = frozenset({"machine", "variables"})
"""Names in `describe_installation` of what matters only where shards are computed."""

_INSIDE_PILLOW = ("libjpeg_turbo", "freetype2", "raqm", "harfbuzz", "fribidi", "webp", "zlib_ng", "libtiff")
# This package sets them, and each worker's nanny the numbers of threads, which `train` and `evaluate` set anew.
_SET_ANYHOW = re.compile(r"KERAS_BACKEND|KERAS_HOME|TF_ENABLE_ONEDNN_OPTS|\w+_NUM_THREADS")
_ELSEWHERE = ("dask", "distributed", "cloudpickle", "msgpack")  # what machines speak with each other by
_ROOT = Path(__file__).resolve().parents[1]
_CPUINFO = Path("/proc/cpuinfo")
_NUMERIC = re.compile(r"avx\w*|fma\w*|amx\w*|sse\w*|asimd\w*|sve\w*|neon|bf16")  # instructions that compute floats


@cache
def describe_installation() -> dict[str, str]:
    """Return name -> version of this process; `humbleyolo` is its number and a hash of its code.

    Pillow's own libraries are there, of which its version says nothing; so are machine and variables.
    """
    found = {"humbleyolo": f"{_version('humbleyolo')}, code {code_hash()}"}
    found |= {"python": ".".join(platform.python_version_tuple()[:2]), "zlib": zlib.ZLIB_RUNTIME_VERSION}
    found |= {name: _version(name) for name in (*PACKAGES, *_ELSEWHERE)}
    found |= {f"pillow's {name}": features.version(name) or "none" for name in _INSIDE_PILLOW}
    variables = {name: value for name, value in os.environ.items() if name.startswith(LIBRARY_VARIABLES)}
    told = [f"{name}={value}" for name, value in sorted(variables.items()) if not _SET_ANYHOW.fullmatch(name)]
    return found | {"machine": platform.machine(), "variables": " ".join(told) or "none"}


@cache
def code_hash() -> str:
    """Return eight hex digits of the hash of every Python file of this package."""
    digest = hashlib.sha256()
    for path in sorted(_ROOT.rglob("*.py")):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


@cache
def numeric_instructions() -> str:
    """Return the sorted instruction sets of this processor that compute floats; its type where none are told."""
    facts = processor_facts()
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    return " ".join(sorted(filter(_NUMERIC.fullmatch, flags))) or platform.machine()


def processor_facts() -> dict[str, str]:
    """Return facts of the first core, from Linux; nothing elsewhere."""
    try:
        first = _CPUINFO.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"
