"""The ledger's rows, as they are written and as mistakes become them."""

import csv
from pathlib import Path

import pytest

from humbleyolo.labels.ledger import BadInput, Finding, Ledger, write_ledger


def test_an_empty_ledger_has_its_header(tmp_path: Path) -> None:
    write_ledger(tmp_path / "ledger.csv", [])
    with (tmp_path / "ledger.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["file", "where", "what", "why", "done", "kind", "severity"]]


def test_reporting_takes_bad_input_and_nothing_else() -> None:
    ledger = Ledger("skip")
    with ledger.reporting("a.txt", "box dropped", "line 3"):
        raise BadInput("zero-area", "(0, 0, 0, 0)", "has no area", "line 1")
    with ledger.reporting("a.txt", "file dropped"):
        raise BadInput("json", "a list", "must be an object", "line 2")
    assert ledger.rows == [
        Finding("a.txt", "line 3", "(0, 0, 0, 0)", "has no area", "box dropped", "zero-area", "error"),
        Finding("a.txt", "line 2", "a list", "must be an object", "file dropped", "json", "error"),
    ]
    with pytest.raises(KeyError), ledger.reporting("a.txt", "file dropped"):
        raise KeyError
