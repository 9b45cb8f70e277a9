"""The environment of a `dvc` that runs in another project, as in a clone."""

import os
import sys
from pathlib import Path


def dvc_environment() -> dict[str, str]:
    """Return this process's environment without what DVC tells its stages, this Python's programs first."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    return environment
