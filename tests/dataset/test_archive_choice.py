"""The archives of a split: none too large, all images in one, and few that change with one more image."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.dataset.archive_choice import (
    ALL,
    MOST_ARCHIVES,
    choose_archives,
    content_key,
    find_faults,
    list_parts,
    number_key,
    require_few,
)
from humbleyolo.errors import UserError

# Keys that share long beginnings, as those of equal files do, among keys that do not.
keys = st.one_of(
    st.binary(min_size=8, max_size=8),
    st.integers(0, 2**6).map(lambda number: number.to_bytes(8)),
    st.integers(0, 2**6).map(lambda number: bytes([number]) + bytes(7)),
)
some = st.lists(keys, max_size=40, unique=True)


def contents(keys: list[bytes], most: int) -> dict[str, set[bytes]]:
    return {name: {keys[number] for number in own} for name, own in choose_archives(keys, most).items()}


def bits(key: bytes) -> str:
    return f"{int.from_bytes(key):064b}"


@given(some, st.integers(1, 12))
def test_each_image_is_in_one_archive_and_none_is_too_large(keys: list[bytes], most: int) -> None:
    archives = choose_archives(keys, most)
    assert sorted(number for own in archives.values() for number in own) == list(range(len(keys)))
    assert all(len(own) <= most and own == sorted(own) for own in archives.values())
    assert list(archives) == sorted(archives)
    assert find_faults(archives) == ([], [])


@given(some, st.integers(1, 12))
def test_an_archive_is_named_by_the_bits_that_its_keys_begin_with(keys: list[bytes], most: int) -> None:
    for name, own in contents(keys, most).items():
        assert name == ALL or all(bits(key).startswith(name) for key in own)


@given(some, st.integers(1, 12), st.randoms())
def test_the_order_of_the_images_decides_nothing(keys: list[bytes], most: int, random) -> None:  # type: ignore[no-untyped-def]
    mixed = random.sample(keys, len(keys))
    assert contents(mixed, most) == contents(keys, most)


@given(some.filter(len), st.integers(1, 12))
def test_one_more_image_changes_one_archive_or_cuts_it(keys: list[bytes], most: int) -> None:
    before, after = contents(keys[1:], most), contents(keys, most)
    gone = {name for name in before if before[name] != after.get(name)}
    assert len(gone) == 1
    (changed,) = gone
    new = {name for name in after if after[name] != before.get(name)}
    if new != {changed}:
        assert changed not in after
        assert len(before[changed]) == most
        assert all(changed == ALL or name.startswith(changed) for name in new)
    assert set.union(*(after[name] for name in new)) == before[changed] | {keys[0]}


@given(some, st.integers(1, 12), st.integers(2, 30))
def test_equal_files_stay_together_and_alone_where_they_are_too_many(
    others: list[bytes], most: int, copies: int
) -> None:
    digest = hashlib.sha256(b"one file").hexdigest()
    archives = choose_archives([content_key(digest)] * copies + others, most)
    assert find_faults(archives) == ([], [])
    assert sorted(number for own in archives.values() for number in own) == list(range(copies + len(others)))
    (together,) = (own for own in archives.values() if 0 in own)
    assert together[:copies] == list(range(copies))
    assert all(len(own) <= max(most, copies) for own in archives.values())
    assert len(together) <= most or len(together) == copies


def test_copies_of_one_file_alone_are_not_cut() -> None:
    assert choose_archives([bytes(8)] * 5, 2) == {ALL: [0, 1, 2, 3, 4]}


def test_names_and_keys_stay_as_they_are() -> None:
    """Others would move every image of every dataset to another archive."""
    archives = choose_archives([number_key(number) for number in range(12)], 4)
    tree = {"00": [8, 9], "0100": [3, 4, 10, 11], "0101": [0], "011": [1, 7], "1": [2, 5, 6]}
    assert archives == tree
    assert content_key("ab" * 32).hex() == "ab" * 8


def test_too_many_archives_are_refused_with_a_number_that_is_enough() -> None:
    splits = {"train": 3000, "val": 300, "test": 300}

    def archives(most: int) -> dict[str, dict[str, list[int]]]:
        return {name: choose_archives([*map(number_key, range(count))], most) for name, count in splits.items()}

    with pytest.raises(UserError, match=r"archive_images: 5 makes .* of 3,600 images.*most 400.*to 36 for example"):
        require_few(archives(5), 5)
    require_few(archives(36), 36)
    assert 100 < sum(map(len, archives(36).values())) < MOST_ARCHIVES


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], r"data: holds no all\.zip and no other of its parts; mend it"),
        (["ALL.zip", "2.zip", "0", "all"], r"data: holds no all\.zip and no other"),
        (["0.zip"], r"data: 1\.zip is missing, or all parts whose names begin with 1; mend it"),
        (["0.zip", "10.zip", "111.zip"], r"data: 110\.zip is missing"),
        (["all.zip", "0.zip"], r"data: 0\.zip is not of the same run as the others; mend it"),
        (["0.zip", "1.zip", "10.zip", "11.zip"], r"data: 10\.zip is not of the same run"),
    ],
)
def test_parts_that_are_missing_or_too_many_are_told(names: list[str], words: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in names:
        (tmp_path / "data" / name).touch()
    with pytest.raises(UserError, match=words):
        list_parts(tmp_path / "data", ".zip", "mend it")


def test_a_folder_that_is_missing_or_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, words in (("none", "none: no such folder; mend it"), ("file", "file: cannot be read: .*; mend it")):
        with pytest.raises(UserError, match=words):
            list_parts(tmp_path / name, "", "mend it")


def test_other_files_beside_the_parts_are_left_alone(tmp_path: Path) -> None:
    for name in ("0.zip", "1.zip", "notes.zip", ".gitignore", "0.zip.part"):
        (tmp_path / name).touch()
    assert list_parts(tmp_path, ".zip", "") == ["0", "1"]
