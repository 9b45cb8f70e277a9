"""What is told of the machine, and that it is a record that outputs do not depend on."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from repository import ROOT

from humbleyolo.pipeline.environment import (
    PACKAGES,
    RECORDS,
    describe_environment,
    record_environment,
    recorded_environment,
)
from humbleyolo.process import versions
from humbleyolo.storage.hashes import dvc_digest


def test_versions_and_processor_are_told() -> None:
    told = describe_environment()
    assert told["keras"] == metadata.version("keras")
    assert told["processor"]
    assert all(isinstance(value, str) for value in told.values())


@pytest.mark.parametrize(
    ("text", "processor", "features"),
    [
        ("model name\t: Fast 1\nflags\t\t: sse avx\n\nmodel name\t: Fast 2\n", "Fast 1", "avx sse"),
        ("model name : Arm\nFeatures : neon crc\n", "Arm", "crc neon"),
    ],
)
def test_linux_tells_of_the_first_core(
    text: str, processor: str, features: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(versions, "_CPUINFO", tmp_path / "cpuinfo")
    told = describe_environment()
    assert (told["processor"], told["features"]) == (processor, features)


def test_where_the_system_does_not_tell_there_are_no_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_CPUINFO", tmp_path / "none")
    assert describe_environment()["features"] == ""


def test_variables_that_choose_other_code_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    before = describe_environment()
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")  # talks, and computes the same
    monkeypatch.setenv("TF_TOKEN_app_terraform_io", "secret")  # another program's
    assert describe_environment() == before
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    assert describe_environment() == before | {"ONEDNN_MAX_CPU_ISA": "SSE41"}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not say which cores to use")
def test_the_cores_are_those_that_may_be_used() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert describe_environment()["cores"] == "1"
    finally:
        os.sched_setaffinity(0, allowed)


def test_what_the_project_computes_with_is_a_dependency_of_it() -> None:
    required = {text.split(">=")[0].lower() for text in metadata.requires("humbleyolo") or []}
    assert set(PACKAGES) - {"keras"} <= required  # keras is TensorFlow's


@pytest.mark.slow
def test_tensorflow_s_threads_are_told_where_it_is_loaded() -> None:
    code = """
        from humbleyolo.pipeline.environment import describe_environment
        from humbleyolo.params.sections import Runtime
        assert "intra_op_threads" not in describe_environment()
        from humbleyolo.models.tensorflow_setup import start_runtime
        start_runtime(Runtime(intra_op_threads=3, inter_op_threads=2, precision="float32"))
        told = describe_environment()
        print(told["intra_op_threads"], told["inter_op_threads"], told["gpus"] or "no text")
    """
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", "if True:" + code], cwd=ROOT, env=hidden, capture_output=True, text=True
    )
    assert done.stdout == "3 2 none\n", done.stderr


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A project's folder, with what a stage wrote: a file and a folder."""
    (tmp_path / "data/grid/train").mkdir(parents=True)
    (tmp_path / "data/grid/report.json").write_text("{}")
    (tmp_path / "data/grid/train/images.npy").write_text("1")
    return tmp_path


def test_a_record_is_of_the_bytes_that_were_made_and_of_no_others(made: Path) -> None:
    record_environment("encode", Path("data/grid"), made)
    for output in ("data/grid/report.json", "data/grid/train"):
        digest = dvc_digest(made / output, made)
        assert recorded_environment("encode", output, digest, made) == describe_environment()
        assert recorded_environment("encode", output, "a" * 32, made) is None
        assert recorded_environment("encode", output, None, made) is None
        assert recorded_environment("train", output, digest, made) is None
    assert recorded_environment("encode", "data/grid/val", digest, made) is None


def test_what_another_stage_wrote_there_is_not_recorded_and_what_is_beside_is(made: Path) -> None:
    older, beside = made / "data/grid/older.json", made / "data/model/selection.json"
    beside.parent.mkdir()
    older.write_text("1")
    beside.write_text("2")
    os.utime(older, (1, 1))
    record_environment("encode", Path("data/grid"), made, (Path("data/model/selection.json"),))
    assert recorded_environment("encode", "data/grid/older.json", dvc_digest(older, made), made) is None
    assert recorded_environment("encode", "data/model/selection.json", dvc_digest(beside, made), made)
    assert recorded_environment("encode", "data/grid/train", dvc_digest(made / "data/grid/train", made), made)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"outputs": [], "environment": {}}', '{"outputs": {"a": "1"}}',
             '{"outputs": {"a": "1"}, "environment": []}', '{"outputs": {"a": "1"}, "environment": {"b": 1}}'],
)  # fmt: skip
def test_a_damaged_record_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / RECORDS).mkdir(parents=True)
    (tmp_path / RECORDS / "train.json").write_text(text)
    assert recorded_environment("train", "a", "1", tmp_path) is None


def test_where_no_record_can_be_written_the_results_stay(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (made / ".humbleyolo").write_text("a file in the way")
    record_environment("encode", Path("data/grid"), made)
    told = capsys.readouterr().err
    assert told.startswith("warning: ")
    assert "`humbleyolo verify` will not know what encode ran with" in told
