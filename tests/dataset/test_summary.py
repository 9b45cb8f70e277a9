"""The summary counts what the archive holds."""

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.dataset.summary import SplitCounts, write_summary
from humbleyolo.metrics.coco_metrics import AREA_RANGES


def test_counts_of_objects_classes_and_areas(tmp_path: Path) -> None:
    counts = SplitCounts(["a", "b", "never"])
    counts.add([], [])
    counts.add([(0, 0, 10, 10), (0, 0, 31, 33)], [0, 1], not_drawn=3)
    counts.add([(5, 5, 32, 32), (0, 0, 96, 96), (0, 0, 95, 97)], [1, 1, 0])
    write_summary(tmp_path / "s.json", {"train": counts, "val": SplitCounts(["a", "b", "never"])})
    found = json.loads((tmp_path / "s.json").read_text())
    assert found["train"] == {
        "images": 3,
        "objects": 5,
        "not_drawn": 3,
        "objects_per_image": {"0": 1, "2": 1, "3": 1},
        "classes": {"a": 2, "b": 3, "never": 0},
        "areas": {"small": 3, "medium": 2, "large": 0},
        "area_px": {"min": 100, "lower_quartile": 1023, "median": 1024, "upper_quartile": 9215, "max": 9216},
    }
    assert found["val"]["area_px"]["median"] is None


@given(st.lists(st.integers(1, 30_000) | st.sampled_from([32**2, 96**2]), max_size=20))
def test_sizes_are_those_of_cocos_metrics_and_their_counts_add_up(areas: list[int]) -> None:
    """Each object is of a size in which AP counts it."""
    counts = SplitCounts(["a"])
    counts.add([(0, 0, area, 1) for area in areas], [0] * len(areas))
    sizes = counts.as_dict()["areas"]
    assert sum(sizes.values()) == len(areas)
    for size, count in sizes.items():
        low, high = AREA_RANGES[size]
        assert sum(low < area < high for area in areas) <= count <= sum(low <= area <= high for area in areas)


def test_quartiles_are_those_of_numpy() -> None:
    areas = np.random.default_rng(0).integers(1, 50, 1001)
    counts = SplitCounts(["a"])
    counts.add([(0, 0, int(area), 1) for area in areas], [0] * len(areas))
    expected = [int(np.quantile(areas, part, method="inverted_cdf")) for part in (0, 0.25, 0.5, 0.75, 1)]
    assert list(counts.as_dict()["area_px"].values()) == expected
