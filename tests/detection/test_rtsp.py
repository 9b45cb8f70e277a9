"""A live stream of a real RTSP server, GStreamer's from Debian, on this machine."""

from pathlib import Path

import numpy as np
import pytest
from clips import FPS, gst_rtsp_server, make_clip
from stub_models import RedFinder

from humbleyolo.detection.detector import Detector
from humbleyolo.detection.video.video_stream import VideoOptions, VideoStream
from humbleyolo.errors import UserError


@pytest.mark.slow
def test_a_stream_has_the_clips_frames_and_times(tmp_path: Path) -> None:
    with gst_rtsp_server(make_clip(tmp_path / "clip.mp4", 15), tmp_path / "log") as url:
        stream = VideoStream(Detector(RedFinder()), url, VideoOptions(), 10**6)
        found = list(stream.results(None))
        assert stream.video.live
        assert stream.fps == FPS
        # Frames that came before the first was taken are skipped for newer ones.
        assert len(found) + stream.skipped == 15
        assert len(found) > 5
        for one in found:
            number, left = one.video_frame.number, 8 + one.video_frame.number % 5 * 8
            assert one.video_frame.seconds == pytest.approx(number / FPS, abs=2e-3)
            np.testing.assert_allclose(one.boxes, [[left, 16, left + 32, 48]], atol=2)
        assert found[-1].video_frame.number == 14
        short = list(Detector(RedFinder()).stream(url, max_seconds=0.5))
        assert short[-1].video_frame.seconds < 0.5
        with pytest.raises(UserError, match=r"/none: answers 404 'Not Found'"):
            next(Detector(RedFinder()).stream(url.replace("/clip", "/none")))
