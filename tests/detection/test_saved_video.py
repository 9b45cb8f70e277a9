"""A clip of the frames with their boxes: it lasts as long, and appears whole or not at all."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import FPS, HEIGHT, WIDTH, frame, make_clip
from stub_models import NAMES, RedFinder

from humbleyolo.detection.detector import Detector
from humbleyolo.detection.result import Result, VideoFrame
from humbleyolo.detection.video.saved_video import CODECS, SavedVideo
from humbleyolo.drawing.palette import class_colour
from humbleyolo.errors import UserError

pytest.importorskip("cv2", reason="needs the extra video")


def result(number: int, seconds: float, height: int = HEIGHT, width: int = WIDTH) -> Result:
    left = 8 + number % 5 * 8
    box, one = np.array([[left, 16.0, left + 32, 48]]), np.ones(1)
    pixels = VideoFrame(number, seconds, frame(number, height, width))
    return Result(box, one, one.astype(int), NAMES, height, width, "x", video_frame=pixels)


def save(path: Path, seconds: list[float], fps: float = FPS, **size: int) -> list[Result]:
    """The frames of what was written, read back."""
    with SavedVideo(path) as saved:
        for number, when in enumerate(seconds):
            saved.add(result(number, when, **size), fps)
    return list(Detector(RedFinder()).stream(path))


@pytest.mark.parametrize("ending", CODECS)
def test_frames_and_their_boxes(ending: str, tmp_path: Path) -> None:
    back = save(tmp_path / f"out{ending}", [number / FPS for number in range(10)])
    assert [one.video_frame.seconds for one in back] == pytest.approx(np.arange(10) / FPS, abs=2e-3)
    for number, one in enumerate(back):
        pixels, original = one.video_frame.pixels.astype(int), frame(number)
        assert pixels.shape == original.shape  # no frame around it
        assert np.median(np.abs(pixels - original)) < 12
        assert np.abs(pixels - original)[14:50].max() > 60  # an outline
    assert list(tmp_path.iterdir()) == [tmp_path / f"out{ending}"]


def test_the_name_of_a_box_at_the_edge_is_whole(tmp_path: Path) -> None:
    with SavedVideo(tmp_path / "out.mp4") as saved:
        for number, top in enumerate((0.0, 20.0)):  # the name of the second has room above it
            saved.add(replace(result(0, number / FPS), boxes=np.array([[8.0, top, 40, top + 24]])), FPS)
    tags = [
        (np.abs(frame.video_frame.pixels.astype(int) - class_colour(1)).max(axis=-1) < 60).sum()
        for frame in Detector(RedFinder()).stream(tmp_path / "out.mp4")
    ]
    assert tags[0] > 0.8 * tags[1]


def test_it_lasts_as_long_as_the_time_stamps_say(tmp_path: Path) -> None:
    back = save(tmp_path / "out.mp4", [0.0, 0.5, 0.52, 1.0, 500.0, 500.3])
    reds = [round(float(one.boxes[0, 0] - 8) / 8) if len(one) else -1 for one in back]
    # 0 and 1 are repeated, 2 comes too soon, and the pause before 4 is left out
    assert [max(0, one) for one in reds] == [0] * 5 + [1] * 5 + [3, 4, 4, 4, 0]


def test_a_rate_that_the_codec_does_not_know_is_refused(tmp_path: Path) -> None:
    why = r"out\.mp4: cannot be written: frames of 96 x 64 at 1e\+09 a second"
    with pytest.raises(UserError, match=why), SavedVideo(tmp_path / "out.mp4") as saved:
        saved.add(result(0, 0.0), 1e9)
    assert not list(tmp_path.iterdir())


def test_odd_sizes_are_made_even(tmp_path: Path) -> None:
    back = save(tmp_path / "out.mp4", [0.0, 0.1], height=63, width=95)
    assert {(one.height, one.width) for one in back} == {(64, 96)}


def test_a_size_that_changes_is_fitted(tmp_path: Path) -> None:
    with SavedVideo(tmp_path / "out.mp4") as saved:
        saved.add(result(0, 0.0), FPS)
        saved.add(result(1, 0.1, 2 * HEIGHT, 2 * WIDTH), FPS)
    assert {(one.height, one.width) for one in Detector(RedFinder()).stream(tmp_path / "out.mp4")} == {
        (HEIGHT, WIDTH)
    }


@pytest.mark.parametrize("error", [ValueError, UserError, KeyboardInterrupt])
def test_a_mistake_leaves_the_old_clip(error: type[BaseException], tmp_path: Path) -> None:
    """A clip that broke off or was stopped is kept; one of a program's mistake is not."""
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    with pytest.raises(error), SavedVideo(path) as saved:  # noqa: PT012
        saved.add(result(0, 0.0), FPS)
        raise error
    assert (path.read_bytes() == b"old") == (error is ValueError)
    assert list(tmp_path.iterdir()) == [path]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be written as \.gif; known are \.avi"):
        SavedVideo(tmp_path / "out.gif")
    with pytest.raises(UserError, match="no such folder"):
        save(tmp_path / "none/out.mp4", [0.0])


def test_a_clip_that_did_not_get_to_the_disk(tmp_path: Path) -> None:
    full = pytest.raises(UserError, match=r"holds 1 of 4 frames; is the disk full")
    with full, SavedVideo(tmp_path / "out.avi") as saved:
        saved.add(result(0, 0.0), FPS)
        saved._written = 4  # OpenCV does not tell which writes were lost
    assert not list(tmp_path.iterdir())


def test_a_clip_of_this_project_is_read_again(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", 6)
    with SavedVideo(tmp_path / "a:b.mp4") as saved:  # not an address
        for one in Detector(RedFinder()).stream(clip):
            saved.add(one, FPS)
    assert len(list(Detector(RedFinder()).stream(tmp_path / "a:b.mp4"))) == 6


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to(tmp_path / "clip.mp4")
    save(tmp_path / "link.mp4", [0.0])
    assert (tmp_path / "link.mp4").is_symlink()
    assert len(list(Detector(RedFinder()).stream(tmp_path / "clip.mp4"))) == 1
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UserError, match="needs a file"):
        SavedVideo(tmp_path / "folder.mp4")
