"""The stages of `dvc.yaml`, each started as `python -m stages.<name> <inputs> <outputs>`.

The `src` beside this folder comes first on the path, so that a queued or temporary experiment runs the code it
was started with, whatever copy of `humbleyolo` is installed.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))
