"""A live stream of a real RTSP server, GStreamer's from Debian, on this machine."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from clips import FPS, gst_rtsp_server, make_clip
from stub_models import RedFinder

from humbleyolo.detection.detector import Detector
from humbleyolo.detection.result import VideoFrame
from humbleyolo.detection.video.open_video import Video
from humbleyolo.detection.video.video_stream import VideoOptions, VideoStream
from humbleyolo.errors import UserError

COUNT = 15


def every_frame(url: str) -> list[VideoFrame]:
    """Return all frames of a stream, none of which is skipped."""
    with Video(url, 10**6, 30) as video:
        return list(video.frames(1))


@pytest.mark.slow
def test_a_stream_has_the_clips_frames_and_times(tmp_path: Path) -> None:
    detector = Detector(RedFinder())
    with gst_rtsp_server(make_clip(tmp_path / "clip.mp4", COUNT), tmp_path / "log") as url:
        with ThreadPoolExecutor(1) as pool:
            frames = pool.submit(every_frame, url).result()
        assert [one.number for one in frames] == list(range(COUNT))
        assert [one.seconds for one in frames] == pytest.approx(np.arange(COUNT) / FPS, abs=2e-3)
        boxes = [detector(one.pixels).boxes for one in frames]
        lefts = 8 + np.arange(COUNT) % 5 * 8
        np.testing.assert_allclose(boxes, [[[left, 16, left + 32, 48]] for left in lefts], atol=2)

        stream = VideoStream(detector, url, VideoOptions(), 10**6)
        found = list(stream.results(None))
        assert stream.video.live
        assert stream.fps == FPS
        # How many are skipped for newer ones is a question of the machine's load; the last never is.
        numbers = [one.video_frame.number for one in found]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == COUNT - 1
        assert len(found) + stream.skipped == COUNT
        for number, one in zip(numbers, found, strict=True):
            assert one.video_frame.seconds == frames[number].seconds
            np.testing.assert_array_equal(one.boxes, boxes[number])

        short = list(detector.stream(url, max_seconds=0.5))
        assert all(one.video_frame.seconds < 0.5 for one in short)  # by the clock, too
        with pytest.raises(UserError, match=r"/none: answers 404 'Not Found'"):
            next(detector.stream(url.replace("/clip", "/none")))
