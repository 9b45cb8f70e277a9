"""The selection of boxes is the one that the evaluation measured."""

import hashlib
import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from humbleyolo.errors import UserError
from humbleyolo.models.selection import (
    BEST,
    CAREFUL,
    DEFAULT,
    Selection,
    read_selection,
    selection_of,
    write_selection,
)
from humbleyolo.params.sections import Evaluate, Validation

EVALUATED = {
    "format": 3, "weights_sha256": "", "threshold": 0.37, "min_score": 0.05, "nms_iou": 0.4, "vote_iou": 0.6,
    "max_detections": 7, "mirrored": "none", "whole_pixels": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "expected", "says"),
    [
        (None, (0.5, 0.01, 0.5, 100, False), "there is no selection.json"),
        ({}, (0.37, 0.05, 0.4, 7, True), "the best on val"),
        ({"val_learned": True}, (0.37, 0.05, 0.4, 7, True), "a careful one, since val was learned too"),
        ({"threshold": None}, (0.5, 0.05, 0.4, 7, True), "none was any good"),
        ({"threshold": "0.4"}, (0.5, 0.01, 0.5, 100, False), "is damaged"),
        ({"threshold": 3}, (0.5, 0.01, 0.5, 100, False), "is damaged"),
        ({"whole_pixels": 1}, (0.5, 0.01, 0.5, 100, False), "is damaged"),
        ({"mirrored": "twice"}, (0.5, 0.01, 0.5, 100, False), "is damaged"),
        ({"more": 1}, (0.5, 0.01, 0.5, 100, False), "is damaged"),
        ({"format": 1}, (0.5, 0.01, 0.5, 100, False), "is of format 1, not 3"),
        ({"weights_sha256": "0"}, (0.5, 0.01, 0.5, 100, False), "is of other weights"),
        ("[1]", (0.5, 0.01, 0.5, 100, False), "is damaged"),
        ("{", (0.5, 0.01, 0.5, 100, False), "is damaged"),
    ],
)
def test_a_model_is_used_as_it_was_evaluated(
    change: dict[str, object] | str | None, expected: tuple[object, ...], says: str, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights.npz").write_bytes(b"weights")
    if change is not None:
        whole = EVALUATED | {"weights_sha256": hashlib.sha256(b"weights").hexdigest()}
        text = change if isinstance(change, str) else json.dumps(whole | change)
        (tmp_path / "model/selection.json").write_text(text)
    found = selection_of(tmp_path / "model")
    assert expected == (
        found.threshold, found.min_score, found.nms_iou, found.max_detections, found.whole_pixels
    )  # fmt: skip
    assert says in found.threshold_from


def test_a_file_from_before_there_were_votes_is_read(tmp_path: Path) -> None:
    (tmp_path / "weights.npz").write_bytes(b"weights")
    older = EVALUATED | {"format": 2, "weights_sha256": hashlib.sha256(b"weights").hexdigest()}
    del older["vote_iou"]
    (tmp_path / "selection.json").write_text(json.dumps(older))
    found = selection_of(tmp_path)
    assert (found.vote_iou, found.threshold) == (1.0, 0.37)


@pytest.mark.parametrize(("most", "allowed"), [(0, False), (1, True), (10_000, True), (10_001, False)])
def test_a_selection_has_the_limit_that_the_parameters_have(most: int, allowed: bool) -> None:
    refused = nullcontext() if allowed else pytest.raises(UserError, match="it must be 1 to 10,000")
    with refused:
        assert DEFAULT.override(max_detections=most).max_detections == most
    for section in (Evaluate, Validation):
        field = TypeAdapter(section.__annotations__["max_detections"])
        with nullcontext() if allowed else pytest.raises(ValidationError):
            assert field.validate_python(most) == most


@pytest.mark.parametrize("origin", [BEST, CAREFUL])
@pytest.mark.parametrize("threshold", [0.37, None])
def test_what_is_written_is_read(threshold: float | None, origin: str, tmp_path: Path) -> None:
    selection = Selection(0.05, 0.4, 7, whole_pixels=True, mirrored="both", vote_iou=0.6, threshold_from=origin)
    (tmp_path / "weights.npz").write_bytes(b"weights")
    write_selection(tmp_path / "selection.json", selection, tmp_path / "weights.npz", threshold)
    learned = ["val_learned"] * (origin == CAREFUL)
    assert list(json.loads((tmp_path / "selection.json").read_text())) == list(EVALUATED) + learned
    found = read_selection(tmp_path / "selection.json", tmp_path / "weights.npz")
    again = found.override(threshold=selection.threshold, threshold_from=selection.threshold_from)
    assert again == selection
    assert found.threshold == (0.5 if threshold is None else threshold)
    assert threshold is None or found.threshold_from == origin


def test_values_that_are_given_take_the_place_of_others() -> None:
    selection = Selection(0.05, 0.4, 7)
    assert selection.override(threshold=None, nms_iou=None, whole_pixels=None) == selection
    assert selection.override(nms_iou=0, whole_pixels=True) == Selection(0.05, 0, 7, whole_pixels=True)
    for name in ("threshold", "nms_iou"):
        for wrong in (-0.1, 1.1, float("nan")):
            with pytest.raises(UserError, match=rf"{name} is .*; it must be 0 to 1"):
                selection.override(**{name: wrong})
