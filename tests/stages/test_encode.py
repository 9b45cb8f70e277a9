"""The encode stage: three splits and a report, or a message and nothing that looks whole."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from repository import ROOT
from split_writer import write_split

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.errors import UserError
from humbleyolo.params.sections import Encode
from humbleyolo.storage.png import encode_png
from stages.encode import encode

PARAMS = Encode(height=64, width=64, fill=0, jpeg_quality=0, rows=2, cols=2, boxes=1, finer=[2, 4], min_ceiling=0.95)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """In each image two words in one cell, which a grid of 4 x 4 holds apart, and one in another."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    for number, split in enumerate(SPLITS, start=3):
        with write_split(folder / split, ["chat", "rat"]) as archive:
            for image in range(number):
                boxes = [[2, 2, 12, 10], [18, 20, 12, 10], [40, 40, 12, 10]]
                archive.add(f"{image}.png", encode_png(np.zeros((64, 64), np.uint8)), 64, 64, boxes, [0, 1, 0])
    return folder


def test_it_writes_the_splits_and_what_the_grid_can_hold(dataset: Path, tmp_path: Path) -> None:
    made = encode(PARAMS, "one", dataset, tmp_path / "grid")
    report = json.loads((tmp_path / "grid/report.json").read_text())
    assert list(report) == [*SPLITS, "train_objects"]
    assert report["train_objects"] == {"chat": 6, "rat": 3}
    for number, split in enumerate(SPLITS, start=3):
        assert len(open_encoded(tmp_path / "grid" / split)) == number
        own, *finer = report[split]
        assert (own["rows"], own["objects"], own["shared"], own["lost"]) == (2, 3 * number, 2 * number, number)
        assert own["recall"] < 1
        assert [(one["rows"], one["lost"], one["ap"]) for one in finer] == [(4, 0, 1.0), (8, 0, 1.0)]
        assert f"AP {own['ap']:.3f} ({split})" in made.more
    assert sorted(path.name for path in (tmp_path / "grid").iterdir()) == ["report.json", *sorted(SPLITS)]


def test_more_objects_than_are_found_by_default_are_told(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    for split in SPLITS:
        with write_split(tmp_path / f"dataset/{split}", ["chat"]) as archive:
            boxes = [[number % 60, number // 60, 2, 2] for number in range(101 if split == "val" else 100)]
            archive.add("0.png", encode_png(np.zeros((64, 64), np.uint8)), 64, 64, boxes, [0] * len(boxes))
    told = [
        line for line in encode(PARAMS, "one", tmp_path / "dataset", tmp_path / "grid").warnings if "an image" in line
    ]
    assert [line.split(";")[0] for line in told] == ["val: an image has 101 objects"]


def test_the_same_bytes_every_time(dataset: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        encode(PARAMS, "one", dataset, tmp_path / out)
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_a_missing_split_says_what_to_run(dataset: Path, tmp_path: Path) -> None:
    shutil.rmtree(dataset / "val")
    with pytest.raises(UserError, match="val: no such folder; run `dvc repro generate`"):
        encode(PARAMS, "one", dataset, tmp_path / "grid")
    assert not (tmp_path / "grid/report.json").exists()


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stages.encode", *arguments]
    return subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, check=False
    )


def test_started_as_dvc_starts_it(dataset: Path, tmp_path: Path) -> None:
    """With the parameters of the project; it warns of a grid that cannot hold the data, and names one that can."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    done = run(tmp_path, "dataset", "grid")
    assert done.returncode == 0, done.stderr
    assert "warning: test: no detector can pass AP" in done.stderr
    assert "set encode.rows: 4 and encode.cols: 4" in " ".join(done.stderr.split())
    assert "36 objects encoded into grid in" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    (dataset / "test/all.zip").write_bytes(b"PK")
    again = run(tmp_path, "dataset", "grid")
    assert again.returncode == 2
    assert again.stderr.splitlines()[-1].startswith("error: dataset/test/all.zip: ")
    assert "Traceback" not in again.stderr


def test_the_disk_is_counted_for_all_splits_before_the_first(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = (3 + 4 + 5) * (64 * 64 * 3 + 2 * 2 * 7 * 4)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=needed - 1))
    with pytest.raises(UserError, match=r"grid: the work needs 0\.1 MB, and 0\.1 MB are free"):
        encode(PARAMS, "one", dataset, tmp_path / "grid")
    assert list((tmp_path / "grid").iterdir()) == []
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=needed))
    encode(PARAMS, "one", dataset, tmp_path / "grid")
