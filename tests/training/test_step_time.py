"""The time of a step: the processor's seconds on a machine that is shared, the clock's on a GPU."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.geometry.grid import Grid
from humbleyolo.training import step_time
from humbleyolo.training.step_time import StepTime, measure_step


def test_a_busy_machine_is_told() -> None:
    assert StepTime(0.5, 0.1, 1.0, 0.7).told(10, 9.9) == "10 minutes at 0.5 s a step, as measured here"
    assert StepTime(0.5, 0.1, 1.0, 0.9).told(8.5, 8.5).endswith("here for an idle machine (it is busy: 0.9 s)")


def test_a_limit_and_an_epoch_too_long_are_told_and_a_minute_is_one() -> None:
    step = StepTime(0.5, 0.1, 1.0, 0.5)
    assert step.told(10, 0.613, "300 at most").startswith("300 at most; 0.61 of 10 minutes at 0.5 s a step")
    assert step.told(0.1, 6.27).startswith("even one epoch takes 6.27 minutes, not 0.1, at 0.5 s a step")
    assert step.told(1, 1).startswith("1 minute at 0.5 s")
    assert step.told(480, 111, "300 at most").startswith("300 at most; 111 of 480 minutes at 0.5 s a step")
    assert step.told(30000, 29000, "300 at most").startswith("300 at most; 29,000 of 30,000 minutes")


@pytest.mark.parametrize("clock", [0.5, 0.9])
def test_a_line_of_a_terminal_says_the_same(clock: float) -> None:
    facts = 10, 9.9, "300 at most"
    busy = clock > 0.5
    brief = StepTime(0.5, 0.1, 1.0, clock).told_briefly(*facts)
    assert brief == "300 at most; 9.9 of 10 minutes at 0.5 s a step, " + (
        "if idle (busy: 0.9 s)" if busy else "as measured here"
    )
    assert (brief == StepTime(0.5, 0.1, 1.0, clock).told(*facts)) == (not busy)


@given(st.floats(1e-6, 1e6), st.floats(1e-4, 1e5), st.floats(1e-3, 1e4))
def test_numbers_are_plain(minutes: float, needed: float, step: float) -> None:
    """No exponent, and as large as what was measured, to a twentieth."""
    told = StepTime(step, 0.1, 1.0, step).told(minutes, needed, "300 at most")
    assert not re.search(r"\de[+-]?\d", told)
    shown = re.search(r"at ([\d,.]+) s a step", told)
    assert shown
    assert float(shown[1].replace(",", "")) == pytest.approx(step, rel=0.051)


@pytest.mark.parametrize(
    ("gpus", "step", "image", "start"),
    [(["GPU:0"], 3.0, 0.4, 3.0), ([], 0.75, 0.1, 0.75)],
    ids=["GPU", "two threads of a busy machine"],
)
def test_the_clock_counts_on_a_gpu_and_computed_seconds_elsewhere(
    monkeypatch: pytest.MonkeyPatch, gpus: list[str], step: float, image: float, start: float
) -> None:
    """A step takes 3 s by the clock, in which 1.5 s are computed, and 4 images of val take 1.6 s."""
    now = {"clock": 0.0, "computed": 0.0}

    def takes(clock: float, computed: float) -> None:
        now["clock"] += clock
        now["computed"] += computed

    trainer = SimpleNamespace(
        step=lambda *_: takes(3.0, 1.5), parts=lambda *_: None, predict=lambda _: takes(1.6, 0.8)
    )
    fakes: dict[str, Any] = {
        "start_runtime": lambda _: None,
        "build_trainer": lambda *_: trainer,
        "time": SimpleNamespace(perf_counter=lambda: now["clock"], process_time=lambda: now["computed"]),
        "os": SimpleNamespace(cpu_count=lambda: 2),
        "tf": SimpleNamespace(config=SimpleNamespace(list_physical_devices=lambda _: gpus)),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(step_time, name, fake)
    given: Any = SimpleNamespace(intra_op_threads=8, batch=4)
    found = measure_step(given, given, given, given, Grid(32, 32, 2, 2, boxes=1, classes=3))
    assert found == pytest.approx(StepTime(step, image, start, 3.0))
