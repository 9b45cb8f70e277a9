"""An export whose answer cannot be true is an error, in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stub_models import facts

from humbleyolo import Detector, UserError
from humbleyolo.detection.backends.metadata import ExportedModel, Metadata

RIGHT: dict[str, Any] = {
    "boxes": np.array([[[1, 2, 9, 12], [0, 0, 0, 0]]], np.float32),
    "scores": np.array([[0.9, 0.0]], np.float32),
    "labels": np.array([[1, 0]], np.int32),
    "count": np.array([1], np.int32),
    "grid": np.zeros((1, 3, 5, 7), np.float32),
}


def detector(answer: Any) -> Detector:
    def run(_: np.ndarray) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    told = {"version": "0", "precision": "float32", "weights_sha256": ""}
    return Detector(ExportedModel(Metadata.of(facts(), **told), run, Path("m.onnx")))


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
    ],
)
def test_nonsense_is_an_error(name: str, value: Any, says: str) -> None:
    answer = RIGHT | {name: value}
    if value is None:
        del answer[name]
    with pytest.raises(UserError, match=f"m.onnx: gives an answer that cannot be true: .*{says}.*humbleyolo export"):
        detector(answer)(IMAGE)


def test_a_runtime_that_gives_up_is_told() -> None:
    with pytest.raises(UserError, match=r"m\.onnx: is damaged \(no input pixels\); write it again"):
        detector(ValueError("no input pixels\nand a trace"))(IMAGE)
