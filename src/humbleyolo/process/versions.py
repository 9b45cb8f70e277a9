"""The versions of this package and of the libraries that decide bytes, compared between machines."""

import hashlib
import platform
import re
import zlib
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "pillow", "pandas", "hotcoco", "jinja2", "fonttools", "dvc")
"""The packages whose versions a run records."""

_ELSEWHERE = ("dask", "distributed", "cloudpickle", "msgpack")  # what machines speak with each other by
_ROOT = Path(__file__).resolve().parents[1]
_CPUINFO = Path("/proc/cpuinfo")
_NUMERIC = re.compile(r"avx\w*|fma\w*|amx\w*|sse\w*|asimd\w*|sve\w*|neon|bf16")  # instructions that compute floats


@cache
def describe_installation() -> dict[str, str]:
    """Return name -> version of this process; `humbleyolo` is its number and a hash of its code."""
    found = {"humbleyolo": f"{_version('humbleyolo')}, code {code_hash()}"}
    found |= {"python": ".".join(platform.python_version_tuple()[:2]), "zlib": zlib.ZLIB_RUNTIME_VERSION}
    return found | {name: _version(name) for name in (*PACKAGES, *_ELSEWHERE)}


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
