"""The watch for a parent that died: a stage whose DVC was killed ends too, and never works beside the next one."""

import os
import threading
import time

import psutil

_SHELLS = {"sh", "ash", "bash", "dash", "fish", "ksh", "zsh"}  # DVC starts a stage through the user's
_LOOK_S = 0.2

WATCH = "parent-watch"
"""The name of the thread that looks. It holds no lock that a fork could take along."""


def end_with_parents() -> None:
    """Have this process end at once when the one that started it ends, or a shell between the two does.

    It looks five times a second. The kernel's own way (`PR_SET_PDEATHSIG`) is Linux' alone, does not reach past a
    shell, and takes the end of a thread for that of its process. A second call does nothing.
    """
    if any(thread.name == WATCH for thread in threading.enumerate()):
        return
    threading.Thread(target=_watch, args=(_parents(),), name=WATCH, daemon=True).start()


def _watch(parents: dict[psutil.Process, int | None]) -> None:
    while all(_parent_of(process) == parent for process, parent in parents.items()):
        time.sleep(_LOOK_S)
    os._exit(1)


def _parents() -> dict[psutil.Process, int | None]:
    """Return process -> id of its parent, from this process up to the first whose parent is no shell."""
    process: psutil.Process | None = psutil.Process()
    parents = {}
    while process and (process.pid == os.getpid() or _name_of(process) in _SHELLS):
        parents[process] = _parent_of(process)
        process = process.parent()
    return parents


def _name_of(process: psutil.Process) -> str | None:
    try:
        return str(process.name())
    except psutil.Error:  # gone, or the system does not tell
        return None


def _parent_of(process: psutil.Process) -> int | None:
    try:
        return int(process.ppid())
    except psutil.Error:
        return None
