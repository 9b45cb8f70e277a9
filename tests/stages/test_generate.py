"""The stage, started as DVC starts it."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from repository import ROOT
from ruamel.yaml import YAML

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.errors import UserError
from humbleyolo.params.loader import load_params
from humbleyolo.pipeline.stage import Made
from humbleyolo.process.workers import map_in_order
from humbleyolo.synthetic import drawn_split
from humbleyolo.synthetic.drawn_split import write_splits
from humbleyolo.synthetic.painter import Painter
from stages import generate as stage

FONTS = ROOT / "data" / "fonts"
FILES = ["ledger.csv", "preview.png", "summary.json", "test/all.zip", "train/all.zip", "val/all.zip"]


def write_params(folder: Path, changes: dict[str, Any]) -> None:
    """Write the project's parameters, with fewer images and `changes` to `dataset.synthetic`."""
    yaml = YAML(typ="safe", pure=True)
    values = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["dataset"]["synthetic"].update({"images": {"train": 70, "val": 3, "test": 40}, **changes})
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(values, file)


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}


def generate(folder: Path, out: str = "out", **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "stages.generate", str(FONTS), out]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, encoding="utf-8", check=False, **options
    )


def generated(folder: Path, out: Path) -> Made:
    """What the stage makes in this process, or raises."""
    return stage.generate(*load_params(folder / "params.yaml", "seed", "dataset"), FONTS, out)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_params(folder, {})
    done = generate(folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("113 images drawn into out in ")
    return folder


def test_six_files_and_nothing_else(made: Path) -> None:
    assert files_in(made / "out") == FILES


def test_the_archives_hold_the_samples(made: Path) -> None:
    (dataset,) = load_params(made / "params.yaml", "dataset")
    painter = Painter(dataset.synthetic, FONTS, 1)
    for split, count in (("train", 70), ("val", 3), ("test", 40)):
        with ArchivedSplit(made / "out" / split) as archive:
            assert archive.categories == ("chat", "rat")
            assert len(archive) == count
            for index, record in enumerate(archive):
                sample = painter.draw(split, index)
                assert (record.image_id, record.file_name) == (index + 1, f"{index:06d}.png")
                assert (record.height, record.width) == (64, 64)
                with Image.open(io.BytesIO(record.image_bytes)) as image:
                    np.testing.assert_array_equal(np.asarray(image), sample.pixels)
                assert record.boxes_ltwh.tolist() == [list(word.box_ltwh) for word in sample.words]
                assert record.labels.tolist() == [word.label for word in sample.words]


def test_the_summary_counts_what_the_archives_hold(made: Path) -> None:
    summary = json.loads((made / "out" / "summary.json").read_text())
    for split in ("train", "val", "test"):
        with zipfile.ZipFile(made / "out" / split / "all.zip") as file:
            found = json.loads(file.read("annotations.json"))
            images = sum(name.startswith("images/") for name in file.namelist())
        assert summary[split]["images"] == len(found["images"]) == images
        assert summary[split]["objects"] == len(found["annotations"])
        for category in found["categories"]:
            own = [a for a in found["annotations"] if a["category_id"] == category["id"]]
            assert summary[split]["classes"][category["name"]] == len(own)


def test_ledger_and_preview(made: Path) -> None:
    assert (made / "out" / "ledger.csv").read_bytes() == b"file,where,what,why,done,kind,severity\n"
    with Image.open(made / "out" / "preview.png") as image:
        assert image.width > 600


@pytest.mark.slow
def test_the_bytes_are_the_same_again_and_on_one_core(made: Path) -> None:
    def one_core() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    options = {"preexec_fn": one_core} if hasattr(os, "sched_setaffinity") else {}
    assert generate(made, "again", **options).returncode == 0
    for name in FILES:
        assert (made / "again" / name).read_bytes() == (made / "out" / name).read_bytes()


def test_the_bytes_are_the_same_from_two_processes(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = partial(map_in_order, patience_s=0.0)  # those who begin at once
    monkeypatch.setattr(drawn_split, "map_in_order", lambda *given, **more: shards(*given, **more | {"processes": 2}))
    generated(made, made / "pool")
    for name in FILES:
        assert (made / "pool" / name).read_bytes() == (made / "out" / name).read_bytes()


@pytest.mark.slow
def test_the_images_are_the_same_from_a_pool(tmp_path: Path) -> None:
    write_params(tmp_path, {"images": {"train": 3000, "val": 1, "test": 1}})
    assert generate(tmp_path).returncode == 0
    (dataset,) = load_params(tmp_path / "params.yaml", "dataset")
    painter = Painter(dataset.synthetic, FONTS, 1)
    with ArchivedSplit(tmp_path / "out" / "train") as archive:
        for index in range(0, 3000, 97):
            (record,) = archive.images(index, index + 1)
            with Image.open(io.BytesIO(record.image_bytes)) as image:
                np.testing.assert_array_equal(np.asarray(image), painter.draw("train", index).pixels)


def test_mistakes_are_all_told_before_any_work(tmp_path: Path) -> None:
    write_params(tmp_path, {"words": ["日", "rat"], "fonts": ["DejaVuSans.ttf", "DejaVuSan.ttf"], "ink": ["#000001"]})
    (tmp_path / "out/train").mkdir(parents=True)
    (tmp_path / "out/train/all.zip").write_bytes(b"earlier")
    done = generate(tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "params.yaml: 3 problems" in done.stderr
    assert "dataset.synthetic.words[0]: '日' cannot be drawn with DejaVuSans.ttf, which lacks" in done.stderr
    assert "dataset.synthetic.fonts[1]: 'DejaVuSan.ttf' is not a file" in done.stderr
    assert "did you mean 'DejaVuSans.ttf'?" in done.stderr
    assert "dataset.synthetic.ink[0]: '#000001' cannot be seen" in done.stderr
    assert files_in(tmp_path / "out") == ["train/all.zip"]
    assert (tmp_path / "out/train/all.zip").read_bytes() == b"earlier"


def test_images_without_room_for_the_minimum_leave_no_archive(tmp_path: Path) -> None:
    write_params(tmp_path, {"placement": "free", "free": {"min_objects": 20, "max_objects": 20, "max_overlap": 0.0}})
    told = r"^dataset\.synthetic\.free\.min_objects: 20 words found no place in image 0 of train"
    with pytest.raises(UserError, match=told):
        generated(tmp_path, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_words_that_were_not_drawn_are_told(tmp_path: Path) -> None:
    write_params(tmp_path, {"font_px": [11, 400]})
    assert "words found no place, see summary.json" in generated(tmp_path, tmp_path / "out").more
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["train"]["not_drawn"] > 0


def test_tensorflow_is_not_loaded() -> None:
    code = "import sys, stages.generate; sys.exit(bool({'tensorflow', 'pandas', 'fontTools'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.slow
def test_a_kill_in_mid_write_leaves_no_archive_and_no_process(tmp_path: Path) -> None:
    write_params(tmp_path, {"images": {"train": 1_000_000, "val": 1, "test": 1}})
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.generate", str(FONTS), "out"],
        cwd=tmp_path,
        env=environment(),
        start_new_session=True,
    )
    try:
        wait_for(lambda: any(path.stat().st_size > 100_000 for path in (tmp_path / "out/train").glob(".*.zip.*")))
    finally:
        process.kill()
        process.wait()
    assert not any((tmp_path / "out/train").glob("*.zip"))
    wait_for(lambda: not group_lives(process.pid))


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of one mebibyte."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small disk needs root on Linux")
    folder = Path(tempfile.mkdtemp())
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder)


def test_a_full_disk_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    write_params(tmp_path, {"images": {"train": 6000, "val": 1, "test": 1}})
    with pytest.raises(UserError, match=rf"^{small_disk}: the work needs 1\.5 MB, and 1\.0 MB are free"):
        generated(tmp_path, small_disk)
    assert list(small_disk.iterdir()) == []


def test_the_disk_is_counted_before_a_word_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_params(tmp_path, {})
    seed, dataset = load_params(tmp_path / "params.yaml", "seed", "dataset")
    write_splits(tmp_path, dataset.synthetic, FONTS, seed, 10_000)
    written = 0
    for name in ("train", "val", "test"):
        with ArchivedSplit(tmp_path / name) as archive:
            written += sum(len(image.image_bytes) for image in archive)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=written // 2))
    with pytest.raises(UserError, match=r"the work needs .* are free on its disk; free some space"):
        write_splits(tmp_path, dataset.synthetic, FONTS, seed, 10_000)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=written))
    write_splits(tmp_path, dataset.synthetic, FONTS, seed, 10_000)
