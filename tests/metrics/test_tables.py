"""Nothing that would make a score meaningless gets into a table."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.dataset.archive import Archive, ArchiveWriter
from humbleyolo.geometry.detections import Detections
from humbleyolo.geometry.grid import Grid
from humbleyolo.labels.formats.coco import flag_fields
from humbleyolo.metrics.tables import DetectionTable, TruthTable


def truth(**changes: Any) -> TruthTable:
    columns: dict[str, Any] = {
        "image_count": 3,
        "images": np.array([0, 2]),
        "boxes_ltwh": np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]),
        "labels": np.array([0, 1]),
        "crowd": np.array([False, True]),
    }
    return TruthTable(**columns | changes)


def detection(**changes: Any) -> DetectionTable:
    columns: dict[str, Any] = {
        "image_count": 3,
        "images": np.array([0, 2]),
        "boxes_ltwh": np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]),
        "labels": np.array([0, 1]),
        "scores": np.array([0.5, 0.5]),
    }
    return DetectionTable(**columns | changes)


def second_box(*numbers: float) -> np.ndarray[Any, Any]:
    return np.array([[1.0, 2, 3, 4], numbers])


@pytest.mark.parametrize("make", [truth, detection])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boxes_ltwh": second_box(np.nan, 1, 1, 1)}, r"1 has a number that is not finite .*\[nan, 1.0, 1.0, 1.0\]"),
        ({"boxes_ltwh": second_box(1, np.inf, 1, 1)}, "1 has a number that is not finite"),
        ({"boxes_ltwh": second_box(1, 1, 1e300, 1)}, "beyond 1e\\+09 pixels"),
        ({"images": np.array([0, 3])}, "1 has an image that is not one of 3: 3"),
        ({"images": np.array([-1, 0])}, "0 has an image that is not one of 3: -1"),
        ({"boxes_ltwh": second_box(1, 1, -1, 1)}, "1 has a"),
        ({"labels": np.array([0])}, r"labels is int64 \(1,\); expected int64 \(2,\)"),
        ({"labels": np.array([0.0, 1.0])}, "labels is float64"),
        ({"boxes_ltwh": np.zeros((2, 5))}, r"boxes_ltwh is float64 \(2, 5\)"),
    ],
)
def test_refused_in_both(make: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_refused_in_one() -> None:
    with pytest.raises(ValueError, match="ground truth 1 has a box without area"):
        truth(boxes_ltwh=second_box(1, 1, 0, 5))
    assert len(detection(boxes_ltwh=second_box(1, 1, 0, 5))) == 2
    with pytest.raises(ValueError, match="detection 0 has a score that is not a finite number: nan"):
        detection(scores=np.array([np.nan, 0.1]))
    with pytest.raises(ValueError, match="scores is float64"):
        detection(scores=np.array([0.1]))
    with pytest.raises(ValueError, match="crowd is int64"):
        truth(crowd=np.array([0, 1]))


def test_gather_keeps_images_without_boxes() -> None:
    gathered = TruthTable.gather([([], [], []), ([[1, 2, 3, 4], [5, 6, 7, 8]], [1, 0], [0, 1]), ([], [], [])])
    assert gathered.image_count == 3
    assert gathered.images.tolist() == [1, 1]
    assert gathered.labels.tolist() == [1, 0]
    assert gathered.crowd.tolist() == [False, True]
    found = DetectionTable.gather(
        [([[1, 2, 3, 4]], np.array([1], np.int32), np.array([0.5], np.float32)), ([], [], [])]
    )
    assert (found.image_count, found.images.tolist(), found.scores.tolist()) == (2, [0], [0.5])
    assert len(DetectionTable.gather([])) == 0


def test_gather_refuses_columns_of_different_lengths() -> None:
    with pytest.raises(ValueError, match="expected"):
        TruthTable.gather([([[1, 2, 3, 4]], [0, 1], [0, 0])])
    with pytest.raises(ValueError, match="scores"):
        DetectionTable.gather([([[1, 2, 3, 4]], [0], [0.1, 0.2])])


_ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 1), st.sampled_from([0.1, 0.5]), st.tuples(*[st.integers(0, 2)] * 4)),
    max_size=12,
)


@given(_ROWS, st.randoms(use_true_random=False))
def test_detections_have_one_order_whatever_theirs_was(rows: list[Any], random: Any) -> None:
    def in_order(some: list[Any]) -> list[Any]:
        table = DetectionTable(
            3,
            np.array([row[0] for row in some], np.int64),
            np.array([row[3] for row in some], np.float64).reshape(-1, 4),
            np.array([row[1] for row in some], np.int64),
            np.array([row[2] for row in some], np.float64),
        )
        return [some[row] for row in table.order()]

    mixed = list(rows)
    random.shuffle(mixed)
    ordered = in_order(mixed)
    assert ordered == in_order(rows)
    assert ordered == sorted(rows, key=lambda row: (-row[2], row[0], row[1], row[3]))


def test_joined_tables_are_those_of_all_images_one_after_the_other() -> None:
    rng = np.random.default_rng(1)
    images = [
        (rng.uniform(0, 9, (count, 4)), rng.integers(0, 3, count), rng.uniform(0, 1, count)) for count in (2, 0, 3, 1)
    ]
    whole = DetectionTable.gather(images)
    joined = DetectionTable.join([DetectionTable.gather(images[:2]), DetectionTable.gather(images[2:])])
    assert joined.image_count == 4
    for name in ("images", "boxes_ltwh", "labels", "scores"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))


def test_detections_leave_the_letterbox_each_by_its_own_size() -> None:
    grid = Grid(height=30, width=40, rows=3, cols=2, boxes=1, classes=3)
    sizes = np.array([[60, 40], [30, 80]], np.int32)  # padded left and right, padded above and below
    inside = np.array([[10.0, 0, 20, 15], [0, 0, 10, 30]]), np.array([[0.0, 7, 20, 15.3], [0, 0, 40, 7]])
    found = [Detections(boxes, np.array([0.9, 0.4]), np.array([2, 1])) for boxes in inside]
    table = DetectionTable.before_letterbox(found, sizes, grid)
    assert table.image_count == 2
    assert table.images.tolist() == [0, 1]  # the second box of each lies on padding alone
    assert table.labels.tolist() == [2, 2]
    np.testing.assert_allclose(table.boxes_ltwh, [[0, 0, 20, 30], [0, 0, 40, 16]], atol=1)
    whole = DetectionTable.before_letterbox(found, sizes, grid, whole_pixels=True)
    assert (whole.boxes_ltwh == np.round(table.boxes_ltwh)).all()
    with pytest.raises(ValueError, match="shorter"):
        DetectionTable.before_letterbox(found[:1], sizes, grid)


def test_archives_keep_crowds_and_difficult_objects(tmp_path: Path) -> None:
    flags = [{"crowd"}, {"difficult", "occluded"}, set()]
    with ArchiveWriter(tmp_path / "a.zip", ["cat"]) as archive:
        fields = [flag_fields(frozenset(some)) for some in flags]
        archive.add("a.png", b"", 20, 40, [[1, 2, 3, 4], [5, 6, 7, 8], [2, 2, 2, 2]], [0, 0, 0], fields)
        archive.add("b.png", b"", 20, 40, [[1, 2, 3, 4]], [0])
    with Archive(tmp_path / "a.zip") as archive:
        truths = TruthTable.from_archive(archive)
    assert truths.crowd.tolist() == [True, False, False, False]
    assert truths.difficult.tolist() == [False, True, False, False]
    assert truths.areas.tolist() == [12, 56, 4, 12]


def test_areas_that_labels_do_not_say_are_those_of_the_boxes() -> None:
    given = TruthTable.gather([([[1, 2, 3, 4], [5, 6, 7, 8]], [1, 0], [0, 1], [1, 0], [5.5, np.nan])])
    assert given.areas.tolist() == [5.5, 56]
    assert given.difficult.tolist() == [True, False]
    assert TruthTable.join([given, given]).take(np.array([2, 0])).areas.tolist() == [5.5, 5.5]


@given(st.lists(st.integers(0, 4)), st.integers(0, 3))
def test_the_rows_of_each_image_are_in_their_order(images: list[int], more: int) -> None:
    count = max(images, default=-1) + 1 + more
    none = np.zeros(len(images))
    table = DetectionTable(count, np.array(images, np.int64), np.zeros((len(images), 4)), none.astype(np.int64), none)
    expected = [[row for row, own in enumerate(images) if own == image] for image in range(count)]
    assert [rows.tolist() for rows in table.rows_by_image()] == expected
