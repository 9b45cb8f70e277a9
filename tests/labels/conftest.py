"""Fixtures that make and read small labelled folders."""

from collections.abc import Callable
from pathlib import Path

import pytest
from folders import Files, Maker

from humbleyolo.labels.ledger import Finding


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


@pytest.fixture
def one(make: Maker) -> Callable[..., Finding]:
    """Read files that hold exactly one mistake, and return it."""

    def read(files: Files, **options: object) -> Finding:
        rows = make.findings(files, **options)
        assert len(rows) == 1, [str(row) for row in rows]
        return rows[0]

    return read
