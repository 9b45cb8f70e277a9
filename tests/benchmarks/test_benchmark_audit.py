"""Mistakes planted in a project's labels, and the doubts that count as having found them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from evaluated_project import write_archive

from benchmarks.audit import KINDS, count_boxes, plant, score, totals
from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.dataset.encoding import encode_split
from humbleyolo.geometry.grid import Grid

GRID = Grid(height=48, width=64, rows=3, cols=4, boxes=1, classes=3)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "data/dataset").mkdir(parents=True)
    (folder / "params.yaml").write_text("seed: 1\n")
    for number, split in enumerate(("train", "val")):
        path = folder / f"data/dataset/{split}"
        write_archive(path, ["a", "b", "c"], 40, 48, 64, seed=number)
        list(encode_split(path, GRID, 0, folder / f"data/grid/{split}", 0))
    return folder


def contents(path: Path) -> list[list[tuple[object, ...]]]:
    with ArchivedSplit(path) as archive:
        return [
            [(label, *box) for box, label in zip(one.boxes_ltwh.tolist(), one.labels.tolist(), strict=True)]
            for one in archive.truths()
        ]


def test_each_kind_is_planted_as_often_and_nothing_else_changes(project: Path, tmp_path: Path) -> None:
    planted = plant(project, tmp_path / "copy", 0.2, 1)
    assert Counter(one.kind for one in planted) == dict.fromkeys(KINDS, 6)  # of 12 boxes of 60 in each split
    expected: Counter[str] = Counter()
    for split in ("train", "val"):
        before, after = (contents(root / f"data/dataset/{split}") for root in (project, tmp_path / "copy"))
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            own = [one for one in planted if (one.split, one.image) == (split, f"{number:06}.png")]
            spoiled = Counter(one.kind for one in own)
            assert len(new) == len(old) - spoiled["missing"] + spoiled["doubled"]
            kept = Counter(map(str, old)) & Counter(map(str, new))
            assert sum(kept.values()) >= len(old) - len(own)
            expected += spoiled
        encoded = open_encoded(tmp_path / f"copy/data/grid/{split}")
        assert np.diff(encoded.offsets).tolist() == [len(new) for new in after]
    assert expected == Counter(one.kind for one in planted)


def test_without_mistakes_the_labels_stay_and_doubts_are_a_share_of_all_boxes(project: Path, tmp_path: Path) -> None:
    assert plant(project, tmp_path / "copy", 0.0, 1) == []
    for split in ("train", "val"):
        before, after = (contents(root / f"data/dataset/{split}") for root in (project, tmp_path / "copy"))
        assert [Counter(map(str, image)) for image in before] == [Counter(map(str, image)) for image in after]
    (tmp_path / "audit.csv").write_text("kind,split,image\n" + "missing,val,a.png\n" * 3)
    found = score([], tmp_path / "audit.csv")
    boxes = sum(count_boxes(project).values())
    assert totals(boxes, found) == "120 boxes; 0 with a mistake (0.0%); 3 doubts (2.5%)"


def test_the_same_seed_plants_the_same(project: Path, tmp_path: Path) -> None:
    for folder, seed in (("one", 1), ("again", 1), ("other", 2)):
        plant(project, tmp_path / folder, 0.2, seed)
    first, again, other = (
        (tmp_path / folder / "data/dataset/train/all.zip").read_bytes() for folder in ("one", "again", "other")
    )
    assert first == again
    assert first != other


def test_a_doubt_finds_the_mistake_on_which_it_lies(project: Path, tmp_path: Path) -> None:
    planted = plant(project, tmp_path / "copy", 0.2, 1)
    edges = ("xmin", "ymin", "xmax", "ymax")
    rows = []
    for one in planted[:10]:
        left, top, width, height = one.box.tolist()
        corners = dict(zip(edges, (left, top, left + width, top + height), strict=True))
        found = {f"found_{edge}": value for edge, value in corners.items()}
        rows.append({"kind": one.kind, "split": one.split, "image": one.image, **found})
    rows.append({**rows[0], "image": "elsewhere.png", "kind": "no object"})
    table = pd.DataFrame(rows, columns=["kind", "split", "image", *(f"labelled_{e}" for e in edges),
                                        *(f"found_{e}" for e in edges)])  # fmt: skip
    table.to_csv(tmp_path / "audit.csv", index=False)
    counts = score(planted, tmp_path / "audit.csv")
    assert sum(one["found"] for one in counts.values()) == 10
    assert sum(one["doubts"] for one in counts.values()) == 11
    assert all(counts[kind]["planted"] == 6 for kind in KINDS)
    assert counts["no object"] == {"planted": 0, "found": 0, "doubted": 0, "doubts": 1}
