"""The sets of photographs: their lists and their layout."""

import resource
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from repository import ROOT
from ruamel.yaml import YAML

from benchmarks.photographs import PLAIN, RUNGS, divide, lay_out, watch
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import Ledger
from humbleyolo.labels.formats.registry import collect
from humbleyolo.labels.labelled_image import ReadOptions

XML = (
    "<annotation><filename>moved.jpg</filename><size><width>{width}</width><height>{height}</height></size><object>"
    "<name>queen</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox></object></annotation>"
)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Sets of 64 and 12 photographs for cards, 76 in all for boards."""
    for name in ("cards", "boards"):
        for split, count in (("train", 64), ("test", 12)):
            folder = tmp_path / name / "images" / split
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (64, 48), (number, 9, 9)).save(folder / f"{split}{number:02}.JPG")
                (folder / f"{split}{number:02}.xml").write_text(XML.format(width=64, height=48))
        (tmp_path / name / "images/train_labels.csv").write_text("filename,class\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "sizes"), [("cards", (56, 8, 12)), ("quarter", (14, 2, 12)), ("boards", (52, 8, 16))]
)
def test_a_set_is_divided_as_it_says(shared: Path, name: str, sizes: tuple[int, int, int]) -> None:
    lists = divide(name, shared / ("cards" if name == "quarter" else name))
    assert tuple(map(len, lists.values())) == sizes
    every = [path for some in lists.values() for path in some]
    assert len(set(every)) == len(every)
    if name == "boards":
        assert lists["test"] == sorted(every, key=lambda path: path.stem)[::5]
    else:
        assert {path.parent.name for path in lists["test"]} == {"test"}


@pytest.mark.parametrize("name", ["cards", "boards"])
def test_what_is_laid_out_is_read_with_every_box_and_list(shared: Path, tmp_path: Path, name: str) -> None:
    lay_out(name, shared, tmp_path / "out")
    ledger = Ledger("error")
    with open_source(tmp_path / "out") as source:
        labelled = collect(source, ReadOptions("voc"), ledger)
    assert not ledger.errors
    assert len(labelled.images) == 76
    assert all(len(image.boxes) == len(image.splits) == 1 for image in labelled.images)


def test_a_command_is_measured_with_those_below_it_and_by_itself(tmp_path: Path) -> None:
    use = "import sys; n = int(sys.argv[1]); b'x' * n; print('used')"
    below = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {use!r}, sys.argv[1]], check=True)"
    said, cpu, memory = watch([sys.executable, "-c", below, str(2**29)], tmp_path)
    assert said == "used\n"
    assert cpu > 0
    assert memory >= 0.5
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # may count for a process that it starts
    assert watch([sys.executable, "-c", below, "1"], tmp_path)[2] <= max(0.25, own + 0.1)  # not the most so far
    with pytest.raises(SystemExit, match=r"ValueError: .*\n[^$]*error: -c .* failed"):
        watch([sys.executable, "-c", "int('x')"], tmp_path)


def test_each_rung_adds_one_thing_and_the_last_is_the_recipe_itself() -> None:
    keys = [set(values) for values in RUNGS.values()]
    assert all(more > fewer for more, fewer in pairwise(keys))
    assert keys[-1] == set()
    written = YAML(typ="safe").load((ROOT / "examples/photographs.yaml").read_text())
    strengths = {f"train.augment.{name}" for name, value in written["train"]["augment"].items() if value}
    assert strengths - {"train.augment.flip"} == set(PLAIN)
