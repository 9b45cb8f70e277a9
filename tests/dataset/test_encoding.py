"""The encoding: the same whoever does it, and never taken for whole where it is not."""

import gc
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from encoded_archive import ARRAYS, FILL, GRID, NAMES, encode
from split_writer import cut_split, write_split

from humbleyolo.dataset import encoding
from humbleyolo.dataset.archive_choice import ALL
from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import JoinedRows, open_encoded
from humbleyolo.dataset.encoding import encode_split
from humbleyolo.errors import UserError
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.grid import Grid, encode_boxes
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.geometry.letterbox import Letterbox
from humbleyolo.process import workers
from humbleyolo.storage import npy
from humbleyolo.storage.atomic import make_folder
from humbleyolo.storage.png import encode_png

BLANK = encode_png(np.zeros((36, 50), np.uint8))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def test_it_holds_what_image_after_image_gives(archive: Path, folder: Path) -> None:
    split = open_encoded(folder)
    assert (len(split), split.categories, split.grid, split.fill) == (23, tuple(NAMES), GRID, FILL)
    with ArchivedSplit(archive) as opened:
        records = list(opened)
    for number, record in enumerate(records):
        pixels = decode_rgb(record.image_bytes, record.file_name)
        letterbox = Letterbox(*pixels.shape[:2], GRID.height, GRID.width)
        boxes = letterbox.boxes_in(ltwh_to_xyxy(record.boxes_ltwh))
        own = slice(split.offsets[number], split.offsets[number + 1])
        np.testing.assert_array_equal(split.images[number], letterbox.apply(pixels, FILL))
        np.testing.assert_array_equal(split.boxes[own], boxes)
        np.testing.assert_array_equal(split.labels[own], record.labels)
        np.testing.assert_array_equal(split.sizes[number], pixels.shape[:2])
        targets = encode_boxes(boxes, record.labels, record.labels * 0, 1, GRID).targets[0]
        np.testing.assert_array_equal(split.targets[number], targets)
        assert split.letterbox(number) == letterbox
        assert (split.image_index == number).sum() == len(record.labels)


def test_nothing_else_lies_in_the_folder(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == [ALL]
    assert sorted(path.name for path in (folder / ALL).iterdir()) == sorted(
        [*(f"{a}.npy" for a in ARRAYS), "split.json"]
    )


@pytest.mark.parametrize("images", [1, 7, 1000])
def test_shards_and_blocks_do_not_matter(
    images: int, archive: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "_SHARD_IMAGES", images)
    monkeypatch.setattr(encoding, "_BLOCK_BYTES", 20_000)
    assert contents(encode(archive, tmp_path / "again")) == contents(folder)


def test_processes_do_not_matter(
    archive: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "_SHARD_IMAGES", 4)
    monkeypatch.setattr(encoding, "map_in_order", partial(workers.map_in_order, processes=2, patience_s=0.0))
    assert contents(encode(archive, tmp_path / "again")) == contents(folder)


def test_progress_is_told_as_it_goes(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_SHARD_IMAGES", 10)
    assert list(encode_split(archive, GRID, FILL, tmp_path / "grid", 0)) == [10, 10, 3]


def test_a_split_without_objects_is_a_split(tmp_path: Path) -> None:
    with write_split(tmp_path / "a", NAMES) as archive:
        archive.add("0.png", BLANK, 36, 50, [], [])
    split = open_encoded(encode(tmp_path / "a", tmp_path / "grid"))
    assert split.boxes.shape == (0, 4)
    assert split.offsets.tolist() == [0, 0]
    assert not split.targets.any()


def test_a_split_without_images_is_refused(tmp_path: Path) -> None:
    with write_split(tmp_path / "a", NAMES):
        pass
    with pytest.raises(UserError, match="a: holds no images"):
        encode(tmp_path / "a", tmp_path / "grid")


def add_one(path: Path, data: bytes, height: int, width: int, box: list[float]) -> Path:
    with write_split(path, NAMES) as archive:
        archive.add("0.png", BLANK, 36, 50, [], [])
        archive.add("1.png", data, height, width, [box], [0])
    return path


@pytest.mark.parametrize(
    ("data", "height", "box", "text"),
    [
        (b"no image", 36, [0.0, 0, 5, 5], r"a/all\.zip: 1\.png: cannot be read as an image"),
        (BLANK, 35, [0.0, 0, 5, 5], r"1\.png: is 36 x 50 pixels, labelled as 35 x 50"),
        (BLANK, 36, [48.0, 0, 5, 5], r"1\.png: the centre of a box lies outside"),
        (BLANK, 36, [0.0, -4, 5, 5], r"1\.png: the centre of a box lies outside"),
    ],
)  # fmt: skip
def test_an_image_that_cannot_be_encoded_is_named(
    data: bytes, height: int, box: list[float], text: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=text):
        encode(add_one(tmp_path / "a", data, height, 50, box), tmp_path / "grid")


def test_an_old_split_does_not_stand_for_a_new_one_that_failed(folder: Path, tmp_path: Path) -> None:
    """As many images of the same shape: the arrays alone would look whole."""
    broken = add_one(tmp_path / "a", b"no image", 36, 50, [0.0, 0, 5, 5])
    with pytest.raises(UserError, match="cannot be read as an image"):
        encode(broken, folder)
    with pytest.raises(UserError, match=r"split\.json: no such file; run `dvc repro encode`"):
        open_encoded(folder)
    assert not [path for path in folder.rglob("*") if "partial" in path.name]


@contextmanager
def largest_file(count: int) -> Iterator[None]:
    """Let no file grow over so many bytes, as on a disk that fills up."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("limit", [0, 100, 400, 1_000, 10_000, 40_000])
def test_a_full_disk_leaves_nothing_that_counts_as_whole(limit: int, archive: Path, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "grid")
    with largest_file(limit), pytest.raises(UserError, match="cannot be written"):
        encode(archive, folder)
    left = [path.name for path in folder.rglob("*")]
    assert "split.json" not in left
    assert not [name for name in left if "partial" in name]
    with pytest.raises(UserError, match="no such file"):
        open_encoded(folder)


def test_a_disk_that_fails_while_a_slice_is_written_is_told(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where space cannot be reserved (macOS), the disk fills up only here."""
    monkeypatch.delattr(npy.os, "posix_fallocate")
    folder = make_folder(tmp_path / "grid")
    real = encoding.write_rows

    def limited(path: Path, start: int, values: np.ndarray) -> None:
        with largest_file(1_000):
            real(path, start, values)

    monkeypatch.setattr(encoding, "write_rows", limited)
    with pytest.raises(UserError, match=r"images\.npy.*: cannot be written"):
        encode(archive, folder)
    assert list(folder.rglob("*")) == [folder / ALL]


COUNTS = {"00": 9, "01": 0, "10": 1, "11": 13}


@pytest.fixture
def several(archive: Path, tmp_path: Path) -> Path:
    """The images of `archive` in several archives, one of them without any."""
    return cut_split(archive, tmp_path / "several", COUNTS)


@pytest.mark.parametrize(
    ("quality", "processes"), [(0, 1), (90, 1), (90, 2), pytest.param(0, 2, marks=pytest.mark.slow)]
)
def test_several_archives_are_the_arrays_of_one(
    archive: Path, several: Path, quality: int, processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "_SHARD_IMAGES", 4)
    monkeypatch.setattr(encoding, "map_in_order", partial(workers.map_in_order, processes=processes, patience_s=0.0))
    assert sum(encode_split(several, GRID, FILL, tmp_path / "parts", quality)) == 23
    assert sum(encode_split(archive, GRID, FILL, tmp_path / "whole", quality)) == 23
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == sorted(COUNTS)
    parts, whole = (open_encoded(tmp_path / name) for name in ("parts", "whole"))
    assert (len(parts), parts.images.shape, parts.images.dtype) == (23, whole.images.shape, np.uint8)
    rows = np.array([[22, 0, 9], [10, 8, 22]])
    for name in ("images", "targets"):
        ours, theirs = getattr(parts, name), getattr(whole, name)
        for which in (slice(None), slice(7, 12), 9, np.int64(22), rows, rows[:0]):
            np.testing.assert_array_equal(ours[which], theirs[which])
    for name in ("boxes", "labels", "offsets", "sizes"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    assert sum(array.nbytes for array in parts.stored()) >= sum(array.nbytes for array in whole.stored())


def test_spans_are_the_rows_in_each_archive(several: Path, tmp_path: Path) -> None:
    images = open_encoded(encode(several, tmp_path / "grid")).images
    assert isinstance(images, JoinedRows)
    for start, stop in ((0, 23), (8, 11), (9, 9), (10, 99)):
        spans = [part[first:last] for part, first, last in images.spans(start, stop)]
        np.testing.assert_array_equal(np.concatenate([*spans, images[:0]]), images[start:stop])
        assert all(len(span) for span in spans)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted on Linux")
def test_two_files_an_archive_stay_open(archive: Path, tmp_path: Path) -> None:
    """So that a dataset of as many archives as are allowed can be opened where 1,024 files may be."""
    counts = {f"{number:04b}": 2 if number < 7 else 1 for number in range(16)}
    for quality in (0, 90):
        list(encode_split(cut_split(archive, tmp_path / "cut", counts), GRID, FILL, tmp_path / "grid", quality))
        gc.collect()
        before = len(list(Path("/proc/self/fd").iterdir()))
        _, hard = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before + 2 * 16 + 8, hard))
        try:
            split = open_encoded(tmp_path / "grid")
            opened = len(list(Path("/proc/self/fd").iterdir()))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert len(split) == 23
        assert opened <= before + 2 * 16
        del split


def test_arrays_of_an_earlier_run_are_taken_away(archive: Path, several: Path, tmp_path: Path) -> None:
    folder = encode(several, tmp_path / "grid")
    (folder / "mine").mkdir()
    encode(archive, folder)
    assert sorted(path.name for path in folder.iterdir()) == [ALL, "mine"]
    shutil.rmtree(folder / "mine")
    encode(several, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(COUNTS)


def test_arrays_that_are_missing_or_of_another_run_are_told(several: Path, archive: Path, tmp_path: Path) -> None:
    folder = encode(several, tmp_path / "grid")
    shutil.rmtree(folder / "11")
    with pytest.raises(UserError, match=r"grid: 11 is missing, .*run `dvc repro encode`"):
        open_encoded(folder)
    encode(archive, tmp_path / "other", Grid(36, 50, 2, 5, 2, 3))
    (tmp_path / "other" / ALL).rename(folder / "11")
    with pytest.raises(UserError, match="encoded from other data; run `dvc repro encode`"):
        open_encoded(folder)
