"""Clips and streams of strangers open no file and no address of their own, and end in words."""

import io
import itertools
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from clips import PLAYLISTS, Visits, frame, frames_elsewhere, make_clip, rtsp_answers, sending, web
from PIL import Image
from stub_models import RedFinder
from traced import why_not

from humbleyolo.detection.detector import Detector
from humbleyolo.detection.result import Result
from humbleyolo.detection.video import byte_stream, open_video, web_address
from humbleyolo.detection.video.byte_stream import container_of
from humbleyolo.detection.video.video_stream import VideoOptions, VideoStream
from humbleyolo.errors import UserError

cv2 = pytest.importorskip("cv2", reason="needs the extra video")


def results(name: object, **options: object) -> list[Result]:
    return list(Detector(RedFinder()).stream(name, **options))


def told(name: object, **options: object) -> str:
    with pytest.raises(UserError) as raised:
        results(name, **options)
    return str(raised.value)


LONG = 60.0  # seconds that a slow server takes, if it is waited for


class SlowServer:
    """The sender of an answer that takes long, unless its reader goes away.

    Attributes:
        waited_for: Whether somebody read to the end, in place of giving up; so of no clock, however busy the machine.
    """

    def __init__(self) -> None:
        self.waited_for = False
        self._left = threading.Event()

    def drip(self, request: object, *pieces: bytes) -> None:
        """Send the pieces a little apart, and then the last one again and again."""
        end = time.monotonic() + LONG
        for piece in itertools.chain(pieces, itertools.repeat(pieces[-1])):
            request.wfile.write(piece)
            if self._left.wait(0.05):
                return
            if time.monotonic() > end:
                self.waited_for = True
                return

    def stall(self) -> None:
        """Send nothing."""
        self.waited_for = not self._left.wait(LONG) or self.waited_for

    @contextmanager
    def given_up(self, answer: Callable[[object], None]) -> Iterator[str]:
        """Yield the URL of a web server with that answer; whoever asks must have given up at the end."""
        self._left.clear()
        with web(answer) as url:
            yield url
            assert not self.waited_for
            self._left.set()


@pytest.fixture
def slow() -> SlowServer:
    """A server that nobody should wait for."""
    return SlowServer()


def jpeg(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame(number)).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_opens_nothing(kind: str, visits: Visits, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(PLAYLISTS[kind].replace(b"{}", visits.url.encode()))
    assert f"{path}: is a playlist; what it names is not opened" in told(path)
    with web(sending(path.read_bytes(), "video/mp4")) as url:
        assert "is a playlist" in told(f"{url}/clip.mp4")
    assert not visits.any()


def test_a_playlist_would_open_something(visits: Visits) -> None:
    """OpenCV by itself goes where a playlist says: else the tests beside this one show nothing."""
    thread = threading.Thread(target=lambda: visits.seen.append(visits.any(LONG)))
    thread.start()
    with web(sending(PLAYLISTS["hls"].replace(b"{}", visits.url.encode()), "text/plain")) as url:
        cv2.VideoCapture(f"{url}/clip.m3u8", cv2.CAP_FFMPEG).release()
    thread.join()
    assert visits.seen == [True]


OPENING = """
import os, sys
from contextlib import contextmanager
from humbleyolo.detection.video import decoder
from humbleyolo.detection.video.byte_stream import ByteStream
from humbleyolo.errors import UserError

locked, *lists = sys.argv[1:]
if locked == "False":
    def lifted(**options):
        return real(input_format=options["input_format"], safe="0", enable_drefs="1", use_absolute_path="1")
    real, decoder._ffmpeg_options = decoder._ffmpeg_options, lifted
for container, path in zip(lists[::2], lists[1::2]):
    one = decoder.Decoder("clip", 10**6, 5)
    try:
        one.open_bytes(ByteStream(open(path, "rb")), container)
        print(len(list(one.frames(1))))
    except UserError:
        print("refused")
    one.close()
"""


@pytest.mark.parametrize("locked", [False, True])
def test_ffmpeg_may_open_nothing(locked: bool, visits: Visits, tmp_path: Path) -> None:
    """The second lock: lists whose kind the first one did not see, and a clip whose frames lie in another file.

    Without the lock each of them opens what it names.
    """
    if why := why_not():
        pytest.skip(why)
    other = make_clip(tmp_path / "other.mov", 3)
    (tmp_path / "a.mov").write_bytes(frames_elsewhere(other))
    lists = ["mov", "a.mov"]
    for number, named in enumerate((str(other), other.name, visits.url)):
        (tmp_path / f"{number}.txt").write_bytes(PLAYLISTS["concat"].replace(b"{}", named.encode()))
        lists += ["concat", f"{number}.txt"]
    assert container_of((tmp_path / "a.mov").read_bytes()) == "mov"  # so that the first lock lets it through
    log = tmp_path / "log"
    strace = ["strace", "-f", "--seccomp-bpf", "-e", "trace=?open,openat,connect", "-o", str(log)]
    knocking = threading.Thread(target=lambda: visits.seen.append(visits.any(60)))
    if not locked:
        knocking.start()
    python = [sys.executable, "-c", OPENING, str(locked), *lists]
    done = subprocess.run([*strace, *python], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    opened = re.findall(r'"([^"]*other\.mov)"|(AF_INET.*)\)', log.read_text())
    if locked:
        assert done.stdout.split() == ["refused"] * 4
        assert not opened
        assert not visits.any()
    else:
        knocking.join()
        assert done.stdout.split() == ["3", "3", "3", "refused"]  # the last one gives no clip
        assert {str(other), "other.mov"} <= {path for path, _ in opened}
        assert visits.seen == [True]


def test_options_of_ffmpeg_are_left_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip(tmp_path / "clip.avi", 3)
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;none|input_format;hls")
    assert len(results(clip)) == 3
    assert os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] == "protocol_whitelist;none|input_format;hls"
    monkeypatch.delenv("OPENCV_FFMPEG_CAPTURE_OPTIONS")
    assert len(results(clip)) == 3
    assert "OPENCV_FFMPEG_CAPTURE_OPTIONS" not in os.environ


@pytest.mark.parametrize(
    "name", ["file:///etc/passwd", "concat://a|b", "ftp://host/a.mp4", "udp://@:9", "gopher://a/b"]
)
def test_other_schemes_are_not_opened(name: str) -> None:
    assert "is not opened; known are http, https, rtsp, rtsps" in told(name)


def test_a_redirect_is_not_followed(visits: Visits) -> None:
    def answer(request: object) -> None:
        request.send_response(302)
        request.send_header("Location", visits.url)
        request.end_headers()

    with web(answer) as url:
        assert f"{url}/a: redirects to '{visits.url}', which is not followed" in told(f"{url}/a")
    with rtsp_answers(lambda _: visits.moved) as url:
        assert f"{url}: redirects to '{visits.rtsp}', which is not followed" in told(url)
    assert not visits.any()


def test_a_redirect_in_pieces_is_not_followed(visits: Visits) -> None:
    """FFmpeg leaves out carriage returns, and skips pictures between the lines."""
    sly = f"RTSP/1.0 302 Moved\r\nCSeq: {{seq}}\r\n$\0\0\4abc-LoCa\rTion: {visits.rtsp}\r\n\r\n".encode()
    with rtsp_answers(lambda _: sly) as url:
        assert "which is not followed" in told(url)
    assert not visits.any()


def test_a_redirect_of_rtsp_would_be_followed(visits: Visits) -> None:
    thread = threading.Thread(target=lambda: visits.seen.append(visits.any(LONG)))
    thread.start()
    with rtsp_answers(lambda _: visits.moved) as url:
        cv2.VideoCapture(url, cv2.CAP_FFMPEG).release()
    thread.join()
    assert visits.seen == [True]


def test_an_address_in_a_description_is_not_opened(visits: Visits) -> None:
    def answer(request: str) -> bytes:
        body = PLAYLISTS["sdp"].replace(b"{}", visits.rtsp.encode()) if request.startswith("DESCRIBE") else b""
        head = f"RTSP/1.0 200 OK\r\nCSeq: {{seq}}\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n" + body

    with rtsp_answers(answer) as url:
        assert f"{url}: " in told(url, timeout=1)
    assert not visits.any()


def test_refusals_in_words() -> None:
    with rtsp_answers(lambda _: b"RTSP/1.0 404 Not Found\r\nCSeq: {seq}\r\n\r\n") as url:
        assert f"{url}: answers 404 'Not Found'" in told(url)
    with web(lambda request: request.send_error(404)) as url:
        assert f"{url}/a: answers 404 Not Found" in told(f"{url}/a")
    assert "cannot be reached" in told("rtsp://127.0.0.1:1/a")
    assert "cannot be reached" in told("http://127.0.0.1:1/a")


def test_passwords_are_not_shown() -> None:
    for scheme in ("http", "rtsp"):
        why = told(f"{scheme}://me:se:cret@127.0.0.1:1/a")
        assert f"{scheme}://me:***@127.0.0.1:1/a" in why
        assert "cret" not in why


def test_a_password_goes_to_the_server_alone_that_asks() -> None:
    asked = []

    def answer(request: object) -> None:
        asked.append(request.headers.get("Authorization"))
        if asked[-1] is None:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.send_header("Content-Length", "0")
            request.end_headers()
        else:
            sending(jpeg(0), "image/jpeg")(request)

    with web(answer) as url:
        (found,) = results(url.replace("//", "//me:s%20t@"))
    assert asked == [None, "Basic bWU6cyB0"]  # me:s t
    assert found.file == url.replace("//", "//me:***@")


def test_a_picture_by_its_address() -> None:
    with web(sending(jpeg(2), "image/jpeg")) as url:
        (found,) = results(f"{url}/a.jpg")
    assert found.video_frame is None
    np.testing.assert_allclose(found.boxes, [[24, 16, 56, 48]], atol=2)
    with web(sending(b"<html>no picture</html>", "image/jpeg")) as url:
        assert f"{url}: cannot be read as an image" in told(url)


# On a busy machine the time is over before the server has answered at all.
TOO_SLOW = "(took more than|gave no frame within) {0} s; allow more.*|(cannot be reached|breaks off): timed out"


def test_too_much_and_too_slow(monkeypatch: pytest.MonkeyPatch, slow: SlowServer) -> None:
    monkeypatch.setattr(open_video, "IMAGE_BYTES", 20_000)

    def drip(request: object) -> None:
        sending(b"", told=10_000)(request)
        slow.drip(request, b"a")

    with web(sending(bytes(10**6))) as url:
        assert f"{url}: sends more than the 20,000 bytes" in told(url)
    with web(sending(jpeg(0)[:500], told=600)) as url:
        assert "breaks off after 500 of 600 bytes" in told(url)
    with slow.given_up(drip) as url:
        assert re.fullmatch(f"{url}: ({TOO_SLOW.format(0.3)})", told(url, timeout=0.3))
    with slow.given_up(lambda _: slow.stall()) as url:
        assert f"{url}: cannot be reached: timed out" in told(url, timeout=0.3)


def test_a_slow_server_is_not_waited_for_while_opening(tmp_path: Path, slow: SlowServer) -> None:
    data = (
        b"\0\x10\0\0free" + bytes(0x100000 - 8) + make_clip(tmp_path / "clip.mp4").read_bytes()
    )  # it goes over that

    def clip(request: object) -> None:
        sending(data[:4500], told=len(data))(request)
        slow.drip(request, b"a")

    with slow.given_up(clip) as url:
        assert re.fullmatch(f"{url}: ({TOO_SLOW.format(0.4)})", told(url, timeout=0.4))
    with slow.given_up(lambda request: slow.drip(request, b"HTTP/1.1 200 OK\r\nX-A: ", b"a")) as url:
        assert f"{url}: cannot be reached: timed out" in told(url, timeout=0.4)


@pytest.mark.parametrize("step", [0, 1, 60])
@pytest.mark.parametrize("ending", [".avi", ".ts"])
def test_a_clip_that_drips_is_not_waited_for(ending: str, step: int, tmp_path: Path, slow: SlowServer) -> None:
    """Bytes of a frame come one by one or some by some; 0: those of a chunk's header, which never ends."""
    data = make_clip(tmp_path / f"clip{ending}", 60).read_bytes()

    def answer(request: object) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        request.wfile.write(b"%x\r\n%s\r\n" % (6000, data[:6000]) + b"9;" * (step == 0))
        pieces = [data[at : at + step] for at in range(6000, 6000 + 80 * step, step)] if step else []
        slow.drip(request, *[b"%x\r\n%s\r\n" % (step, piece) for piece in pieces] or [b"a"])

    with slow.given_up(answer) as url:
        why = told(url, timeout=0.4)
    assert re.fullmatch(f"{url}: ({TOO_SLOW.format(0.4)})", why)


@pytest.mark.parametrize("form", ["sized", "unsized", "row"])
def test_what_stalls_is_slow_and_not_at_its_end(form: str, slow: SlowServer) -> None:
    """The rest may come any time: what came is neither a whole picture nor a whole stream."""
    picture = jpeg(0)
    part = b"--x\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(picture), picture)

    def answer(request: object) -> None:
        kind = b"multipart/x-mixed-replace; boundary=x" if form == "row" else b"image/jpeg"
        sized = b"Content-Length: %d\r\n" % len(picture) if form == "sized" else b""
        request.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: " + kind + b"\r\n" + sized + b"\r\n")
        request.wfile.write(part + part[:200] if form == "row" else picture[:500])
        request.wfile.flush()
        slow.stall()

    for _ in range(5):  # the clock of the connection and that of the reading run side by side
        with slow.given_up(answer) as url:
            why = told(url, timeout=0.2)
        assert re.fullmatch(f"{url}: ({TOO_SLOW.format(0.2)})", why), why


def test_ctrl_c_ends_an_opening(monkeypatch: pytest.MonkeyPatch, slow: SlowServer) -> None:
    asked = threading.Event()

    def answer(_: object) -> None:
        asked.set()
        slow.stall()

    def interrupted() -> None:
        assert asked.wait(LONG)
        raise KeyboardInterrupt

    with slow.given_up(answer) as url:
        stream = VideoStream(Detector(RedFinder()), url, VideoOptions(timeout=2 * LONG), 10**6)
        monkeypatch.setattr(stream._ready, "get", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(stream.results(None))
        for thread in threading.enumerate():
            if thread.name == "video":
                thread.join(LONG / 2)
                assert not thread.is_alive()


@pytest.mark.parametrize("ending", [".mp4", ".avi", ".webm", ".mkv", ".ts"])
@pytest.mark.parametrize("sized", [True, False])
def test_a_clip_by_its_address(ending: str, sized: bool, tmp_path: Path) -> None:
    path = make_clip(tmp_path / f"clip{ending}", 12)
    if ending == ".mp4" and not sized:
        return  # its index is at its end, which is not known
    with web(sending(path.read_bytes(), told=None if sized else -1)) as url:
        found = results(f"{url}/clip")
    assert [one.video_frame.seconds for one in found] == [one.video_frame.seconds for one in results(path)]
    for one, other in zip(found, results(path), strict=True):
        np.testing.assert_array_equal(one.video_frame.pixels, other.video_frame.pixels)


def test_an_endless_stream_of_nothing_ends() -> None:
    packet = b"G" + bytes(187)

    def answer(request: object) -> None:
        sending(packet * 100, told=-1)(request)
        while True:
            request.wfile.write(packet * 1000)

    with web(answer) as url:
        why = told(url, timeout=1)
    assert why.startswith(f"{url}: ")


def test_of_an_endless_stream_a_part_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_stream, "_WINDOW_BYTES", 1000)
    data = bytes(range(250)) * 40

    class Answer:
        rest = io.BytesIO(data[10:])

        def read1(self) -> bytes:
            return self.rest.read(300)

        def close(self) -> None:
            pass

    kept = byte_stream.Download(Answer(), data[:10], "it", None)
    read = [kept.read(100)]
    while read[-1]:
        read.append(kept.read(100))
        assert kept._file.seek(0, 2) <= 1600
    assert b"".join(read) == data
    kept.seek(-50, 1)
    assert kept.read(100) == data[-50:]
    with pytest.raises(ValueError, match="forwards"):
        kept.seek(0)
    kept.close()
    Answer.rest.seek(0)
    whole = byte_stream.Download(Answer(), b"", "it", len(data), most=1000)
    whole.seek(-1, 2)
    with pytest.raises(UserError, match="more than 1,000 bytes"):
        whole.read(1)
    whole.close()


def pictures(count: int | None, *, length: bool = True, pause: float = 0.0) -> Callable[[object], None]:
    """An answer of a camera; None: without an end."""

    def answer(request: object) -> None:
        sending(b"", "multipart/x-mixed-replace; boundary=b", told=-1)(request)
        for number in itertools.count() if count is None else range(count):
            data = jpeg(number)
            told = f"Content-Length: {len(data)}\r\n" if length else ""
            request.wfile.write(f"--b\r\nContent-Type: image/jpeg\r\n{told}\r\n".encode() + data + b"\r\n")
            time.sleep(pause)

    return answer


def test_motion_jpeg() -> None:
    with web(pictures(8, pause=0.02)) as url:
        started = time.monotonic()
        found = results(url)
        most = time.monotonic() - started
    numbers = [one.video_frame.number for one in found]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 7  # the last is always looked at
    for one in found:
        left = 8 + one.video_frame.number % 5 * 8
        np.testing.assert_allclose(one.boxes, [[left, 16, left + 32, 48]], atol=2)
    seconds = [one.video_frame.seconds for one in found]  # of the clock, since it was opened
    assert seconds[0] >= 0
    assert sorted(set(seconds)) == seconds
    assert seconds[-1] < most
    with web(pictures(None, pause=0.01)) as url:
        assert all(one.video_frame.seconds < 0.3 for one in results(url, max_seconds=0.3))
    with web(pictures(3, length=False)) as url:
        assert "sends no picture with its Content-Length" in told(url)


def test_who_is_slow_gets_the_newest_frame() -> None:
    with web(pictures(20)) as url:
        stream = VideoStream(Detector(RedFinder()), url, VideoOptions(), 10**6)
        found = stream.results(None)
        first = next(found).video_frame.number
        end = time.monotonic() + LONG
        while stream.skipped < 18:  # all between the first one taken and the last
            assert time.monotonic() < end
            time.sleep(0.01)
        assert [one.video_frame.number for one in found] == [19]
    assert first < 19
    assert stream.skipped == 18


def test_a_picture_in_a_row_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_video, "IMAGE_BYTES", 100)
    with web(pictures(1)) as url:
        assert "1 to 100 are allowed" in told(url)


@pytest.mark.parametrize("text", ["http://", "rtsp:///x", "http://a b/c", "http://[::1/x", "http://h:99999/"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="is no address"):
        web_address.parse_address(text)
