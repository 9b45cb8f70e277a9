"""Files of detections: one name for one picture, and no labels for one that failed."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from humbleyolo.detection.image_paths import NamedImage
from humbleyolo.detection.result import Result
from humbleyolo.detection.writers import make_writer
from humbleyolo.errors import UserError


def one_box() -> Result:
    return Result(np.array([[0.0, 0.0, 2.0, 2.0]]), np.ones(1), np.zeros(1, np.int64), ("rat",), 8, 8)


def gone() -> bytes:
    raise UserError("b.jpg: cannot be read")


@pytest.mark.parametrize("to", ["coco", "yolo", "voc", "cvat"])
def test_pictures_of_one_name_are_refused(to: str, tmp_path: Path) -> None:
    with make_writer(to, tmp_path / "out", io.BytesIO(), {"classes": ["rat"]}) as writer:
        writer.add(NamedImage("A/1.jpg", "1.jpg", gone), one_box())
        with pytest.raises(
            UserError, match=r"^B/1\.jpg: its labels would have the name of those of A/1\.jpg; rename"
        ):
            writer.add(NamedImage("B/1.jpg", "1.jpg", gone), one_box())
        writer.add(NamedImage("B/2.jpg", "2.jpg", gone), one_box())
    if to == "coco":
        written = json.loads((tmp_path / "out").read_text())
        assert [one["file_name"] for one in written["images"]] == ["1.jpg", "2.jpg"]
        assert [one["image_id"] for one in written["annotations"]] == [1, 2]


def test_names_of_two_kinds_are_two_pictures_to_coco(tmp_path: Path) -> None:
    with make_writer("coco", tmp_path / "out", io.BytesIO(), {"classes": ["rat"]}) as writer:
        for name in ("1.jpg", "1.png"):
            writer.add(NamedImage(name, name, gone), one_box())
    assert len(json.loads((tmp_path / "out").read_text())["images"]) == 2


def test_a_picture_that_cannot_be_copied_has_no_labels_either(tmp_path: Path) -> None:
    with make_writer("yolo", tmp_path / "out", io.BytesIO(), {"classes": ["rat"]}, copy_images=True) as writer:
        writer.add(NamedImage("a.jpg", "a.jpg", lambda: b"a"), one_box())
        with pytest.raises(UserError, match="cannot be read"):
            writer.add(NamedImage("b.jpg", "b.jpg", gone), one_box())
        writer.add(NamedImage("again/b.jpg", "b.jpg", lambda: b"b"), one_box())
    assert sorted(path.name for path in (tmp_path / "out/labels").iterdir()) == ["a.txt", "b.txt", "classes.txt"]
    assert (tmp_path / "out/images/b.jpg").read_bytes() == b"b"
