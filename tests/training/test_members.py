"""The process of a member: its words, and its end where nobody wants it any more."""

import time
from pathlib import Path

import pytest

from humbleyolo.errors import UserError
from humbleyolo.training import members
from humbleyolo.training.members import is_ready, run_member

TASK = {"key": "1", "splits": []}


@pytest.mark.parametrize("said", ["", "print('ready', flush=True)"])  # it imports, or connects
def test_a_member_that_nobody_wants_is_ended(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_CODE", f"import time\n{said}\ntime.sleep(60)")
    monkeypatch.setattr(members, "is_unwanted", lambda: is_ready("1") or not said)
    began = time.monotonic()
    with pytest.raises(UserError, match="it ended with"):
        run_member(tmp_path, TASK)
    assert time.monotonic() - began < 30
    assert not is_ready("1")


def test_the_last_line_of_a_member_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_CODE", "raise SystemExit('a note\\nerror: the splits are gone')")
    with pytest.raises(UserError, match=r"^the splits are gone$"):
        run_member(tmp_path, TASK)
