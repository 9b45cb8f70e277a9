"""What is told of the machine, and that it is a record that outputs do not depend on."""

import json
from importlib import metadata
from pathlib import Path

import pytest

from humbleyolo import environment
from humbleyolo.environment import RECORDS, describe_environment, record_environment


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
    monkeypatch.setattr(environment, "_CPUINFO", tmp_path / "cpuinfo")
    told = describe_environment()
    assert (told["processor"], told["features"]) == (processor, features)


def test_where_the_system_does_not_tell_there_are_no_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_CPUINFO", tmp_path / "none")
    assert describe_environment()["features"] == ""


def test_a_stage_leaves_a_record(tmp_path: Path) -> None:
    record_environment("train", tmp_path)
    assert json.loads((tmp_path / RECORDS / "train.json").read_text()) == describe_environment()
