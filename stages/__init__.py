"""The stages of `dvc.yaml`, each started as `python -m stages.<name> <inputs> <outputs>`.

The `src` beside this folder comes first on the path, before any installed `humbleyolo`: a queued or temporary
experiment runs the code that it was started with. A stage can be stopped while it still imports.
"""

import signal
import sys

STARTED = sys.argv[0] == "-m"
"""True if Python is about to run a stage, and no other program imports this package."""

if STARTED and hasattr(signal, "pthread_sigmask"):  # Windows has none
    # They wait for `begin_stage`.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

from pathlib import Path  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

if STARTED:
    from humbleyolo.pipeline.stage import begin_stage  # notes when this process began, too

    begin_stage()
