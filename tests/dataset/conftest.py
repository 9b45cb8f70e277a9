from pathlib import Path

import pytest
from encoded_archive import encode, write_archive


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("dataset") / "train")


@pytest.fixture
def folder(archive: Path, tmp_path: Path) -> Path:
    return encode(archive, tmp_path / "grid")
