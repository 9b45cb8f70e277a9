"""What is written is read back, by us and by others; what is damaged is never taken for whole."""

import contextlib
import io
import json
import math
import random
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from humbleyolo.dataset import archive as archive_module
from humbleyolo.dataset.archive import Archive, ArchiveWriter
from humbleyolo.errors import UserError
from humbleyolo.storage import zip as stored_zip

Image = tuple[str, bytes, int, int, list[list[float]], list[int]]

FOUR: list[Image] = [
    ("0.png", b"first", 3, 4, [[0, 1, 2, 1], [0.5, 0.25, 1.125, 2]], [1, 0]),
    ("1.png", b"", 5, 6, [], []),
    ("a/b/ü.jpg", b"\x00\xff" * 50, 7, 8, [[-1.5, 0, 3, 3]], [2]),
    ("a/c.png", b"last", 9, 10, [], []),
]
CATEGORIES = ["chat", "rat", '日本 "x"\n']


def write(path: Path, images: list[Image], categories: list[str] = CATEGORIES, **more: Any) -> Path:
    with ArchiveWriter(path, categories) as archive:
        for image in images:
            archive.add(*image, **more)
    return path


def read(path: Path, *span: int) -> list[Image]:
    with Archive(path) as archive:
        return [
            (
                record.file_name,
                record.image_bytes,
                record.height,
                record.width,
                record.boxes_ltwh.tolist(),
                record.labels.tolist(),
            )
            for record in archive.images(*span)
        ]


def annotations_of(path: Path) -> Any:
    with zipfile.ZipFile(path) as file:
        return json.loads(file.read("annotations.json"))


names = st.lists(
    st.text(st.characters(exclude_characters="\\/\0", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
        lambda name: name not in (".", "..")
    ),
    min_size=1,
    max_size=3,
).map("/".join)
lengths = st.floats(1e-3, 1e5)
boxes = st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5), lengths, lengths).map(list)


@st.composite
def splits(draw: Any) -> list[Image]:
    images = []
    for name in sorted(draw(st.sets(names, max_size=12))):
        objects = draw(st.lists(st.tuples(boxes, st.integers(0, 2)), max_size=4))
        height, width = draw(st.integers(1, 9999)), draw(st.integers(1, 9999))
        images.append(
            (name, draw(st.binary(max_size=40)), height, width, [b for b, _ in objects], [c for _, c in objects])
        )
    return images


@given(splits())
@example([])
@example(FOUR)
def test_round_trip_and_any_zip_tool_agrees(tmp_path_factory: Any, images: list[Image]) -> None:
    path = write(tmp_path_factory.mktemp("archive") / "a.zip", images)
    assert read(path) == images
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert file.namelist() == ["annotations.json", *(f"images/{image[0]}" for image in images)]
        for image in images:
            assert file.read(f"images/{image[0]}") == image[1]
        for info in file.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert (info.create_system, info.external_attr >> 16) == (3, 0o100644)


@given(splits(), st.integers(0, 12), st.integers(0, 12))
def test_a_range_is_a_slice_of_the_whole(tmp_path_factory: Any, images: list[Image], start: int, stop: int) -> None:
    path = write(tmp_path_factory.mktemp("archive") / "a.zip", images)
    assert read(path, start, stop) == images[start:stop]
    with Archive(path) as archive:
        assert len(archive) == len(images)
        assert [truth.image_id for truth in archive.truths(start, stop)] == list(
            range(1, len(images) + 1)[start:stop]
        )


def test_annotations_are_coco(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", FOUR)
    found = annotations_of(path)
    assert [c["id"] for c in found["categories"]] == [1, 2, 3]
    assert [c["name"] for c in found["categories"]] == CATEGORIES
    assert found["images"][2] == {"id": 3, "file_name": "a/b/ü.jpg", "height": 7, "width": 8}
    assert found["annotations"][0] == {
        "id": 1, "image_id": 1, "category_id": 2, "bbox": [0.0, 1.0, 2.0, 1.0], "area": 2.0, "iscrowd": 0,
    }  # fmt: skip
    assert all(isinstance(edge, float) for a in found["annotations"] for edge in a["bbox"])
    (tmp_path / "coco.json").write_text(json.dumps(found))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "coco.json"))
    assert len(coco.getAnnIds(imgIds=[1])) == 2


def test_equal_contents_are_equal_bytes_whatever_came_before(tmp_path: Path) -> None:
    first = write(tmp_path / "one.zip", FOUR).read_bytes()
    second = write(tmp_path / "another name.zip", FOUR).read_bytes()
    assert first == second
    arrays = [(*i[:4], np.array(i[4], np.float64).reshape(-1, 4), np.array(i[5], np.int64)) for i in FOUR]
    assert write(tmp_path / "arrays.zip", arrays).read_bytes() == first  # type: ignore[arg-type]


def test_further_fields_are_kept(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "a.zip", ["x"]) as writer:
        writer.add("0", b"", 1, 1, [[0, 0, 1, 1]], [0], [{"iscrowd": 1, "difficult": 1}])
    (record,) = Archive(tmp_path / "a.zip")
    assert record.annotations[0]["iscrowd"] == 1
    assert record.annotations[0]["difficult"] == 1


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (("0.png", b"", 1, 1, [], []), "ascending"),
        (("", b"", 1, 1, [], []), "ascending"),
        (("../x", b"", 1, 1, [], []), "ascending"),
        (("9/../x", b"", 1, 1, [], []), "plain path"),
        (("9\\x", b"", 1, 1, [], []), "plain path"),
        (("9//x", b"", 1, 1, [], []), "plain path"),
        (("9/", b"", 1, 1, [], []), "plain path"),
        (("9\0", b"", 1, 1, [], []), "plain path"),
        (("9", b"", 1, 1, [[0, 0, 0, 1]], [0]), "no area"),
        (("9", b"", 1, 1, [[0, 0, 1, math.nan]], [0]), "no area"),
        (("9", b"", 1, 1, [[-math.inf, 0, 1, 1]], [0]), "not finite"),
        (("9", b"", 1, 1, [[0, 0, 1, 1]], [3]), "not one of 3"),
        (("9", b"", 1, 1, [[0, 0, 1, 1]], [-1]), "not one of 3"),
        (("9", b"", 1, 1, [[0, 0, 1, 1]], []), "not as many"),
        (("9", b"", 1, 1, [[0, 0, 1, 1]], [0], [{"id": 9}]), "written already: id"),
        (("9", b"", 1, 1, [[0, 0, 1, 1]], [0], []), "not as many"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_written(tmp_path: Path, image: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        write(tmp_path / "a.zip", [FOUR[0], image])
    assert list(tmp_path.iterdir()) == []


def test_a_missing_archive_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.zip: no such file; run `dvc repro generate`.*`dvc pull`"):
        Archive(tmp_path / "train.zip")
    with pytest.raises(UserError, match="cannot be read"):
        Archive(tmp_path)


def test_every_damaged_byte_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", FOUR)
    whole = path.read_bytes()
    unnoticed = []
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        with contextlib.suppress(UserError):
            if read(path) != FOUR:
                unnoticed.append(position)
    assert not unnoticed


def test_every_cut_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", FOUR)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"a\.zip: is (cut short|empty)"):
            read(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(UserError, match="cut short"):
        read(path)


def test_random_bytes_raise_nothing_but_what_is_meant(tmp_path: Path) -> None:
    generator = random.Random(0)
    whole = write(tmp_path / "a.zip", FOUR).read_bytes()
    for _ in range(1000):
        broken = bytearray(whole)
        for _ in range(generator.randint(1, 30)):
            broken[generator.randrange(len(broken))] = generator.choice([0, 1, 0x7F, 0xFF, 0x50])
        (tmp_path / "a.zip").write_bytes(broken)
        with contextlib.suppress(UserError):
            read(tmp_path / "a.zip")


foreign_annotations = {
    "not JSON": b"nonsense\n",
    "another layout": json.dumps({"images": [], "annotations": [], "categories": []}).encode(),
    "no categories": b'{"images":[\n],"annotations":[\n]}\n',
    "ids from 0": b'{"categories":[{"id":0,"name":"a"}],"images":[\n],"annotations":[\n]}\n',
    "categories a number": b'{"categories":5,"images":[\n],"annotations":[\n]}\n',
    "more images than stored": b'{"categories":[],"images":[\n{"id":1}\n],"annotations":[\n]}\n',
    "another id": b'{"categories":[],"images":[\n{"id":2,"file_name":"x"}\n],"annotations":[\n]}\n',
    "a list": b'{"categories":[],"images":[\n[1]\n],"annotations":[\n]}\n',
    "deep": b'{"categories":[],"images":[\n' + b"[" * 100_000 + b'\n],"annotations":[\n]}\n',
    "no category": b'{"categories":[],"images":[\n{"id":1,"file_name":"x","height":1,"width":1}\n],"annotations":[\n'
    b'{"id":1,"image_id":1,"category_id":1,"bbox":[0,0,1,1]}\n]}\n',
    "three numbers": b'{"categories":[{"id":1,"name":"a"}],"images":[\n{"id":1,"file_name":"x","height":1,"width":1}'
    b'\n],"annotations":[\n{"id":1,"image_id":1,"category_id":1,"bbox":[0,0,1]}\n]}\n',
    "another name": b'{"categories":[],"images":[\n{"id":1,"file_name":"y","height":1,"width":1}\n],"annotations":[\n'
    b"]}\n",
    "no image": b'{"categories":[{"id":1,"name":"a"}],"images":[\n{"id":1,"file_name":"x","height":1,"width":1}'
    b'\n],"annotations":[\n{"id":1,"image_id":7,"category_id":1,"bbox":[0,0,1,1]}\n]}\n',
}


@pytest.mark.parametrize("kind", foreign_annotations)
def test_a_foreign_archive_is_refused(tmp_path: Path, kind: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("annotations.json", foreign_annotations[kind])
        if kind != "more images than stored":
            file.writestr("images/x", b"x")
    with pytest.raises(UserError, match=r"a\.zip: is not an archive that `generate` wrote \(.+\); run `dvc repro"):
        read(tmp_path / "a.zip")


def test_compressed_and_other_zips_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("annotations.json", b"x" * 1000)
    with pytest.raises(UserError, match="compressed entries"):
        read(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        file.writestr("photo.jpg", b"x")
    with pytest.raises(UserError, match=r"no annotations\.json at the start"):
        read(tmp_path / "b.zip")


def test_more_than_65535_images(tmp_path: Path) -> None:
    count = 66_000
    with ArchiveWriter(tmp_path / "a.zip", ["x"]) as writer:
        for index in range(count):
            writer.add(f"{index:06d}", b"%d" % index, 1, 1, [[index, 0, 1, 1]] * (index % 2), [0] * (index % 2))
    with Archive(tmp_path / "a.zip") as archive:
        assert len(archive) == count
        (last,) = archive.images(count - 1)
        assert (last.image_id, last.image_bytes, last.boxes_ltwh[0, 0]) == (count, b"65999", count - 1)
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert len(file.namelist()) == count + 1
        assert file.read("images/065999") == b"65999"


def test_offsets_over_the_32_bit_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As in an archive of more than 4 GiB; the limit is lowered, and stands in the header as the standard has it.
    real_pack = stored_zip._CENTRAL
    monkeypatch.setattr(stored_zip, "_MAX32", 200)

    class Central:
        size = real_pack.size
        unpack_from = real_pack.unpack_from

        @staticmethod
        def pack(*values: int) -> bytes:
            return real_pack.pack(*values[:-1], 0xFFFFFFFF if values[-1] == 200 else values[-1])

    monkeypatch.setattr(stored_zip, "_CENTRAL", Central)
    monkeypatch.setattr(stored_zip, "_END", _End(stored_zip._END))
    images: list[Image] = [(f"{i}", bytes([i]) * 90, 1, 1, [], []) for i in range(8)]
    with stored_zip.StoredZipWriter(tmp_path / "a.zip") as writer:
        for image in images:
            writer.add(image[0].encode(), image[1])
    monkeypatch.undo()
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert file.testzip() is None
        assert [file.read(image[0]) for image in images] == [image[1] for image in images]
    ours = stored_zip.StoredZip(tmp_path / "a.zip")
    assert [ours.read(entry) for entry in ours.entries(0, 8)] == [image[1] for image in images]


class _End:
    def __init__(self, real: Any) -> None:
        self.size, self._pack = real.size, real.pack

    def pack(self, *values: int) -> bytes:
        return self._pack(*(0xFFFFFFFF if value == 200 else value for value in values))  # type: ignore[no-any-return]


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        with ArchiveWriter(tmp_path / "a.zip", ["x"]) as writer:
            for index in range(count):
                writer.add(f"{index:06d}", b"image", 1, 1, [[index, 0, 1, 1]] * 3, [0] * 3)
        with Archive(tmp_path / "a.zip") as archive:
            assert sum(len(record.labels) for record in archive) == 3 * count
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(3_000) < peak(1_000) + 100_000


def test_two_processes_read_one_archive(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", FOUR)
    code = (
        "import sys; from pathlib import Path; from humbleyolo.dataset.archive import Archive\n"
        "print([record.file_name for record in Archive(Path(sys.argv[1])).images(2, 4)])"
    )
    with Archive(path):
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", code, str(path)], capture_output=True, check=True, encoding="utf8"
        )
    assert done.stdout.strip() == "['a/b/ü.jpg', 'a/c.png']"


def test_lines_longer_than_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "_CHUNK", 16)
    assert read(write(tmp_path / "a.zip", FOUR)) == FOUR
