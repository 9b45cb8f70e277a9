"""Results come in order, whoever computes them, and errors come with them."""

import functools
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from humbleyolo.errors import UserError
from humbleyolo.process.workers import available_cores, map_in_order


def square(number: int) -> int:
    return number * number


def process_of(number: int) -> tuple[int, int]:
    time.sleep(0.01)
    return number, os.getpid()


def refuse_five(number: int) -> int:
    if number == 5:
        raise UserError("five")
    return number


def kill_self(_: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def note(folder: Path, number: int) -> int:
    (folder / str(number)).touch()
    return number


def test_results_come_in_order() -> None:
    assert list(map_in_order(square, range(40), processes=2, patience_s=60)) == [n * n for n in range(40)]


def test_little_work_is_done_here_and_more_elsewhere() -> None:
    here = [(number, os.getpid()) for number in range(3)]
    assert list(map_in_order(process_of, range(3), processes=2, patience_s=60)) == here
    assert list(map_in_order(process_of, range(3), processes=1, patience_s=0)) == here
    numbers, processes = zip(*map_in_order(process_of, range(20), processes=2, patience_s=0), strict=True)
    assert numbers == tuple(range(20))
    elsewhere = set(processes)
    assert os.getpid() not in elsewhere
    assert len(elsewhere) <= 2


def test_errors_arrive() -> None:
    with pytest.raises(UserError, match="five"):
        list(map_in_order(refuse_five, range(10), processes=2, patience_s=0))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_worker_is_an_error() -> None:
    with pytest.raises(UserError, match="killed from outside"):
        list(map_in_order(kill_self, range(4), processes=2, patience_s=0))


def test_no_more_results_are_made_than_are_asked_for(tmp_path: Path) -> None:
    results = map_in_order(functools.partial(note, tmp_path), range(1000), processes=2, patience_s=0)
    for number in range(3):
        assert next(results) == number
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) <= 10
    results.close()  # type: ignore[attr-defined]


def test_cores() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
