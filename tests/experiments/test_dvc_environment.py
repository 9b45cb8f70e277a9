"""A `dvc` in another project runs this environment's programs, and as no part of an experiment here."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from humbleyolo.experiments.dvc_environment import dvc_environment


@pytest.mark.parametrize("path", [None, "/bin"])
def test_it_finds_its_own_programs_first_and_nothing_of_a_stage(
    path: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setenv("KEPT", "1")
    if path is None:
        monkeypatch.delenv("PATH")
    else:
        monkeypatch.setenv("PATH", path)
    environment = dvc_environment()
    assert "DVC_STAGE" not in environment
    assert environment["KEPT"] == os.environ["KEPT"] == "1"
    assert shutil.which("dvc", path=environment["PATH"]) == str(Path(sys.executable).parent / "dvc")
    assert path is None or environment["PATH"].endswith(path)
