"""The encoded split: the same whoever encodes it, and never taken for whole where it is not."""

import io
import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from humbleyolo.dataset import arrays
from humbleyolo.dataset.archive import Archive, ArchiveWriter
from humbleyolo.dataset.arrays import EncodedSplit, encode_archive, join_splits, open_encoded
from humbleyolo.errors import UserError
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.grid import Grid, encode_boxes
from humbleyolo.geometry.letterbox import Letterbox, decode
from humbleyolo.process import workers
from humbleyolo.storage.atomic import make_folder
from humbleyolo.storage.png import encode_png

GRID = Grid(height=36, width=50, rows=3, cols=5, boxes=2, classes=3)
FILL = 114
NAMES = ["chat", "rat", "日本"]
BLANK = encode_png(np.zeros((36, 50), np.uint8))
ARRAYS = ("images", "targets", "boxes", "labels", "offsets", "sizes")


def write_archive(path: Path, images: int = 23) -> Path:
    """Pictures of several sizes and kinds with 0 to 3 objects each."""
    rng = np.random.default_rng(5)
    with ArchiveWriter(path, NAMES) as archive:
        for number in range(images):
            height, width = [(36, 50), (20, 61), (90, 30)][number % 3]
            pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
            if number % 4 == 3:
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, "JPEG")
                data = buffer.getvalue()
            else:
                data = encode_png(pixels if number % 2 else pixels[..., 0])
            lengths = rng.uniform(1, 20, (number % 4, 2))
            corners = rng.uniform(0, 1, (number % 4, 2)) * ((width, height) - lengths)
            labels = rng.integers(0, 3, number % 4)
            archive.add(
                f"{number:06}.png", data, height, width, np.concatenate([corners, lengths], axis=1), labels
            )
    return path


def encode(archive: Path, folder: Path, grid: Grid = GRID) -> Path:
    list(encode_archive(archive, grid, FILL, folder))
    return folder


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("dataset") / "train.zip")


@pytest.fixture
def folder(archive: Path, tmp_path: Path) -> Path:
    return encode(archive, tmp_path / "grid")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_it_holds_what_image_after_image_gives(archive: Path, folder: Path) -> None:
    split = open_encoded(folder)
    assert (len(split), split.categories, split.grid, split.fill) == (23, tuple(NAMES), GRID, FILL)
    with Archive(archive) as opened:
        records = list(opened)
    for number, record in enumerate(records):
        pixels = decode(record.image_bytes, record.file_name)
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
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(f"{a}.npy" for a in ARRAYS), "split.json"]
    )


@pytest.mark.parametrize("images", [1, 7, 1000])
def test_shards_and_blocks_do_not_matter(
    images: int, archive: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "_SHARD_IMAGES", images)
    monkeypatch.setattr(arrays, "_BLOCK_BYTES", 20_000)
    assert contents(encode(archive, tmp_path / "again")) == contents(folder)


def test_processes_do_not_matter(
    archive: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "_SHARD_IMAGES", 4)
    monkeypatch.setattr(arrays, "map_in_order", partial(workers.map_in_order, processes=2, patience_s=0.0))
    assert contents(encode(archive, tmp_path / "again")) == contents(folder)


def test_progress_is_told_as_it_goes(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "_SHARD_IMAGES", 10)
    assert list(encode_archive(archive, GRID, FILL, tmp_path / "grid")) == [10, 10, 3]


def test_a_split_without_objects_is_a_split(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "a.zip", NAMES) as archive:
        archive.add("0.png", BLANK, 36, 50, [], [])
    split = open_encoded(encode(tmp_path / "a.zip", tmp_path / "grid"))
    assert split.boxes.shape == (0, 4)
    assert split.offsets.tolist() == [0, 0]
    assert not split.targets.any()


def test_a_split_without_images_is_refused(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "a.zip", NAMES):
        pass
    with pytest.raises(UserError, match=r"a\.zip: holds no images"):
        encode(tmp_path / "a.zip", tmp_path / "grid")


def add_one(path: Path, data: bytes, height: int, width: int, box: list[float]) -> Path:
    with ArchiveWriter(path, NAMES) as archive:
        archive.add("0.png", BLANK, 36, 50, [], [])
        archive.add("1.png", data, height, width, [box], [0])
    return path


@pytest.mark.parametrize(
    ("data", "height", "box", "text"),
    [
        (b"no image", 36, [0.0, 0, 5, 5], r"a\.zip: 1\.png: cannot be read as an image"),
        (BLANK, 35, [0.0, 0, 5, 5], r"1\.png: is 36 x 50 pixels, labelled as 35 x 50"),
        (BLANK, 36, [48.0, 0, 5, 5], r"1\.png: the centre of a box lies outside"),
        (BLANK, 36, [0.0, -4, 5, 5], r"1\.png: the centre of a box lies outside"),
    ],
)  # fmt: skip
def test_an_image_that_cannot_be_encoded_is_named(
    data: bytes, height: int, box: list[float], text: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=text):
        encode(add_one(tmp_path / "a.zip", data, height, 50, box), tmp_path / "grid")


def test_an_old_split_does_not_stand_for_a_new_one_that_failed(folder: Path, tmp_path: Path) -> None:
    """As many images of the same shape: the arrays alone would look whole."""
    broken = add_one(tmp_path / "a.zip", b"no image", 36, 50, [0.0, 0, 5, 5])
    with pytest.raises(UserError, match="cannot be read as an image"):
        encode(broken, folder)
    with pytest.raises(UserError, match=r"split\.json: no such file; run `dvc repro encode`"):
        open_encoded(folder)
    assert not [path for path in folder.iterdir() if "partial" in path.name]


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
    left = [path.name for path in folder.iterdir()]
    assert "split.json" not in left
    assert not [name for name in left if "partial" in name]
    with pytest.raises(UserError, match="no such file"):
        open_encoded(folder)


def test_a_disk_that_fails_while_a_slice_is_written_is_told(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where space cannot be reserved (macOS), the disk fills up only here."""
    monkeypatch.delattr(arrays.os, "posix_fallocate")
    folder = make_folder(tmp_path / "grid")
    real = arrays._write_slice

    def limited(path: Path, start: int, values: np.ndarray) -> None:
        with largest_file(1_000):
            real(path, start, values)

    monkeypatch.setattr(arrays, "_write_slice", limited)
    with pytest.raises(UserError, match=r"images\.npy.*: cannot be written"):
        encode(archive, folder)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", [*(f"{array}.npy" for array in ARRAYS), "split.json"])
def test_a_missing_or_damaged_file_is_refused_with_what_to_run(name: str, folder: Path) -> None:
    path = folder / name
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(UserError, match=rf"{name}: no such file; run `dvc repro encode`"):
        open_encoded(folder)
    for part in (0, 1, 60, len(whole) - 1 if name != "split.json" else len(whole) // 2):
        path.write_bytes(whole[:part])
        with pytest.raises(UserError, match=r"grid.*run `dvc repro encode`"):
            open_encoded(folder)
    path.write_bytes(b"\x93NUMPY\x01\x00\xff\xff" + whole)
    with pytest.raises(UserError, match="run `dvc repro encode`"):
        open_encoded(folder)


def change(name: str, edit: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        np.save(folder / f"{name}.npy", edit(np.load(folder / f"{name}.npy")))

    return apply


def change_info(**more: object) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "split.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | more))

    return apply


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (change("images", lambda a: a[:-1]), "targets.npy: holds"),
        (change("images", lambda a: a[:, :-1]), "images.npy: holds uint8"),
        (change("targets", lambda a: a.astype(np.float64)), "targets.npy: holds float64"),
        (change("boxes", lambda a: a[:-1]), "labels.npy: holds"),
        (change("boxes", lambda a: a[:, :3]), "boxes.npy: holds"),
        (change("sizes", lambda a: a.ravel()), "sizes.npy: holds"),
        (change("offsets", lambda a: a + 1), "offsets.npy: does not share"),
        (change("offsets", lambda a: np.sort(a)[::-1].copy()), "offsets.npy: does not share"),
        (change("offsets", lambda a: a[[0, 3, 2, *range(3, len(a))]]), "offsets.npy: does not share"),
        (change("labels", lambda a: a + 3), "labels that are not one of its 3 classes"),
        (change("labels", lambda a: a - 3), "labels that are not one of its 3 classes"),
        (change_info(categories=["chat", "rat"]), "labels that are not one of its 3 classes"),
        (change_info(format=3), "format 3"),
        (change_info(grid={"rows": 3}), "cannot be read as an encoded split"),
        (change_info(grid=[3]), "cannot be read as an encoded split"),
        (change_info(fill=None), "cannot be read as an encoded split"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_each_other_are_refused(
    damage: Callable[[Path], None], text: str, folder: Path
) -> None:
    damage(folder)
    with pytest.raises(UserError, match=rf"{text}.*run `dvc repro encode`"):
        open_encoded(folder)


def test_no_pickle_is_ever_loaded(folder: Path) -> None:
    np.save(folder / "labels.npy", np.array([print] * 34, object), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read as an encoded split"):
        open_encoded(folder)


def test_images_and_targets_stay_on_the_disk(folder: Path) -> None:
    split: EncodedSplit = open_encoded(folder)
    assert isinstance(split.images, np.memmap)
    assert isinstance(split.targets, np.memmap)
    assert not split.images.flags.writeable


def test_two_splits_joined_are_their_images_in_order(archive: Path, tmp_path: Path) -> None:
    first = open_encoded(encode(archive, tmp_path / "first"))
    second = open_encoded(encode(write_archive(tmp_path / "second.zip", images=7), tmp_path / "second"))
    joined = join_splits(first, second)
    assert len(joined) == 30
    rows = np.array([[29, 0], [22, 23]])
    for name in ("images", "targets"):
        one, other, both = (getattr(split, name) for split in (first, second, joined))
        np.testing.assert_array_equal(both[rows], [[other[6], one[0]], [one[22], other[0]]])
    for image in range(30):
        split, place = (first, image) if image < 23 else (second, image - 23)
        own, whole = (
            slice(*part.offsets[number : number + 2]) for part, number in ((split, place), (joined, image))
        )
        np.testing.assert_array_equal(joined.boxes[whole], split.boxes[own])
        np.testing.assert_array_equal(joined.labels[whole], split.labels[own])
        np.testing.assert_array_equal(joined.sizes[image], split.sizes[place])


def test_splits_of_other_data_are_not_joined(folder: Path, archive: Path, tmp_path: Path) -> None:
    other = encode(archive, tmp_path / "other", Grid(36, 50, 2, 5, 2, 3))
    with pytest.raises(UserError, match="encoded from other data; run `dvc repro encode`"):
        join_splits(open_encoded(folder), open_encoded(other))
