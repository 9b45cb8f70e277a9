"""Frames of clips: all of them, in order, upright, in RGB, with the clip's own time stamps."""

import re
import struct
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from clips import CODES, FPS, HEIGHT, WIDTH, damaged, frame, make_clip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stub_models import RedFinder

from humbleyolo.detection.backend import BATCH
from humbleyolo.detection.detector import Detector
from humbleyolo.detection.result import Result
from humbleyolo.detection.video import decoder
from humbleyolo.detection.video.video_stream import VideoOptions, VideoStream
from humbleyolo.errors import UserError


def results(path: object, **options: object) -> list[Result]:
    return list(Detector(RedFinder()).stream(path, **options))


def told(path: object, **options: object) -> tuple[list[Result], str]:
    """What came before an error, and the error."""
    found = []
    with pytest.raises(UserError) as raised:  # noqa: PT012
        for one in Detector(RedFinder()).stream(path, **options):
            found.append(one)  # noqa: PERF402 - what came before the error counts
    return found, str(raised.value)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.mark.parametrize("ending", CODES)
def test_every_frame_in_order_with_its_time(ending: str, tmp_path: Path) -> None:
    path = make_clip(tmp_path / f"clip{ending}")
    found = results(path)
    assert [one.video_frame.number for one in found] == list(range(20))
    assert [one.video_frame.seconds for one in found] == pytest.approx(np.arange(20) / FPS, abs=2e-3)
    for number, one in enumerate(found):
        assert (one.file, one.height, one.width) == (str(path), HEIGHT, WIDTH)
        left = 8 + number % 5 * 8
        np.testing.assert_allclose(one.boxes, [[left, 16, left + 32, 48]], atol=2)
        away = np.abs(one.video_frame.pixels.astype(int) - frame(number))
        assert np.median(away) < 10  # red, green and blue are told apart: each part has a colour of its own


def test_a_frame_gives_what_its_picture_gives(clip: Path) -> None:
    detector = Detector(RedFinder())
    for one in detector.stream(clip, threshold=0.2):
        alone = detector(one.video_frame.pixels, threshold=0.2)
        np.testing.assert_array_equal(one.boxes, alone.boxes)
        np.testing.assert_array_equal(one.scores, alone.scores)


@pytest.mark.parametrize("every", [1, 3, 7, 50])
def test_every_nth_frame_is_of_all_frames(every: int, clip: Path) -> None:
    of_all, some = results(clip)[::every], results(clip, every=every)
    assert [one.video_frame.number for one in some] == [one.video_frame.number for one in of_all]
    assert [one.video_frame.seconds for one in some] == [one.video_frame.seconds for one in of_all]
    for one, other in zip(some, of_all, strict=True):
        np.testing.assert_array_equal(one.video_frame.pixels, other.video_frame.pixels)


def test_time_stamps_are_the_clips_own(tmp_path: Path) -> None:
    """Frames that do not come at a constant rate: their number over the rate is not their time."""
    data = make_clip(tmp_path / "even.mkv").read_bytes()
    for number in range(10, 20):
        block = b"\x81" + struct.pack(">h", 100 * number)  # track 1, milliseconds
        assert data.count(block) == 1
        data = data.replace(block, b"\x81" + struct.pack(">h", 100 * number + 450))
    (tmp_path / "pause.mkv").write_bytes(data)
    seconds = [one.video_frame.seconds for one in results(tmp_path / "pause.mkv")]
    assert seconds == pytest.approx([number / 10 + 0.45 * (number >= 10) for number in range(20)], abs=2e-3)


def test_a_false_rate_is_not_believed(tmp_path: Path) -> None:
    """As cameras write it that know none: neither a drawing nor the number of frames is taken from it."""
    data = make_clip(tmp_path / "fast.avi", fps=1000).read_bytes()
    assert data[32:36] == (1000).to_bytes(4, "little")  # microseconds a frame
    stream = VideoStream(Detector(RedFinder()), tmp_path / "fast.avi", VideoOptions(), 10**6)
    assert len(list(stream.results(None))) == 20
    assert stream.fps == 25


def test_a_clip_is_turned_upright(clip: Path, tmp_path: Path) -> None:
    """Phones write a clip as their sensor lies, and the turn into its header."""
    data = bytearray(clip.read_bytes())
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)  # a quarter turn, clockwise
    start = data.index(b"tkhd") + 44
    data[start : start + 36] = matrix
    (tmp_path / "turned.mp4").write_bytes(data)
    found = results(tmp_path / "turned.mp4")[0]
    assert (found.height, found.width) == (WIDTH, HEIGHT)
    away = np.abs(found.video_frame.pixels.astype(int) - np.rot90(frame(0), -1))
    assert np.median(away) < 10


def test_memory_does_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive, most = weakref.WeakSet(), []

    class Counted(decoder.VideoFrame):
        def __init__(self, *values: object) -> None:
            super().__init__(*values)
            alive.add(self)
            most.append(len(alive))

    monkeypatch.setattr(decoder, "VideoFrame", Counted)
    count = sum(1 for _ in Detector(RedFinder()).stream(make_clip(tmp_path / "long.avi", 200)))
    assert count == len(most) == 200
    assert max(most) <= 4 * BATCH  # one batch with the network, one ready, one being read


def test_large_frames_are_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humbleyolo.detection.video.video_stream._BATCH_BYTES", 4 * HEIGHT * WIDTH * 3)
    model = RedFinder()
    assert len(list(Detector(model).stream(make_clip(tmp_path / "clip.avi")))) == 20
    assert model.batches == [4] * 5


def test_who_stops_early_leaves_nothing_open(clip: Path) -> None:
    for number, one in enumerate(Detector(RedFinder()).stream(clip)):
        assert one.video_frame.number == number
        if number == 3:
            break
    del one
    some = Detector(RedFinder()).stream(clip)
    next(some)
    some.close()
    for thread in threading.enumerate():
        if thread.name == "video":
            thread.join(60)
            assert not thread.is_alive()


def test_max_seconds(clip: Path) -> None:
    assert [one.video_frame.number for one in results(clip, max_seconds=0.35)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "word"),
    [({"every": 0}, "every is 0"), ({"max_seconds": -1}, "max_seconds"), ({"timeout": 0}, "timeout")],
)
def test_options_out_of_range_are_named(options: dict[str, object], word: str, clip: Path) -> None:
    with pytest.raises(UserError, match=word):
        Detector(RedFinder()).stream(clip, **options)


def test_images_take_no_options_of_videos() -> None:
    detector = Detector(RedFinder())
    assert len(list(detector.stream([frame(0), frame(1)]))) == 2
    with pytest.raises(UserError, match="of a video"):
        detector.stream([frame(0)], every=2)


def test_too_large_frames_are_refused(clip: Path) -> None:
    with pytest.raises(UserError, match=f"{WIDTH} x {HEIGHT} pixels, more than the 6,000 allowed"):
        list(Detector(RedFinder(), max_pixels=6000).stream(clip))


def test_no_clips(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no clip")
    assert "is empty" in told(tmp_path / "empty.mp4")[1]
    assert "is no clip, or damaged" in told(tmp_path / "text.mp4")[1]
    assert "no such file" in told(tmp_path / "none.mp4")[1]
    assert "is no file" in told(tmp_path)[1]
    assert "is no file" in told(Path("/dev/zero"))[1]
    assert "camera 93: cannot be opened: no such camera" in told(93)[1]


@pytest.mark.parametrize("ending", [".avi", ".mkv", ".webm"])
def test_a_clip_that_is_cut_short_ends_in_words(ending: str, tmp_path: Path) -> None:
    data = make_clip(tmp_path / f"whole{ending}").read_bytes()
    short = tmp_path / f"short{ending}"
    short.write_bytes(data[: len(data) * 6 // 10])
    found, why = told(short)
    assert f"{short}: ends after {len(found)} of about 20 frames: damaged, or cut short" in why
    assert 0 < len(found) < 18  # what came before it is kept


@pytest.mark.parametrize("ending", [".avi", ".mkv", ".mov", ".mp4", ".webm"])
def test_frames_that_cannot_be_decoded_are_told_and_the_others_stay(ending: str, tmp_path: Path) -> None:
    whole = make_clip(tmp_path / f"whole{ending}", 40)
    for lost, where in (((15,), "after 1.40 s"), ((12, 25, 26), "after 1.10 s, 2.40 s")):
        path = damaged(whole, lost)
        some = f"{len(lost)} frame{'s' * (len(lost) > 1)}"
        says = f"{path}: {some} cannot be decoded, {where}: it is damaged there"
        with pytest.warns(UserWarning, match=f"^{re.escape(says)}$") as warned:
            found = results(path)
        assert len(warned) == 1
        numbers = [one.video_frame.number for one in found]
        assert numbers == [number for number in range(40) if number not in lost]
        assert [one.video_frame.seconds for one in found] == pytest.approx(np.array(numbers) / FPS, abs=2e-3)
        with pytest.warns(UserWarning, match=some):
            fifth = [one.video_frame.number for one in results(path, every=5)]
        assert fifth == [number for number in range(0, 40, 5) if number not in lost]
    found, why = told(damaged(whole, (10, 11, 12, 20, 30)))
    assert len(found) == 35
    assert why.endswith(f"damaged{ending}: 5 of 40 frames cannot be decoded: it is damaged")


def test_the_first_places_of_the_damage_are_told(tmp_path: Path) -> None:
    path = damaged(make_clip(tmp_path / "clip.avi", 100), range(10, 100, 11))
    with pytest.warns(UserWarning, match=r"9 frames cannot be decoded, after 0\.90 s, 2\.00 s, 3\.10 s and 6 more: "):
        assert len(results(path)) == 91


@pytest.mark.parametrize("ending", [".avi", ".mkv", ".mov", ".mp4", ".webm"])
def test_an_end_that_is_missing_is_told(ending: str, tmp_path: Path) -> None:
    whole = make_clip(tmp_path / f"whole{ending}", 40)
    path = damaged(whole, (37, 38, 39))
    trimmed = ", or trimmed" * (ending in (".mov", ".mp4"))
    with pytest.warns(UserWarning, match=rf": ends after 37 of about 40 frames: damaged, or cut short{trimmed}$"):
        assert len(results(path)) == 37


def test_a_clip_that_was_trimmed_is_whole(tmp_path: Path) -> None:
    """Telephones keep the frames that were trimmed away, and write in a list which are to be shown."""
    data = bytearray(make_clip(tmp_path / "whole.mov", 40).read_bytes())
    shown = data.index(b"elst") + 12
    assert data[shown : shown + 4] == (4000).to_bytes(4, "big")  # milliseconds
    data[shown : shown + 4] = (2500).to_bytes(4, "big")
    (tmp_path / "trimmed.mov").write_bytes(data)
    with pytest.warns(UserWarning, match=r"ends after 25 of about 40 frames: damaged, or cut short, or trimmed$"):
        assert len(results(tmp_path / "trimmed.mov")) == 25


def test_a_clip_without_its_index(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "short.mp4").write_bytes(clip.read_bytes()[:1000])
    assert "cannot be opened: it is damaged" in told(tmp_path / "short.mp4")[1]


def test_a_clip_that_breaks_off_is_not_taken_for_trimmed(tmp_path: Path) -> None:
    data = bytearray(make_clip(tmp_path / "whole.mp4", 40).read_bytes())
    index, media = data.index(b"moov") - 4, data.index(b"mdat") - 4
    length = len(data) - index
    places = data.index(b"stco") + 8
    for at in range(places + 4, places + 4 + 4 * int.from_bytes(data[places : places + 4], "big"), 4):
        data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + length).to_bytes(4, "big")
    streamed = data[:media] + data[index:] + data[media:index]  # as for the web: its index comes first
    (tmp_path / "streamed.mp4").write_bytes(streamed)
    assert len(results(tmp_path / "streamed.mp4")) == 40
    (tmp_path / "short.mp4").write_bytes(streamed[: len(streamed) * 7 // 10])
    found, why = told(tmp_path / "short.mp4")
    assert f"ends after {len(found)} of about 40 frames: damaged, or cut short" in why


@pytest.mark.filterwarnings("ignore:.*(cannot be decoded|cut short)")
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_damage_ends_in_frames_or_words(data: st.DataObject, tmp_path: Path) -> None:
    ending = data.draw(st.sampled_from(sorted(CODES)))
    whole = tmp_path / f"whole{ending}"
    clip = bytearray((whole if whole.exists() else make_clip(whole, 6)).read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(clip) - 1), min_size=1, max_size=30)):
        clip[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / f"damaged{ending}"
    path.write_bytes(clip)
    try:
        found = results(path, timeout=10)
    except UserError as error:
        assert str(path) in str(error)  # noqa: PT017 - or there is none
    else:
        assert all(np.isfinite(one.video_frame.seconds) for one in found)


def test_a_missing_extra_is_named(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert "needs the package opencv-python-headless; install it with `uv sync --extra video`" in told(clip)[1]


def test_an_old_opencv_is_named(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cv2.__version__", "4.11.0")
    assert "needs OpenCV 4.12 or newer, with FFmpeg; this is 4.11.0" in told(clip)[1]
