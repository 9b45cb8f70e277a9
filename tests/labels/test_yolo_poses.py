"""Poses without `kpt_shape` are told, and polygons are not taken for poses."""

import numpy as np
import pytest
from folders import Files, Maker, picture

from humbleyolo.labels.formats.yolo_poses import find_poses


def poses(seed: int, lines: int, points: int, numbers: int) -> np.ndarray:
    """Lines of a box in the image and points inside it; the third number of a point is its visibility."""
    rng = np.random.default_rng(seed)
    sides = rng.uniform(0.05, 0.5, (lines, 2))
    centre = sides / 2 + rng.uniform(0, 1 - sides)
    keypoints = centre[:, None] + rng.uniform(-0.5, 0.5, (lines, points, 2)) * sides[:, None]
    keypoints[rng.uniform(size=(lines, points)) < 0.1] = 0  # not seen
    seen = np.ones((lines, points, 1)) if numbers == 3 else np.zeros((lines, points, 0))
    return np.concatenate([centre, sides, np.concatenate([keypoints, seen], axis=2).reshape(lines, -1)], axis=1)


def polygons(seed: int, lines: int, points: int, area: float, reach: float = 0.2) -> np.ndarray:
    """Lines of points around a centre, which lie in a part of the image, from its upper left corner on."""
    rng = np.random.default_rng(seed)
    reach = rng.uniform(0.02, reach, (lines, 1))
    centre = reach[:, None] + rng.uniform(size=(lines, 1, 2)) * (area - 2 * reach[:, None])
    angles = np.sort(rng.uniform(0, 2 * np.pi, (lines, points)), axis=1)
    return (centre + reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=2)).reshape(lines, -1)


@pytest.mark.parametrize(("points", "numbers"), [(12, 2), (1, 2), (2, 2), (17, 2), (24, 3), (4, 3)])
@pytest.mark.parametrize("seed", range(5))
def test_poses_are_told_with_their_shape(points: int, numbers: int, seed: int) -> None:
    found = find_poses(poses(seed, 40, points, numbers), 40)
    assert found is not None
    assert f"kpt_shape: [{points}, {numbers}]" in found.why


@pytest.mark.parametrize("points", [3, 4, 5, 8, 30])
@pytest.mark.parametrize("area", [0.45, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_polygons_are_no_poses(points: int, area: float, seed: int) -> None:
    assert find_poses(polygons(seed, 40, points, area), 40) is None
    small = polygons(seed, 40, points, 0.4, 0.04) + 0.2  # which a box of their first numbers would hold
    assert find_poses(small, 40) is None


@pytest.mark.parametrize(("lines", "told"), [(9, False), (10, True)])
def test_ten_lines_tell_poses(lines: int, told: bool) -> None:
    assert (find_poses(poses(1, lines, 5, 3), lines) is not None) is told


@pytest.mark.parametrize(("others", "told"), [(5, True), (6, False)])
def test_nineteen_of_twenty_lines_are_poses(others: int, told: bool) -> None:
    """The others have a keypoint far beside their box."""
    rows = poses(2, 100, 2, 2)
    rows[:others, :4], rows[:others, 4:] = [0.25, 0.25, 0.1, 0.1], 0.9
    assert (find_poses(rows, 100) is not None) is told


def test_more_lines_are_counted_than_looked_at() -> None:
    found = find_poses(poses(1, 40, 12, 2), 4000)
    assert found is not None
    assert found.what.startswith("4,000 lines")


@pytest.mark.parametrize(("more", "told"), [("0 0.5 0.5 0.1 0.1 0.5 O.5", True), ("0 0 0 1 0 1 1 0 1", False)])
def test_a_line_among_poses_that_is_none(make: Maker, more: str, told: bool) -> None:
    """A slip of the pen says nothing; a polygon of another number of points says that all are polygons."""
    rows = [f"0 {' '.join(f'{one:.6f}' for one in row)}" for row in poses(3, 24, 1, 2)]
    files: Files = {"a.png": picture(), "classes.txt": "tiger\n", "a.txt": "\n".join([*rows, more])}
    assert ("poses" in [row.kind for row in make.findings(files)]) is told


def test_no_line_is_read_as_another_box(make: Maker) -> None:
    """As in archives of tiger-pose, whose YAML lies elsewhere: 12 points are 29 columns."""
    rows = poses(3, 24, 12, 2)
    files: Files = {"classes.txt": "tiger\n"}
    for place in range(8):
        lines = (f"0 {' '.join(f'{one:.6f}' for one in row)}\n" for row in rows[place::8])
        files |= {f"{place}.png": picture(place), f"{place}.txt": "".join(lines)}
    assert [row.kind for row in make.findings(files) if row.severity == "error"] == ["poses"]
    assert make.read(files, on_problem="skip").images == []
    assert "poses" in [row.kind for row in make.read(files, format="yolo").ledger.rows if row.severity == "warning"]
    del files["classes.txt"]
    data = make.read({**files, "data.yaml": "names: [tiger]\nkpt_shape: [12, 2]\n"})
    centre = np.concatenate([(one.boxes[:, :2] + one.boxes[:, 2:]) / 2 / [40, 20] for one in data.images])
    assert np.allclose(np.sort(centre, axis=0), np.sort(rows[:, :2], axis=0), atol=1e-5)
