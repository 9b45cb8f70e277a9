"""How a stage ends: with a record of what it ran with, where it has done its work."""

from pathlib import Path

import pytest

from humbleyolo.errors import UserError
from humbleyolo.pipeline.environment import RECORDS, describe_environment, recorded_environment
from humbleyolo.pipeline.stage import run_stage
from humbleyolo.storage.hashes import digest_of


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a stage writes into, in the project's folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


def test_a_stage_that_worked_leaves_a_record_of_its_outputs(out: Path) -> None:
    def work() -> Path:
        out.mkdir()
        (out / "a.txt").write_text("a")
        return Path("out")

    run_stage("draw", work, "lower it")
    found = recorded_environment("draw", "out/a.txt", digest_of(out / "a.txt"), out.parent)
    assert found == describe_environment()
    assert sorted(path.name for path in out.iterdir()) == ["a.txt"]  # the record is not among them


def test_one_that_could_not_leaves_none(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> Path:
        raise UserError("in: no such file")

    with pytest.raises(SystemExit, match="2"):
        run_stage("draw", refuse, "lower it")
    assert capsys.readouterr().err == "error: in: no such file\n"
    assert not (out.parent / RECORDS).exists()
