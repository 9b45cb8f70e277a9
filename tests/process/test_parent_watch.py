"""A process ends with the one that started it, or with a shell between the two."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from repository import ROOT

from humbleyolo.process.parent_watch import _SHELLS, _name_of, _parent_of, _parents

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
STAGE = "import os, time; from humbleyolo.process.parent_watch import end_with_parents; end_with_parents(); "
STAGE += "print(os.getpid(), flush=True); time.sleep(600)"


def ended(pid: int, within_s: float = 120) -> bool:
    """Tell whether a process is gone (or waits for a parent to take note) before so much time is over."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux' list of processes")
@pytest.mark.parametrize("shell", [False, True])
def test_it_ends_with_what_started_it(shell: bool) -> None:
    inner = f"[{sys.executable!r}, '-c', {STAGE!r}]"
    if shell:  # `;` keeps the shell: it does not become the command
        inner = f"['sh', '-c', {sys.executable!r} + ' -c \"$STAGE\"; true']"
    code = f"import subprocess; subprocess.run({inner})"
    starter = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT | {"STAGE": STAGE}
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert not ended(pid, 0.5)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    try:
        assert ended(pid)
    finally:
        if not ended(pid, 0.1):
            os.kill(pid, signal.SIGKILL)


def test_the_way_up_ends_at_the_first_that_is_no_shell() -> None:
    own, *shells = _parents().items()
    assert own == (psutil.Process(), os.getppid())
    for (shell, _), (_, parent) in zip(shells, [own, *shells], strict=False):
        assert (shell.pid, shell.name() in _SHELLS) == (parent, True)


def test_a_process_that_is_gone_has_no_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        assert _parent_of(process) == os.getpid()
    assert _parent_of(process) is None
    assert _name_of(process) is None
