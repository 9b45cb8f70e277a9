"""A stage whose DVC was killed ends too, so that the next `dvc repro` does not work beside it."""

import os
import threading
import time
from pathlib import Path

_SHELLS = {"sh", "ash", "bash", "dash", "fish", "ksh", "zsh"}  # DVC starts a stage through the user's
_LOOK_S = 0.2

WATCH = "orphan-watch"
"""The name of the thread that looks. It holds no lock that a fork could take along."""


def end_with_parents() -> None:
    """Have this process end at once when the one that started it ends, or a shell between the two does.

    It looks five times a second. The kernel could tell (`PR_SET_PDEATHSIG`), but not on every system, not past a
    shell, and it takes the end of a thread for that of its process. A second call does nothing.
    """
    if any(thread.name == WATCH for thread in threading.enumerate()):
        return
    links = _links()
    threading.Thread(target=_watch, args=(links,), name=WATCH, daemon=True).start()


def _watch(links: dict[int, int]) -> None:
    own = os.getpid()
    while all((os.getppid() if pid == own else _parent_of(pid)) == parent for pid, parent in links.items()):
        time.sleep(_LOOK_S)
    os._exit(1)


def _links() -> dict[int, int]:
    """Return process -> parent, from this process up to the first that is no shell."""
    links = {os.getpid(): os.getppid()}
    above = os.getppid()
    while _name_of(above) in _SHELLS and (parent := _parent_of(above)):
        links[above] = parent
        above = parent
    return links


def _name_of(pid: int) -> str | None:
    """Return the name of a process; None where the system does not tell."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _parent_of(pid: int) -> int | None:
    """Return the parent of a process; None where there is none, or the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(status.rpartition(")")[2].split()[1])  # the name before may hold spaces and brackets
