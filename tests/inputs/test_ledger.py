"""The ledger's rows, as they are written and as mistakes become them."""

import csv
import io
import pickle
from pathlib import Path

import pytest

from humbleyolo.errors import SCREEN, ProblemsError
from humbleyolo.inputs.ledger import BadInput, Finding, Ledger, by_kind, write_ledger


def test_an_empty_ledger_has_its_header() -> None:
    file = io.BytesIO()
    write_ledger(file, [])
    rows = list(csv.reader(io.StringIO(file.getvalue().decode())))
    assert rows == [["file", "where", "what", "why", "done", "kind", "severity"]]


def test_a_name_with_controls_is_shown_and_not_sent() -> None:
    shown = str(Finding("a\x1b[2J\nb.png", "", "x", "y", "", "k", "note"))
    assert shown == r"a\x1b[2J\nb.png: x: y"


def test_reporting_takes_bad_input_and_nothing_else() -> None:
    ledger = Ledger("skip")
    with ledger.reporting("a.txt", "box dropped", "line 3"):
        raise BadInput("zero-area", "(0, 0, 0, 0)", "has no area", "line 1")
    with ledger.reporting("a.txt", "file dropped"):
        raise pickle.loads(pickle.dumps(BadInput("json", "a list", "must be an object", "line 2", "list")))
    assert ledger.rows == [
        Finding("a.txt", "line 3", "(0, 0, 0, 0)", "has no area", "box dropped", "zero-area", "error"),
        Finding("a.txt", "line 2", "a list", "must be an object", "file dropped", "json", "error", "list"),
    ]
    file = io.BytesIO()
    write_ledger(file, ledger.rows)
    assert file.getvalue().decode().splitlines()[2] == "a.txt,line 2,a list,must be an object,file dropped,json,error"
    with pytest.raises(KeyError), ledger.reporting("a.txt", "file dropped"):
        raise KeyError


def test_a_screen_is_told_and_some_of_each_kind(tmp_path: Path) -> None:
    """However many the rows, and whichever comes first."""
    for numbers in ([5000], [5000, 1], [2, 5000, 3], [3], [40, 40, 40, 40]):
        counts = dict(zip("abcd", numbers, strict=False))
        ledger = Ledger("error")
        for kind, count in counts.items():
            for number in range(count):
                ledger.problem("f", BadInput(kind, str(number), "why"), "done")
        total = sum(counts.values())
        kinds = by_kind(ledger.rows)
        assert [row for kind in kinds for row in (*kind.shown, *kind.hidden)] == ledger.rows
        assert sum(len(kind.shown) for kind in kinds) == min(total, SCREEN)
        assert all(kind.shown for kind in kinds)
        with pytest.raises(ProblemsError) as caught:
            ledger.stop_on_errors("data")
        lines = str(caught.value).split("\n")
        assert lines[0] == f"data: {total:,} problems"
        assert len(caught.value.problems) == total
        assert len(lines) == 1 + min(total, SCREEN) + (total > SCREEN)
        if total > SCREEN:
            assert lines[-1].startswith(f"  and {total - SCREEN:,} more; ")
