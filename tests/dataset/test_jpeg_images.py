"""Images kept as JPEGs: an array of pixels to those who read, the same whoever encodes."""

import errno
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from encoded_archive import FILL, GRID
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.dataset import encoding, jpeg_images
from humbleyolo.dataset.archive_choice import ALL
from humbleyolo.dataset.encoded_split import EncodedSplit, join_splits, open_encoded, pick_images
from humbleyolo.dataset.encoding import encode_split, expected_bytes
from humbleyolo.dataset.jpeg_images import JpegImages, jpeg_writer, pack
from humbleyolo.errors import UserError
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.process import workers
from humbleyolo.training.checkpoint import describe_run

QUALITY = 90


def encode(archive: Path, folder: Path) -> Path:
    list(encode_split(archive, GRID, FILL, folder, QUALITY))
    return folder


@pytest.fixture
def packed(archive: Path, tmp_path: Path) -> EncodedSplit:
    """The split of `folder`, its images as JPEGs."""
    return open_encoded(encode(archive, tmp_path / "packed"))


def decoded(split: EncodedSplit) -> np.ndarray:
    """The images of a split, packed and decoded one by one."""
    return np.stack([decode_rgb(pack(image[None], QUALITY)[0], "") for image in np.asarray(split.images)])


def test_only_the_pixels_differ_and_those_little(packed: EncodedSplit, folder: Path) -> None:
    raw = open_encoded(folder)
    assert isinstance(packed.images, JpegImages)
    assert (packed.images.shape, packed.images.dtype) == (raw.images.shape, raw.images.dtype)
    np.testing.assert_array_equal(packed.images[:], decoded(raw))
    for name in ("targets", "boxes", "labels", "offsets", "sizes"):
        np.testing.assert_array_equal(getattr(packed, name), getattr(raw, name))
    smooth = np.linspace(0, 255, 36 * 50 * 3).reshape(1, 36, 50, 3).astype(np.uint8)
    assert np.abs(decode_rgb(pack(smooth, QUALITY)[0], "").astype(int) - smooth[0]).max() < 8


def test_the_disk_that_is_asked_for_is_about_what_is_taken(archive: Path, tmp_path: Path, folder: Path) -> None:
    for where, quality in ((folder, 0), (encode(archive, tmp_path / "jpegs"), QUALITY)):
        taken = sum((where / ALL / f"{name}.npy").stat().st_size for name in ("images", "targets"))
        assert expected_bytes(archive, GRID, FILL, quality) == pytest.approx(taken, rel=0.1)


def test_a_disk_that_is_full_names_the_file(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk(bytes):
        def __len__(self) -> int:
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(encoding, "pack", lambda images, _: [FullDisk() for _ in images])
    with pytest.raises(UserError, match=r"images\.npy: cannot be written: the disk is full"):
        encode(archive, tmp_path / "jpegs")


def test_a_part_is_sent_with_its_own_files_alone(packed: EncodedSplit) -> None:
    part = pickle.loads(pickle.dumps(packed.images.part(5, 9)))
    np.testing.assert_array_equal(part[:], packed.images[5:9])
    assert len(part.stored[0]) < len(packed.images.stored[0]) / 3


def test_an_image_that_is_asked_for_often_is_decoded_once(
    packed: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(jpeg_images, "decode_rgb", lambda data, name: asked.append(name) or decode_rgb(data, name))
    assert packed.images[np.array([[3, 3], [1, 3]])].shape == (2, 2, 36, 50, 3)
    assert len(asked) == 2


@given(st.data())
def test_indices_are_those_of_an_array(data: st.DataObject) -> None:
    images = np.random.default_rng(1).integers(0, 256, (5, 8, 10, 3), np.uint8)
    files = pack(images, 100)
    offsets = np.cumsum([0, *map(len, files)])
    kept = JpegImages(np.frombuffer(b"".join(files), np.uint8), offsets, 8, 10, "images.npy")
    expected = np.stack([decode_rgb(one, "") for one in files])
    one, some = st.integers(-5, 4), st.lists(st.integers(-5, 4)).map(lambda rows: np.array(rows, np.int64))
    which = data.draw(one | st.slices(5) | some)
    np.testing.assert_array_equal(kept[which], expected[which])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.*"))}


@pytest.mark.parametrize(("shard", "block", "processes"), [(1, 1, 1), (7, 20_000, 1), (4, 20_000, 2)])
def test_shards_blocks_and_processes_do_not_matter(
    shard: int, block: int, processes: int, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = contents(encode(archive, tmp_path / "expected"))
    assert "image_offsets.npy" in expected
    monkeypatch.setattr(encoding, "_SHARD_IMAGES", shard)
    monkeypatch.setattr(encoding, "_BLOCK_BYTES", block)
    run = partial(workers.map_in_order, processes=processes, patience_s=0.0)
    monkeypatch.setattr(encoding, "map_in_order", run)
    assert contents(encode(archive, tmp_path / "again")) == expected


def test_pixels_after_jpegs_leave_nothing_behind(archive: Path, folder: Path, tmp_path: Path) -> None:
    again = encode(archive, tmp_path / "jpegs")
    list(encode_split(archive, GRID, FILL, again, 0))
    assert contents(again) == contents(folder)


def test_joined_and_picked_splits_decode_what_is_asked_for(packed: EncodedSplit) -> None:
    joined = join_splits(packed, packed)
    rows = np.array([24, 3, 22])
    np.testing.assert_array_equal(joined.images[rows], packed.images[rows % 23])
    np.testing.assert_array_equal(pick_images(joined, rows).images[1:], packed.images[rows[1:] % 23])


def test_a_run_depends_on_the_files(packed: EncodedSplit, folder: Path) -> None:
    hashes = {describe_run([split], "scratch")["data"] for split in (packed, open_encoded(folder))}
    assert len(hashes) == 2


@pytest.mark.parametrize("change", [lambda a: a[:-1], lambda a: a + 1, lambda a: a[::-1].copy(), lambda a: a[:0]])
def test_offsets_that_do_not_divide_the_files_are_refused(archive: Path, tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    folder = encode(archive, tmp_path / "jpegs")
    path = folder / ALL / "image_offsets.npy"
    np.save(path, change(np.load(path)))
    with pytest.raises(UserError, match=r"images\.npy.*run `dvc repro encode`"):
        open_encoded(folder)


def test_a_file_that_is_no_image_of_its_size_is_refused() -> None:
    image = np.zeros((1, 8, 10, 3), np.uint8)
    (file,) = pack(image, QUALITY)
    packed, offsets = np.frombuffer(file, np.uint8), np.array([0, len(file)])
    with pytest.raises(UserError, match=r"i\.npy, image 0: is of shape \(8, 10, 3\)"):
        JpegImages(packed, offsets, 8, 8, "i.npy")[0]
    with pytest.raises(UserError, match=r"i\.npy, image 0: cannot be read as an image"):
        JpegImages(packed[:9], np.array([0, 9]), 8, 10, "i.npy")[0]


def test_images_out_of_order_are_refused(tmp_path: Path) -> None:
    with jpeg_writer(tmp_path) as write:
        write(0, [b"1"])
        with pytest.raises(ValueError, match="image 2 comes where 1 is due"):
            write(2, [b"3"])
