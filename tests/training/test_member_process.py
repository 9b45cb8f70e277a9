"""The process of a member: its words, and its end where nobody wants it any more."""

import time

import pytest

from humbleyolo.errors import UserError
from humbleyolo.training import member_process
from humbleyolo.training.member_process import port_of_ready, run_member

TASK = {"key": "1", "splits": []}


@pytest.mark.parametrize("said", ["", "print('ready 7', flush=True)"])  # it imports, or connects
def test_a_member_that_nobody_wants_is_ended(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_process, "_CODE", f"import time\n{said}\ntime.sleep(600)")
    monkeypatch.setattr(member_process, "is_unwanted", lambda: port_of_ready("1") is not None or not said)
    began = time.monotonic()
    with pytest.raises(UserError, match="it ended with"):
        run_member(TASK)
    assert time.monotonic() - began < 300
    assert port_of_ready("1") is None


def test_the_last_line_of_a_member_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_process, "_CODE", "raise SystemExit('a note\\nerror: the splits are gone')")
    with pytest.raises(UserError, match=r"^the splits are gone$"):
        run_member(TASK)
