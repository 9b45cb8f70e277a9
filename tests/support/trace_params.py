"""Run a stage, and log which sections of the parameters it asks for and which values it reads by name.

Run by `traced.py` in a project's folder as `python trace_params.py stages.<name> <arguments>`; READS_LOG is the log.
"""

import os
import runpy
import sys
from pathlib import Path

sys.path[0] = str(Path.cwd())  # as `python -m` has it
import stages  # noqa: E402, F401 - puts the project's own `src` first
from humbleyolo.params import loader, sections  # noqa: E402

LOG = os.open(os.environ["READS_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)  # the workers' too
SEEN: set[str] = set()


def note(line: str) -> None:
    if line not in SEEN:
        SEEN.add(line)
        os.write(LOG, f"{line}\n".encode())


def places(section: type, key: str = "") -> dict[type, str]:
    """Return the key of each kind of section; each is used once."""
    found = {section: key}
    for name, value in section.model_fields.items():
        if isinstance(value.annotation, type) and issubclass(value.annotation, sections.Section):
            inside = places(value.annotation, f"{key}.{name}".removeprefix("."))
            assert not inside.keys() & found.keys()
            found |= inside
    return found


PLACES = places(sections.Params)


def read(self, name):
    if type(self) in PLACES and name in type(self).model_fields:
        note(f"leaf {PLACES[type(self)]}.{name}".replace(" .", " "))
    return object.__getattribute__(self, name)


def load(path: Path, *sections: str, **more):
    for name in sections:
        note(f"section {name}")
    return load_params(path, *sections, **more)


sections.Section.__getattribute__ = read
load_params, loader.load_params = loader.load_params, load
module, sys.argv = sys.argv[1], sys.argv[1:]
runpy.run_module(module, run_name="__main__", alter_sys=True)
