"""A copy of this project, with its own git and DVC and parameters that train in seconds."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from repository import ROOT
from ruamel.yaml import YAML

from humbleyolo.params.overlay import lay_over

RECORDED = ("dvc.lock", "data/evaluation/metrics.json", "data/evaluation/headline.json")  # of a run

TINY = {
    "dataset.synthetic.images": {"train": 8, "val": 4, "test": 4},
    "encode.finer": [2],
    "model.width": 0.25,
    "train.epochs": 1,
    "train.batch": 4,
    "train.warmup_epochs": 0.0,
    "render.images": 4,
}


# As `TINY`, for `examples/bccd.yaml` and the folder of `label_images`.
TINY_LABELLED = {
    "encode.height": 48,
    "encode.width": 64,
    "encode.rows": 3,
    "encode.cols": 4,
    "encode.finer": [2],
    "model.width": 0.25,
    "train.epochs": 1,
    "train.batch": 4,
    "train.warmup_epochs": 0.0,
    "render.images": 4,
}


def label_images(folder: Path, count: int = 12) -> Path:
    """Make a folder of photographs of 64 x 48 pixels as LabelImg labels them, with lists of the splits."""
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for number in range(count):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 256, (48, 64, 3), np.uint8)
        left, top = (int(value) for value in rng.integers(2, 24, 2))
        pixels[top : top + 16, left : left + 20] = 255
        Image.fromarray(pixels).save(folder / f"JPEGImages/{number}.jpg")
        corners = {"xmin": left, "ymin": top, "xmax": left + 20, "ymax": top + 16}
        box = "".join(f"<{name}>{value}</{name}>" for name, value in corners.items())
        name = ("RBC", "WBC")[number % 2]
        (folder / f"Annotations/{number}.xml").write_text(
            f"<annotation><filename>{number}.jpg</filename>\n"
            "<size><width>64</width><height>48</height><depth>3</depth></size>\n"
            f"<object><name>{name}</name><bndbox>{box}</bndbox></object></annotation>\n"
        )
        lists[("train", "train", "val", "test")[number % 4]].append(f"{number}\n")
    for split, names in lists.items():
        (folder / f"ImageSets/Main/{split}.txt").write_text("".join(names))
    return folder


def lay_example(name: str, file: Path) -> None:
    """Lay an example over a parameter file."""
    example = (ROOT / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
    text, _ = lay_over(file.read_text(encoding="utf-8"), "params.yaml", example, name)
    file.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Ran:
    """What DVC said that it did with each stage."""

    run: list[str]
    restored: list[str]
    skipped: list[str]


class Project:
    """The copy at `path`. Its commands run under others, such as `env` and `taskset`, where some are given."""

    def __init__(self, path: Path, under: Sequence[str] = ()) -> None:
        self.path, self.under = path, under

    @classmethod
    def create(cls, path: Path) -> "Project":
        """Copy every file of the project that git does not ignore, without what DVC recorded of its runs."""
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if name not in RECORDED and (ROOT / name).is_file():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, path / name)
        project = cls(path)
        project.git("init", "--quiet")
        project.git("config", "user.name", "Test")
        project.git("config", "user.email", "test@example.org")
        for key, value in TINY.items():
            project.set(key, value)
        project.commit("Make it tiny")
        return project

    def copy(self, path: Path) -> "Project":
        """Return an independent copy, outputs and cache included."""
        shutil.copytree(self.path, path, symlinks=True)
        return Project(path)

    def commit(self, message: str) -> None:
        """Commit all that git does not ignore."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def git(self, *arguments: str) -> str:
        """Run git and return what it printed."""
        return self.command("git", *arguments, check=True).stdout

    def dvc(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run DVC as `uv run dvc` does."""
        return self.command("dvc", *arguments, check=check)

    def command(self, *command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command with this environment's programs first, as `uv run` does."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
        environment |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
        }
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            [*self.under, *command],
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            encoding="utf-8",
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def repro(self, *stages: str) -> Ran:
        """Run the chain, or some stages and what they need, and return what DVC said."""
        said = self.dvc("repro", *stages).stdout
        return Ran(
            re.findall(r"^Running stage '(\w+)':", said, re.MULTILINE),
            re.findall(r"^Stage '(\w+)' is cached - skipping run", said, re.MULTILINE),
            re.findall(r"^Stage '(\w+)' didn't change, skipping", said, re.MULTILINE),
        )

    def set(self, key: str, value: Any) -> None:
        """Change one parameter; comments and order stay."""
        yaml = YAML()
        document = yaml.load(self.path / "params.yaml")
        *way, last = key.split(".")
        section = document
        for part in way:
            section = section[part]
        assert last in section
        section[last] = value
        yaml.dump(document, self.path / "params.yaml")

    def lay_over(self, example: str) -> None:
        """Give the parameters the values of an example, as `humbleyolo params --from` does."""
        lay_example(example, self.path / "params.yaml")

    def edit(self, name: str, change: Any) -> None:
        """Replace a text file by `change(text)`."""
        file = self.path / name
        file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")

    def outputs(self) -> dict[str, bytes]:
        """Return every file that a stage wrote."""
        return {
            file.relative_to(self.path).as_posix(): file.read_bytes()
            for file in sorted((self.path / "data").rglob("*"))
            if file.is_file() and "fonts" not in file.parts and "labelled" not in file.parts
        }
