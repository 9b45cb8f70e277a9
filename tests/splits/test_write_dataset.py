"""The stage `generate` on labelled images."""

import csv
import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from repository import ROOT
from ruamel.yaml import YAML
from tiny_project import lay_example

from humbleyolo.dataset.archive import Archive
from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.dataset.encoding import encode_split
from humbleyolo.errors import UserError
from humbleyolo.geometry.grid import Grid
from humbleyolo.params.loader import load_params
from humbleyolo.pipeline.stage import run_stage
from humbleyolo.splits.write_dataset import write_splits
from stages.generate import main

BCCD = ROOT.parent / "shared/data/bccd"
FILES = ["ledger.csv", "preview.png", "summary.json", "test/all.zip", "train/all.zip", "val/all.zip"]


def write_params(folder: Path, split: dict[str, Any] | None = None, **changes: Any) -> None:
    """Write the project's parameters for a labelled folder, with `changes` to `dataset.labelled`."""
    yaml = YAML(typ="safe")
    values = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["dataset"]["source"] = "labelled"
    values["dataset"]["labelled"].update(changes)
    values["dataset"]["labelled"]["split"].update(split or {})
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(values, file)


def generate(folder: Path, inputs: Path, out: str = "out") -> subprocess.CompletedProcess[str]:
    """Run the stage, in this process; tests/stages/test_generate.py starts it as DVC does."""
    arguments, said, told, code = ["stages.generate", str(inputs), out], io.StringIO(), io.StringIO(), 0
    with chdir(folder), redirect_stdout(said), redirect_stderr(told), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", arguments)
        try:
            run_stage("generate", main, "", arguments[1:2])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(arguments, code, said.getvalue(), told.getvalue())


def labelled_folder(path: Path, images: int = 40) -> Path:
    """Pictures of different sizes, one of them turned by EXIF, with a CSV of one box each."""
    path.mkdir()
    lines = ["image,label,xmin,ymin,xmax,ymax,split,group"]
    for number in range(images):
        height, width = 20 + number % 3 * 10, 40
        pixels = np.random.default_rng(number).integers(0, 255, (height, width, 3), np.uint8)
        exif = Image.Exif()
        exif[0x0112] = 6 if number == 0 else 1
        Image.fromarray(pixels).save(path / f"{number:02}.jpg", quality=95, exif=exif)
        split = ("train", "train", "val", "test")[number % 4]
        lines.append(f"{number:02}.jpg,{('cat', 'dog')[number % 2]},1,2,11.5,12,{split},{number // 4}")
    (path / "labels.csv").write_text("\n".join(lines) + "\n")
    return path


def where(out: Path) -> dict[str, str]:
    """Return the split of each image."""
    found = {}
    for split in ("train", "val", "test"):
        with ArchivedSplit(out / split) as archive:
            found |= dict.fromkeys((record.file_name for record in archive), split)
    return found


def test_the_files_are_those_of_the_drawn_dataset(tmp_path: Path) -> None:
    source = labelled_folder(tmp_path / "mine")
    write_params(tmp_path, {"by": "lists"}, exif="displayed")
    done = generate(tmp_path, source)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("40 images taken into out in ")
    read_as = "read as csv: labels.csv has the columns image, label, xmin, ymin, xmax, ymax"
    small = "val and test are too small to judge a model: label more"
    assert done.stdout.endswith(f"{read_as}; train 20, val 10, test 10; {small}\n")
    out = tmp_path / "out"
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == FILES
    assert where(out)["02.jpg"] == "val"
    with ArchivedSplit(out / "train") as archive:
        assert archive.categories == ("cat", "dog")
        record = next(iter(archive))
    assert record.image_bytes == (source / "00.jpg").read_bytes()
    assert (record.height, record.width) == (40, 20)  # upright, as it is displayed
    assert record.boxes_ltwh.tolist() == [[1, 2, 10.5, 10]]
    summary = json.loads((out / "summary.json").read_text())
    assert {split: counts["images"] for split, counts in summary.items()} == {"train": 20, "val": 10, "test": 10}
    assert (out / "ledger.csv").read_text() == "file,where,what,why,done,kind,severity\n"


def test_the_bytes_are_the_same_again_and_from_an_archive(tmp_path: Path) -> None:
    source = labelled_folder(tmp_path / "mine")
    write_params(tmp_path, {"by": "hash"}, exif="displayed")
    with zipfile.ZipFile(tmp_path / "mine.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(source.iterdir(), reverse=True):
            file.write(path, f"exported/{path.name}")
    for inputs, out in ((source, "out"), (source, "again"), (tmp_path / "mine.zip", "zipped")):
        assert generate(tmp_path, inputs, out).returncode == 0
    for name in FILES:
        first = (tmp_path / "out" / name).read_bytes()
        assert (tmp_path / "again" / name).read_bytes() == first
        assert (tmp_path / "zipped" / name).read_bytes() == first
    before = where(tmp_path / "out")
    (source / "00.jpg").unlink()  # taking one away moves two others at most
    table = (source / "labels.csv").read_text()
    (source / "labels.csv").write_text("".join(line for line in table.splitlines(True) if "00.jpg" not in line))
    assert generate(tmp_path, source, "fewer").returncode == 0
    del before["00.jpg"]
    after = where(tmp_path / "fewer")
    assert after.keys() == before.keys()
    assert sum(after[name] != split for name, split in before.items()) <= 2


def test_groups_of_the_labels_stay_together(tmp_path: Path) -> None:
    source = labelled_folder(tmp_path / "mine")
    write_params(tmp_path, {"by": "group", "fractions": {"train": 0.4, "val": 0.3, "test": 0.3}}, exif="stored")
    done = generate(tmp_path, source)
    assert done.returncode == 0, done.stderr
    splits = where(tmp_path / "out")
    for group in range(10):
        assert len({splits[f"{number:02}.jpg"] for number in range(group * 4, group * 4 + 4)}) == 1


def test_every_mistake_is_told_before_anything_is_written(tmp_path: Path) -> None:
    source = labelled_folder(tmp_path / "mine")
    with (source / "labels.csv").open("a") as file:
        file.write("01.jpg,dog,5,5,5,9,,\nnone.jpg,cat,1,1,2,2,,\n")
    write_params(tmp_path, {"by": "hash"})
    done = generate(tmp_path, source)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {source}: 3 problems\n")
    assert "Traceback" not in done.stderr
    for said in ("labels.csv: line 42", "labels.csv: line 43", "EXIF orientation 6"):
        assert said in done.stderr
    assert not (tmp_path / "out").exists()

    write_params(tmp_path, {"by": "hash"}, on_problem="skip_box")
    done = generate(tmp_path, source)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("; 3 left out or changed, see ledger.csv\n")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/ledger.csv").read_text())))
    assert sorted(row["kind"] for row in rows) == ["exif-rotation", "image-missing", "zero-area"]
    assert {row["done"] for row in rows} <= {"image dropped", "box dropped", "line dropped"}
    assert len(where(tmp_path / "out")) == 39


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    write_params(tmp_path)
    done = generate(tmp_path, tmp_path / "none")
    assert done.returncode == 2
    assert f"dataset.inputs: '{tmp_path / 'none'}' does not exist" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_bccd_with_its_own_lists(tmp_path: Path) -> None:
    """The example, on the folder that it is made for."""
    if not BCCD.is_dir():
        pytest.skip("the BCCD folder is not here")
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    lay_example("bccd", tmp_path / "params.yaml")
    done = generate(tmp_path, BCCD)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    rows = list(csv.DictReader(io.StringIO((out / "ledger.csv").read_text())))
    assert [(row["file"], row["kind"], row["done"]) for row in rows] == [
        ("Annotations/BloodImage_00338.xml", "zero-area", "box dropped"),
        ("Annotations/BloodImage_00343.xml", "zero-area", "box dropped"),
    ]
    official = {
        f"{name}.jpg": split
        for split in ("train", "val", "test")
        for name in (BCCD / f"ImageSets/Main/{split}.txt").read_text().split()
    }
    assert where(out) == official
    summary = json.loads((out / "summary.json").read_text())
    assert sum(counts["objects"] for counts in summary.values()) == 4886
    assert list(summary["train"]["classes"]) == ["Platelets", "RBC", "WBC"]


@pytest.mark.parametrize("packed", [False, True])
def test_the_disk_is_counted_before_an_archive_is_written(
    packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_params(tmp_path)
    seed, dataset = load_params(tmp_path / "params.yaml", "seed", "dataset")
    folder = labelled_folder(tmp_path / "photos")
    needed = sum(path.stat().st_size for path in folder.glob("*.jpg"))
    if packed:
        folder = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", folder))
    params = dataset.labelled.model_copy(update={"exif": "displayed"})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=needed - 1))
    with pytest.raises(UserError, match=r"out: the work needs .* are free"):
        write_splits(tmp_path / "out", params, folder, seed, 10_000)
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=needed))
    write_splits(tmp_path / "out", params, folder, seed, 10_000)


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*.*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def several(tmp_path: Path, images: int, name: str) -> Path:
    """Write images of train, and one of val and test, into archives of three at most; and their arrays."""
    source = tmp_path / f"mine-{name}"
    source.mkdir()
    lines = ["image,label,xmin,ymin,xmax,ymax,split"]
    for number, split in enumerate(["val", "test", *["train"] * images]):
        pixels = np.random.default_rng(number).integers(0, 255, (20, 30, 3), np.uint8)
        Image.fromarray(pixels).save(source / f"{number:02}.png")
        lines.append(f"{number:02}.png,{('cat', 'dog')[number % 2]},1,2,11.5,12,{split}")
    (source / "labels.csv").write_text("\n".join(lines) + "\n")
    (params,) = load_params(ROOT / "params.yaml", "dataset")
    labelled = params.labelled.model_copy(
        update={"split": params.labelled.split.model_copy(update={"by": "lists", "near_duplicates": "ignore"})}
    )
    out = tmp_path / name
    write_splits(out, labelled, source, 1, 3)
    for split in ("train", "val", "test"):
        list(encode_split(out / split, Grid(32, 32, 2, 2, 1, 2), 0, out / "grid" / split, 0))
    return out


def test_one_more_photograph_changes_one_archive_and_its_arrays(tmp_path: Path) -> None:
    before = digests(several(tmp_path, 10, "ten"))
    for images in (11, 12):
        after = digests(several(tmp_path, images, f"with-{images}"))
        gone = {name for name in before if name.startswith("train/") and before[name] != after.get(name)}
        assert len(gone) == 1
        (archive,) = gone
        name = archive.removeprefix("train/").removesuffix(".zip")
        changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
        assert all(path.startswith((f"train/{name}", f"grid/train/{name}")) for path in changed)
        assert len([path for path in before if path.endswith("images.npy") and before[path] != after.get(path)]) == 1
        before = after


def test_an_archive_holds_no_more_than_it_may_and_ids_count_on(tmp_path: Path) -> None:
    out = several(tmp_path, 10, "ten")
    archives = sorted((out / "train").iterdir())
    assert len(archives) > 3
    for path in archives:
        with Archive(path) as archive:
            assert len(archive) <= 3
    with ArchivedSplit(out / "train") as split:
        assert [image.image_id for image in split] == [*range(1, 11)]
        assert sorted(image.file_name for image in split) == [f"{number:02}.png" for number in range(2, 12)]
        assert len(open_encoded(out / "grid/train")) == 10


def test_archives_of_an_earlier_run_are_gone(tmp_path: Path) -> None:
    source = labelled_folder(tmp_path / "mine")
    write_params(tmp_path, {"by": "lists"}, exif="displayed")
    (dataset,) = load_params(tmp_path / "params.yaml", "dataset")
    write_splits(tmp_path / "out", dataset.labelled, source, 1, 3)
    assert len(list((tmp_path / "out/train").iterdir())) > 3
    write_splits(tmp_path / "out", dataset.labelled, source, 1, 10_000)
    assert [path.name for path in (tmp_path / "out/train").iterdir()] == ["all.zip"]


def test_too_many_archives_are_refused_before_one_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = labelled_folder(tmp_path / "mine")
    write_params(tmp_path, {"by": "lists"}, exif="displayed")
    (dataset,) = load_params(tmp_path / "params.yaml", "dataset")
    monkeypatch.setattr("humbleyolo.dataset.archive_choice.MOST_ARCHIVES", 20)
    with pytest.raises(UserError, match=r"dataset\.archive_images: 1 makes .* archives of 40 images; allowed"):
        write_splits(tmp_path / "out", dataset.labelled, source, 1, 1)
    assert list((tmp_path / "out").iterdir()) == []
