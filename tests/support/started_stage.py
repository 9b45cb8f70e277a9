"""A stage started as DVC starts it, by itself, in a session of its own as a terminal would have it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from tiny_project import Project

from humbleyolo.storage.partial_files import finished_path


def definition(project: Project, stage: str) -> dict[str, Any]:
    """Return what `dvc.yaml` says of a stage."""
    found: dict[str, Any] = YAML(typ="safe").load(project.path / "dvc.yaml")["stages"][stage]
    return found


def arguments(project: Project, stage: str) -> list[str]:
    """Return the stage's own arguments."""
    return definition(project, stage)["cmd"].replace("${dataset.inputs}", "data/fonts").split()[3:]


class StartedStage:
    """A stage that runs, or has ended.

    Args:
        project: Where.
        stage: Its name.
        code: Python to run in its place; it finds the stage's arguments in `sys.argv[1:]`.
    """

    def __init__(self, project: Project, stage: str, code: str | None = None) -> None:
        program = ["-c", code] if code else ["-m", f"stages.{stage}"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
        environment.pop("PYTHONPATH", None)
        environment |= {"DVC_STAGE": stage, "DVC_NO_ANALYTICS": "1"}
        self.stage = stage
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments(project, stage)], cwd=project.path, env=environment,
            start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, while the stage runs."""
        until = time.monotonic() + 180
        while not condition():
            assert self.process.poll() is None, self.end()
            assert time.monotonic() < until
            time.sleep(0.005)

    def has_mapped(self, name: str) -> bool:
        """Tell whether a file or library of this name is mapped into the stage's memory."""
        try:
            return name in Path(f"/proc/{self.process.pid}/maps").read_text()
        except OSError:
            return False

    def session(self) -> list[int]:
        """Return the processes of the stage that are alive, itself among them."""
        alive = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    status = (folder / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(status[3]) == self.process.pid and status[0] != "Z":
                    alive.append(int(folder.name))
        return sorted(alive)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes, as a terminal does."""
        os.killpg(self.process.pid, number)

    def end(self) -> tuple[int, str]:
        """Wait until it has ended; return its exit code and what it said on standard error."""
        _, said = self.process.communicate(timeout=120)
        return self.process.returncode, said


def remove_outputs(project: Project, stage: str) -> None:
    """Remove the stage's outputs, as DVC does before it starts one."""
    for section in ("outs", "plots", "metrics"):
        for out in definition(project, stage).get(section, []):
            path = project.path / (out if isinstance(out, str) else next(iter(out)))
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def cached_outputs(project: Project, stage: str) -> dict[str, bytes]:
    """Return the outputs of a stage that DVC can put back."""
    paths = [project.path / out for out in definition(project, stage)["outs"]]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return {file.relative_to(project.path).as_posix(): file.read_bytes() for file in files if file.is_file()}


def left_half_written(project: Project) -> list[str]:
    """Return the unfinished files of writers that did not end well."""
    return [path.name for path in (project.path / "data").rglob(".*") if finished_path(path)]
