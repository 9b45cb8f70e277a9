"""An export that is damaged, or whose answer cannot be true, is an error, in words."""

import base64
import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stub_models import facts

from humbleyolo import Detector, UserError
from humbleyolo.detection.backends.metadata import METADATA, ExportedModel, Metadata, metadata_in_zip
from humbleyolo.detection.backends.page_file import MODEL_MARK, onnx_in

RIGHT: dict[str, Any] = {
    "boxes": np.array([[[1, 2, 9, 12], [0, 0, 0, 0]]], np.float32),
    "scores": np.array([[0.9, 0.0]], np.float32),
    "labels": np.array([[1, 0]], np.int32),
    "count": np.array([1], np.int32),
    "grid": np.zeros((1, 3, 5, 7), np.float32),
}


def backend(answer: Any) -> ExportedModel:
    def run(_: np.ndarray) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    told = {"version": "0", "precision": "float32", "weights_sha256": ""}
    return ExportedModel(Metadata.of(facts(), **told), run, Path("m.onnx"))


def detector(answer: Any) -> Detector:
    return Detector(backend(answer))


IMAGE = np.zeros((32, 64, 3), np.uint8)


def test_a_right_answer_is_taken() -> None:
    np.testing.assert_array_equal(detector(RIGHT)(IMAGE).boxes, [[1, 2, 9, 12]])


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("boxes", np.full((1, 2, 4), np.nan, np.float32), "numbers that are not finite"),
        ("scores", np.array([[np.inf, 0]], np.float32), "numbers that are not finite"),
        ("grid", np.full((1, 3, 5, 7), np.nan, np.float32), "numbers that are not finite"),
        ("labels", np.array([[2, 0]], np.int32), "a label that is none of its 2 names"),
        ("labels", np.array([[-1, 0]], np.int32), "a label that is none of its 2 names"),
        ("count", np.array([3], np.int32), "a count that is not 0 to 2"),
        ("boxes", np.zeros((1, 2, 5), np.float32), "boxes are of shape"),
        ("scores", np.zeros(2, np.float32), "are of shape"),
        ("boxes", None, "it has no boxes"),
        ("scores", np.array([["a", "b"]]), "scores are no numbers"),
        ("labels", np.array([["a", None]], object), "labels are no numbers"),
        ("grid", [{"a": 1.0}], "grid are no numbers"),  # a sequence of maps
    ],
)
def test_nonsense_is_an_error(name: str, value: Any, says: str) -> None:
    answer = RIGHT | {name: value}
    if value is None:
        del answer[name]
    with pytest.raises(UserError, match=f"m.onnx: gives an answer that cannot be true: .*{says}.*humbleyolo export"):
        detector(answer)(IMAGE)
    with pytest.raises(UserError, match=says):
        backend(answer).confidence(IMAGE[None])


def test_a_runtime_that_gives_up_is_told() -> None:
    with pytest.raises(UserError, match=r"m\.onnx: is damaged \(no input pixels\); write it again"):
        detector(ValueError("no input pixels\nand a trace"))(IMAGE)


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_byte_that_changed_in_packed_metadata_leaves_no_trace(packing: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        archive.writestr(METADATA, backend(RIGHT).metadata.model_dump_json())
    whole = file.getvalue()
    assert metadata_in_zip(whole, Path("m.tflite")) == backend(RIGHT).metadata
    refused = 0
    for place in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[place] ^= 0xFF
        try:
            metadata_in_zip(bytes(changed), Path("m.tflite"))
        except UserError as error:
            refused += "m.tflite: " in str(error)
    assert refused > len(whole) / 6


def page_of(packed: bytes, path: Path) -> Path:
    path.write_bytes(b'id="%s">%s<' % (MODEL_MARK.encode(), base64.b64encode(packed)))
    return path


def test_a_byte_that_changed_in_a_page_leaves_no_trace(tmp_path: Path) -> None:
    whole = gzip.compress(np.random.default_rng(0).bytes(99) * 3)
    for place in range(10, len(whole)):  # after the header, of which some bytes may be anything
        changed = bytearray(whole)
        changed[place] ^= 0xFF
        with pytest.raises(UserError, match=r"m\.html: is damaged"):
            onnx_in(page_of(bytes(changed), tmp_path / "m.html"))


def test_a_small_page_cannot_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humbleyolo.detection.backends.page_file._SMALL", 1000)
    page = page_of(gzip.compress(bytes(10**6)), tmp_path / "m.html")
    with pytest.raises(UserError, match=r"m\.html: is damaged \(its model of [\d,]+ bytes is unpacked to more than"):
        onnx_in(page)
