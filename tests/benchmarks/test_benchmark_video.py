"""That the benchmark of clips measures each step, on a clip that takes no time."""

import sys
from pathlib import Path

import pytest
from stub_models import RedFinder

from benchmarks import video
from humbleyolo import Detector

pytest.importorskip("cv2", reason="needs the extra video")
FRAMES = 14


def test_every_step_sees_every_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humbleyolo.detection.detector.open_model", lambda *_: RedFinder())
    video.make_clip(clip := tmp_path / "clip.mp4", 64, 96, FRAMES)
    for step in video.STEPS:
        assert sum(1 for _ in video.run(step, clip, "red")) == FRAMES
        rate, peak = map(float, video.measure(step, clip, "red").split())
        assert rate > 0
        assert peak > 1
    assert sum(1 for _ in Detector.load("red").stream(tmp_path / "out.mp4")) == FRAMES  # what the last step drew


@pytest.mark.slow
def test_it_prints_a_row_for_each_step(
    network_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(video, "SIZES", ((64, 96),))
    monkeypatch.setattr(video, "_TIMES", 1)
    monkeypatch.setattr(sys, "argv", ["video.py", "--model", str(network_folder), "--frames", str(FRAMES)])
    video.main()
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("load average ")
    assert [row.split(" | ")[:2] for row in rows[2:]] == [["| 96 x 64", step] for step in video.STEPS]
