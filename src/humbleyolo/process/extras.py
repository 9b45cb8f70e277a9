"""The extras of this package: how to install the packages that some commands need besides."""

import shlex
from importlib import metadata


def how_to_install(extra: str) -> str:
    """Return the command that installs an extra in a clone, and the one that installs its packages elsewhere."""
    try:
        listed = metadata.requires("humbleyolo") or []
    except metadata.PackageNotFoundError:  # the code of a clone, in an environment without it
        listed = []
    packages = [one.partition(";")[0].strip() for one in listed if f"extra == {extra!r}" in one.replace('"', "'")]
    inside = f"`uv sync --extra {extra}`"
    return f"{inside}, outside a clone with `pip install {shlex.join(sorted(packages))}`" if packages else inside
