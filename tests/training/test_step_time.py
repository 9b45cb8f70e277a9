"""The time of a step: the processor's seconds on a machine that is shared, the clock's on a GPU."""

from types import SimpleNamespace
from typing import Any

import pytest

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
