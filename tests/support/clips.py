"""Clips that tests make, and servers on this machine that send them."""

import itertools
import re
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from servers import HOST, free_port, serving

CODES = {".avi": "MJPG", ".mkv": "mp4v", ".mov": "mp4v", ".mp4": "mp4v", ".ts": "mpg2", ".webm": "VP80"}
HEIGHT, WIDTH, FPS = 64, 96, 10
PLAYLISTS = {  # each names an address to open, `{}`
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile '{}'\n",
    "dash": b'<?xml version="1.0"?><MPD type="static"><BaseURL>{}</BaseURL></MPD>',
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\na=control:{}\n",
}


def frame(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Return an RGB frame of three colours: a red box that moves right with its number, on blue over green."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, :, 2] = pixels[height // 2 :, :, 1] = 200
    left = 8 + number % 5 * 8
    pixels[16:48, left : left + 32] = (250, 0, 0)
    return pixels


def make_clip(path: Path, count: int = 20, fps: float = FPS, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
    """Write a clip of `frame(0)`, `frame(1)` and so on, and return its path."""
    cv2 = pytest.importorskip("cv2", reason="needs the extra video")
    code = cv2.VideoWriter_fourcc(*CODES[path.suffix])
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, fps, size[::-1])
    assert writer.isOpened()
    for number in range(count):
        writer.write(np.ascontiguousarray(frame(number, *size)[..., ::-1]))
    writer.release()
    return path


def damaged(path: Path, numbers: Sequence[int]) -> Path:
    """Write a clip again, with zeros in place of some coded frames."""
    from humbleyolo.detection.video.decoder import import_opencv  # it silences FFmpeg

    cv2 = import_opencv("a test")
    data, end = bytearray(path.read_bytes()), 0
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    for number in itertools.count():
        there, coded = capture.read()
        if not there:
            break
        tail = bytes(coded.ravel()[-100:])
        end = data.index(tail, end) + len(tail)
        if number in numbers:
            data[end - coded.size : end] = bytes(coded.size)
    target = path.with_stem("damaged")
    target.write_bytes(data)
    return target


def frames_elsewhere(clip: Path) -> bytes:
    """Return a MOV whose index says that its frames lie in another file, `clip`, as QuickTime's aliases do.

    Source: QuickTime File Format, "Data reference atoms"; Inside Macintosh: Files, "Alias records".
    """
    data, path = bytearray(clip.read_bytes()), f"disk{clip}".replace("/", ":").encode()
    name, volume = (bytes([len(one)]) + one for one in (clip.name.encode(), b"disk"))
    alias = bytes(10) + volume.ljust(28, b"\0") + bytes(12) + name.ljust(64, b"\0") + bytes(36)
    alias += struct.pack(">hH", 2, len(path)) + path + bytes(len(path) % 2) + struct.pack(">hH", -1, 0)
    start = data.index(b"dref") - 4
    before = int.from_bytes(data[start : start + 4], "big")
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    data[start : start + before] = struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        at = data.index(box) - 4
        length = int.from_bytes(data[at : at + 4], "big") + 16 + len(entry) - before
        data[at : at + 4] = length.to_bytes(4, "big")
    return bytes(data)


class Visits:
    """A door on this machine that counts who knocks."""

    def __init__(self) -> None:
        self.door = socket.create_server((HOST, 0))
        place = f"{HOST}:{self.door.getsockname()[1]}"
        self.url, self.rtsp = f"http://{place}/next.ts", f"rtsp://{place}/next"
        self.moved = f"RTSP/1.0 302 Moved\r\nCSeq: {{seq}}\r\nLocation: {self.rtsp}\r\n\r\n".encode()
        self.seen: list[bool] = []

    def any(self, wait: float = 0.05) -> bool:
        """Return whether somebody connects."""
        self.door.settimeout(wait)
        try:
            self.door.accept()[0].close()
        except TimeoutError:
            return False
        return True


@contextmanager
def web(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Yield the URL of a web server with one answer to all."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                answer(self)
            except OSError:
                self.close_connection = True  # the reader has gone

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sending(data: bytes, kind: str = "application/octet-stream", *, told: int | None = None) -> Callable[..., None]:
    """Return an answer of some bytes; `told` is the length that it tells, in place of theirs."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", kind)
        if told != -1:
            request.send_header("Content-Length", str(len(data) if told is None else told))
        request.end_headers()
        request.wfile.write(data)

    return answer


@contextmanager
def rtsp_answers(answer: Callable[[str], bytes]) -> Iterator[str]:
    """Yield the URL of an RTSP server that answers a request's first line with some bytes, and `{seq}` in them."""
    door = socket.create_server((HOST, 0))

    def serve() -> None:
        try:
            side, _ = door.accept()
            with side:
                while request := side.recv(4096).decode():
                    number = re.search(r"CSeq: (\d+)", request)
                    side.sendall(answer(request).replace(b"{seq}", number[1].encode() if number else b"0"))
        except OSError:
            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"rtsp://{HOST}:{door.getsockname()[1]}/clip"
    door.close()


_RTSP_SERVER = """
import sys
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server, factory = GstRtspServer.RTSPServer.new(), GstRtspServer.RTSPMediaFactory.new()
server.set_address(sys.argv[1])
server.set_service(sys.argv[2])
factory.set_launch(f"( filesrc location={sys.argv[3]} ! qtdemux ! rtpmp4vpay name=pay0 )")
server.get_mount_points().add_factory("/clip", factory)
server.attach(None)
GLib.MainLoop().run()
"""


@contextmanager
def gst_rtsp_server(clip: Path, log: Path) -> Iterator[str]:
    """Yield the URL of GStreamer's RTSP server, which plays an MP4 to each who comes."""
    python = shutil.which("python3", path="/usr/bin")  # the one that Debian's modules are of
    needs = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst; Gst.init(None)"
    needs += "; assert all(map(Gst.ElementFactory.find, ('qtdemux', 'rtpmp4vpay', 'filesrc')))"
    if python is None or subprocess.run([python, "-c", needs], capture_output=True).returncode:
        pytest.skip("needs python3-gi, gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-good")
    port = free_port()
    with serving([python, "-c", _RTSP_SERVER, HOST, str(port), str(clip)], port, log):
        yield f"rtsp://{HOST}:{port}/clip"
