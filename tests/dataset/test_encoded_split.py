"""An encoded split opened: refused where its files are damaged or do not fit each other; two splits joined."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from encoded_archive import ARRAYS, encode, write_archive
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.dataset.archive_choice import ALL
from humbleyolo.dataset.encoded_split import EncodedSplit, join_splits, open_encoded, pick_images, rows_of_images
from humbleyolo.errors import UserError
from humbleyolo.geometry.grid import Grid


@pytest.mark.parametrize("name", [*(f"{array}.npy" for array in ARRAYS), "split.json"])
def test_a_missing_or_damaged_file_is_refused_with_what_to_run(name: str, folder: Path) -> None:
    path = folder / ALL / name
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
        path = folder / ALL / f"{name}.npy"
        np.save(path, edit(np.load(path)))

    return apply


def change_info(**more: object) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / ALL / "split.json"
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
    np.save(folder / ALL / "labels.npy", np.array([print] * 34, object), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read as an encoded split"):
        open_encoded(folder)


def test_images_and_targets_stay_on_the_disk(folder: Path) -> None:
    split: EncodedSplit = open_encoded(folder)
    assert isinstance(split.images, np.memmap)
    assert isinstance(split.targets, np.memmap)
    assert not split.images.flags.writeable


def test_two_splits_joined_are_their_images_in_order(archive: Path, tmp_path: Path) -> None:
    first = open_encoded(encode(archive, tmp_path / "first"))
    second = open_encoded(encode(write_archive(tmp_path / "second-archives", images=7), tmp_path / "second"))
    joined = join_splits(first, second)
    assert len(joined) == 30
    rows = np.array([[29, 0], [22, 23]])
    for name in ("images", "targets"):
        one, other, both = (getattr(split, name) for split in (first, second, joined))
        np.testing.assert_array_equal(both[rows], [[other[6], one[0]], [one[22], other[0]]])
    for image in range(30):
        split, place = (first, image) if image < 23 else (second, image - 23)
        own, whole = (slice(*part.offsets[number : number + 2]) for part, number in ((split, place), (joined, image)))
        np.testing.assert_array_equal(joined.boxes[whole], split.boxes[own])
        np.testing.assert_array_equal(joined.labels[whole], split.labels[own])
        np.testing.assert_array_equal(joined.sizes[image], split.sizes[place])


def test_splits_of_other_data_are_not_joined(folder: Path, archive: Path, tmp_path: Path) -> None:
    other = encode(archive, tmp_path / "other", Grid(36, 50, 2, 5, 2, 3))
    with pytest.raises(UserError, match="encoded from other data; run `dvc repro encode`"):
        join_splits(open_encoded(folder), open_encoded(other))


def test_picked_images_are_those_of_a_joined_split_in_their_order(archive: Path, tmp_path: Path) -> None:
    first = open_encoded(encode(archive, tmp_path / "first"))
    second = open_encoded(encode(write_archive(tmp_path / "second-archives", images=7), tmp_path / "second"))
    joined = join_splits(first, second)
    for images in (np.array([29, 0, 22, 23]), np.arange(0), np.arange(30)):
        picked = pick_images(joined, images)
        assert len(picked) == len(images)
        for name in ("images", "targets"):
            np.testing.assert_array_equal(getattr(picked, name)[0:9], getattr(joined, name)[images[:9]])
        for place, image in enumerate(images.tolist()):
            own, whole = (slice(*one.offsets[at : at + 2]) for one, at in ((picked, place), (joined, image)))
            np.testing.assert_array_equal(picked.boxes[own], joined.boxes[whole])
            np.testing.assert_array_equal(picked.labels[own], joined.labels[whole])
            np.testing.assert_array_equal(picked.sizes[place], joined.sizes[image])
    again = pick_images(pick_images(joined, np.array([5, 25, 1])), np.array([2, 1]))
    np.testing.assert_array_equal(again.images[np.arange(2)], joined.images[np.array([1, 25])])


@given(counts=st.lists(st.integers(0, 4), min_size=1, max_size=6), data=st.data())
def test_the_rows_of_images_are_those_that_each_has(counts: list[int], data: st.DataObject) -> None:
    images = data.draw(st.lists(st.integers(0, len(counts) - 1), max_size=8))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    rows, places = rows_of_images(offsets, np.array(images, np.int64))
    expected = [(row, place) for place, image in enumerate(images) for row in range(*offsets[image : image + 2])]
    assert list(zip(rows.tolist(), places.tolist(), strict=True)) == expected
