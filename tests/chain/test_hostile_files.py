"""Files that a stage reads, damaged in every way: a clear error or the same meaning, in little memory."""

import csv
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluated_project import make_project, settings
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as rounds
from hypothesis import strategies as st
from sections import model_section

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import check_split_fits_archive, open_encoded
from humbleyolo.errors import UserError
from humbleyolo.evaluation.result_files import read_detections, read_metrics
from humbleyolo.geometry.grid import Grid
from humbleyolo.metrics.grid_report import read_report
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.models.artifact import ModelInfo, read_info, read_weights, save_model
from humbleyolo.models.selection import NAME, Selection, read_selection, write_selection
from humbleyolo.report.evaluation_reader import read_evaluation
from humbleyolo.report.page_contents import collect
from humbleyolo.storage.table_reader import read_table, whole_or_none

MODEL = model_section("compact", width=0.25, depth=1.0, stride=4)
INFO = ModelInfo(MODEL, Grid(48, 80, 3, 5, 2, 2), ("a", "b"), 0, "scratch")
WEIGHTS = {"kernel": np.arange(12, dtype=np.float32).reshape(3, 4), "bias": np.ones(3, np.float32)}
PHASES = [Phase.explicit, Phase.generate]  # finding a shorter example takes long, and tells little here
SHAPES = {name: values.shape for name, values in WEIGHTS.items()}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whatever a stage reads."""
    folder = make_project(tmp_path_factory.mktemp("whole"), images=6)
    (folder / "trained").mkdir()
    save_model(folder / "trained", INFO, WEIGHTS)
    weights = folder / "trained/weights.npz"
    write_selection(folder / "trained" / NAME, Selection.from_section(settings()["evaluate"]), weights, 0.5)
    return folder


def read_all(folder: Path) -> None:
    """Read each file as the stages do, without what they compute of it."""
    with ArchivedSplit(folder / "dataset/test") as archive:
        split, names, truths = (
            open_encoded(folder / "grid/test"),
            archive.categories,
            TruthTable.from_archive(archive),
        )
        check_split_fits_archive(split, archive)
        list(archive)
    found = read_evaluation(folder / "evaluation", truths, len(names), split.grid)
    collect(
        found, names, dataset=folder / "dataset", grid=folder / "grid", model=folder / "model", hashed={},
        params=settings(),
    )  # fmt: skip
    read_metrics(folder / "evaluation/metrics.json", "ap", "threshold")
    read_report(folder / "grid", names)
    read_info(folder / "trained")
    read_weights(folder / "trained", SHAPES)
    read_selection(folder / "trained" / NAME, folder / "trained/weights.npz")


FILES = [
    "dataset/test/all.zip", "dataset/summary.json", "grid/report.json", "grid/test/all/split.json",
    *(f"grid/test/all/{name}.npy" for name in ("images", "targets", "boxes", "labels", "offsets", "sizes")),
    "model/model.json", "model/history.csv", "evaluation/metrics.json", "evaluation/detections.json",
    "evaluation/confidence.npy", "evaluation/judged.csv", "evaluation/intervals.csv",
    "evaluation/precision_recall.csv", "evaluation/precision_recall_by_class.csv", "evaluation/thresholds.csv",
    "evaluation/confusion.csv", "evaluation/reliability.csv", "evaluation/iou_histogram.csv",
    "evaluation/mistakes.csv", "evaluation/next_steps.json",
    "trained/model.json", "trained/weights.npz", f"trained/{NAME}",
]  # fmt: skip


def read_changed(project: Path, name: str, content: bytes) -> None:
    """Read all with one file changed; anything but an error that a user can mend fails."""
    path = project / name
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        with suppress(UserError):
            read_all(project)
    finally:
        path.write_bytes(whole)


def test_whole_files_are_read(project: Path) -> None:
    read_all(project)


def change(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw what becomes of some bytes."""
    place, end = sorted(draw(st.tuples(*2 * [st.integers(0, len(whole))])))
    middle = draw(
        st.sampled_from([b"", whole[place:end] * 2, bytes(end - place), b"\xff" * (end - place), whole[::-1][:99]])
        | st.binary(max_size=20)
    )
    return whole[:place] + middle + draw(st.sampled_from([whole[end:], whole[place + len(middle) :], b""]))


@rounds(phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_a_file_damaged_anywhere_is_told_or_is_the_same(project: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FILES))
    whole = (project / name).read_bytes()
    read_changed(project, name, data.draw(st.composite(change)(whole)))


def ways(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value inside a value of JSON."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*way, key)
        yield from ways(value[key], (*way, key))


ODD = [None, "x", -1, -5.5, 1e308, 2**70, 10**400, [], {}, True, float("nan"), [[1]], "<script>", {"a": {"b": []}}]


@rounds(phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_value_in_json_is_taken_or_told(project: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name in FILES if name.endswith(".json")]))
    value = json.loads((project / name).read_bytes())
    *way, last = data.draw(st.sampled_from(list(ways(value))))
    inner = value
    for key in way:
        inner = inner[key]
    inner[last] = data.draw(st.sampled_from(ODD))
    read_changed(project, name, json.dumps(value).encode())


MIB = 1 << 20
SHORT = b"{}," * (2 * MIB)
LARGE = {
    "detections.json": [
        b"[" + SHORT + b"{}]",
        b"[{" + b'"a":[],' * MIB + b'"b":0}]',
        b"[" * 5 * MIB,
        b" " * 5 * MIB,
        b"[1" + b" " * 5 * MIB + b"]",
        b'["' + b"x" * 5 * MIB + b'"]',
        b"[" + b"9" * 5 * MIB + b"]",
    ],
    "judged.csv": [
        b"\n" * 5 * MIB,
        b"image_id,detection,truth,kind,iou\n" + b"\n" * 5 * MIB,
        b"image_id,detection,truth,kind,iou\n" + b"x,,,,\n" * MIB,
        b"image_id,detection,truth,kind,iou" * (MIB // 2),
        b"x" * 5 * MIB,
        b'"' + b"x\n" * 2 * MIB,
        bytes(5 * MIB),
    ],
}


@pytest.mark.parametrize(("name", "content"), [(name, one) for name, all_ in LARGE.items() for one in all_])
def test_a_large_file_that_says_little_takes_little_memory(name: str, content: bytes, tmp_path: Path) -> None:
    path, fix = tmp_path / name, "run `dvc repro evaluate`"
    path.write_bytes(content)
    columns = dict.fromkeys(["image_id", "detection", "truth", "kind", "iou"], whole_or_none)
    readers = {
        "detections.json": lambda: read_detections(path, 12, 3),
        "judged.csv": lambda: read_table(path, columns, fix),
    }
    before = csv.field_size_limit(2**29)  # as the readers of labels set it for the whole process
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=fix):
            readers[name]()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        assert csv.field_size_limit(before) == 2**29
    assert peak < 12 * MIB


OF_EACH_KIND = (
    "dataset/test/all.zip",
    "grid/test/all/images.npy",
    "evaluation/metrics.json",
    "evaluation/judged.csv",
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in OF_EACH_KIND))
        for name in FILES
        if "weights" not in name
    ],
)
def test_a_file_of_a_terabyte_is_not_held(name: str, project: Path) -> None:
    path = project / name
    whole = path.read_bytes()
    tracemalloc.start()
    try:
        with path.open("r+b") as file:
            file.truncate(1 << 40)  # zeros behind the content, which take no space
        with pytest.raises(UserError):
            read_all(project)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        path.write_bytes(whole)
    assert peak < 256 * MIB
