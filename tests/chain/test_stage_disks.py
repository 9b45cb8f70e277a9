"""Every stage on a disk that is full, read-only or another's: told in words, and nothing half-written counts."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT
from small_disk import SmallDisk, small_disk
from tiny_project import TINY

import stages.train
from humbleyolo.errors import UserError
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Params
from humbleyolo.training.loop import Trained, train_network
from stages.encode import encode
from stages.evaluate import evaluate
from stages.generate import generate
from stages.render import render
from stages.train import train

FOLDERS = {"generate": "dataset", "encode": "grid", "train": "model", "evaluate": "evaluation", "render": "render"}
STAGES = list(FOLDERS)
WORK = {  # which must not have been started by then; `train` counts its own
    "generate": "humbleyolo.synthetic.drawn_split.draw_splits",
    "encode": "humbleyolo.dataset.encoding.map_in_order",
}
LAST = {
    "generate": "preview.png", "encode": "report.json", "train": "model.json", "evaluate": "metrics.json",
    "render": "report.html",
}  # fmt: skip
GROWTH = {"generate": 1.25, "encode": 1.25, "train": 1.5, "evaluate": 2, "render": 2}  # of the disk, try by try
NOBODY = 65534

pytestmark = pytest.mark.slow


class Chain:
    """The outputs of each stage below one folder, which anybody may read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sections = load_params(ROOT / "params.yaml", *Params.model_fields)
        self.params: dict[str, Any] = dict(zip(Params.model_fields, sections, strict=True))
        for key, value in TINY.items():
            section, _, way = key.partition(".")
            self.params[section] = with_value(self.params[section], way, value)
        evaluating = self.params["evaluate"]
        self.params["evaluate"] = evaluating.model_copy(update={"resamples": 2})
        self.trained: list[Trained] = []
        self.trainings = 0

    def run(self, stage: str, out: Path) -> None:
        """Run a stage on the outputs of those before it, into `out`."""
        of, made = self.params, {name: self.folder / folder for name, folder in FOLDERS.items()}

        def train_once(*arguments: Any) -> Trained:
            self.trainings += 1
            if not self.trained:
                self.trained.append(train_network(*arguments))
            return self.trained[0]

        runs: dict[str, Callable[[], Any]] = {
            "generate": lambda: generate(of["seed"], of["dataset"], ROOT / "data/fonts", out),
            "encode": lambda: encode(of["encode"], "one", made["generate"], out),
            "train": lambda: train(
                of["seed"], of["runtime"], of["model"], of["loss"], of["train"],
                made["encode"] / "train", made["encode"] / "val", out,
            ),
            "evaluate": lambda: evaluate(
                of["evaluate"], False, made["train"], made["encode"], made["generate"], out
            ),
            "render": lambda: render(
                of, made["generate"], made["encode"], made["train"], made["evaluate"], out
            ),
        }  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stages.train, "train_network", train_once)  # what matters here comes before and after
            runs[stage]()


def with_value(section: Any, way: str, value: Any) -> Any:
    """Return a section with one value changed."""
    name, _, rest = way.partition(".")
    if rest:
        return section.model_copy(update={name: with_value(getattr(section, name), rest, value)})
    changed = {**section.model_dump(), name: value}
    return type(section).model_validate(changed)


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with tempfile.TemporaryDirectory() as folder:
        made = Chain(Path(folder))
        made.folder.chmod(0o755)
        for stage in STAGES:
            made.run(stage, made.folder / FOLDERS[stage])
        yield made


def contents(folder: Path) -> dict[str, bytes]:
    """Return a stage's files by name; the selection of boxes in the model's folder is the evaluation's."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != "selection.json"]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_is_told_and_leaves_nothing_half_written(stage: str, chain: Chain) -> None:
    whole = contents(chain.folder / FOLDERS[stage])
    pages, failed = 1, set()
    with small_disk(size="4k") as disk:
        while True:
            disk.remount(f"size={4 * pages}k")
            try:
                chain.run(stage, disk.path)
            except UserError as error:
                said = str(error)
            else:
                break
            full = (
                r"/\S+: cannot be written: the disk is full; free some space|: the work needs .* are free on its .*"
            )
            assert re.fullmatch(rf"{disk.path}({full})", said)
            failed.add(said.split(": ")[0].rpartition("/")[2])
            found = contents(disk.path)
            assert found.items() <= whole.items(), said  # each is whole, from this run
            assert LAST[stage] not in found
            pages = max(pages + 1, int(pages * GROWTH[stage]))
            assert pages < 10_000, said
        assert contents(disk.path) == whole
    assert failed


@contextmanager
def read_only(disk: SmallDisk) -> Iterator[str]:
    disk.remount("ro")
    yield "the disk is read-only"


@contextmanager
def of_somebody_else(disk: SmallDisk) -> Iterator[str]:
    """Have this process be a user who may not write there."""
    disk.path.chmod(0o755)
    os.seteuid(NOBODY)
    try:
        yield "no permission to write there"
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("closed", [read_only, of_somebody_else])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_cannot_be_written_is_told(
    there: bool, stage: str, closed: Callable[[SmallDisk], Any], chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError

    with small_disk() as disk:
        out = disk.path / "out"
        if there:
            (out / "train" if stage == "encode" else out).mkdir(parents=True)
        trainings = chain.trainings
        if stage in WORK:
            monkeypatch.setattr(WORK[stage], work)
        with closed(disk) as why, pytest.raises(UserError) as caught:
            chain.run(stage, out)
        assert chain.trainings == trainings
        said = str(caught.value)
        assert re.fullmatch(rf"{out}\S*: cannot be written: {why}", said)
        assert contents(disk.path) == {}
