"""Processes of a training on a cluster, as Dask's workers start them: without TensorFlow, which they import anew.

TensorFlow takes its place among others only before it has computed. A worker may have, so that each member is a
process of its own, and ends with the worker.
"""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from typing import Any

from humbleyolo.errors import UserError
from humbleyolo.process.cluster_address import VARIABLE
from humbleyolo.process.shard_runner import is_unwanted, sent_folder

_CODE = (  # the worker may die while this imports
    "from humbleyolo.process.parent_watch import end_with_parents; end_with_parents(); "
    "from humbleyolo.training.member import serve; serve()"
)

READY = "ready"
"""The word before its port, in the line by which a member says that it waits for the others."""

_LOOK_S = 0.2

_ready: dict[str, tuple[int, Any]] = {}  # port and standard input of a member, by its training's key

Task = dict[str, Any]
"""Arguments of a member, in JSON: sections of params.yaml, `splits`, its `place`, a `key`."""


def take_port() -> socket.socket:
    """Return a socket with a port of this machine that nobody else gets until it is closed."""
    taken = socket.socket()
    taken.bind(("", 0))
    return taken


def visible_gpu() -> str:
    """Return this machine and the number of the GPU that a member takes here, if there is one: the first visible."""
    return f"{platform.node()}, GPU {os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',')[0] or '0'}"


def port_of_ready(key: str) -> int | None:
    """Return the port of the member of a training that this worker runs, once it waits for the others; else None.

    `key` is the training's.
    """
    return _ready[key][0] if key in _ready else None


def connect_member(key: str, addresses: list[str]) -> None:
    """Have the member that this worker runs connect with those at `addresses`, which are all ready."""
    _, standard_input = _ready[key]
    standard_input.write(json.dumps(addresses) + "\n")
    standard_input.flush()


def run_member(task: Task) -> None:
    """Run a member until the training ends, or nobody wants it, and remove the files that were sent for it.

    Relative paths of splits are among those.

    Raises:
        UserError: With the last line that it said, if it ends otherwise.
    """
    folder = sent_folder(task["key"])
    try:
        _run_member(task, [str(folder / path) for path in task["splits"]])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_member(task: Task, splits: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in (VARIABLE, "TF_CONFIG")}
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        member = subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-c", _CODE], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=errors, text=True,
        )  # fmt: skip
        with member as running:
            with suppress(BrokenPipeError):  # it has ended; its last line says why
                if running.stdin:
                    running.stdin.write(json.dumps({**task, "splits": splits}) + "\n")
                    running.stdin.flush()
            listener = threading.Thread(target=_listen, args=(running, task["key"]))
            listener.start()
            # Where TensorFlow waits for a leader that is gone, the member itself can look at nothing.
            while running.poll() is None:
                if is_unwanted():
                    running.kill()
                with suppress(subprocess.TimeoutExpired):
                    running.wait(_LOOK_S)
            listener.join()
            with suppress(BrokenPipeError):
                if running.stdin:
                    running.stdin.close()
        _ready.pop(task["key"], None)
        errors.seek(0)
        if member.returncode:
            said = errors.read().strip().splitlines() or [f"it ended with {member.returncode}"]
            raise UserError(said[-1].removeprefix("error: "))


def _listen(member: Any, key: str) -> None:
    """Note that a member is ready, and its port, once it says so."""
    word, _, port = member.stdout.readline().strip().partition(" ")
    if word == READY:
        _ready[key] = int(port), member.stdin
