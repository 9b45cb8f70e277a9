"""A relay on this machine between FFmpeg and an RTSP server.

FFmpeg would follow a server to any address that it names, and wait for ever. So it is given an address of this
machine alone; the one connection to the server is made here. An answer that names another place is not passed on.
"""

import re
import selectors
import socket
import ssl
import threading
import time
from contextlib import suppress
from urllib.parse import SplitResult, urlunsplit

from humbleyolo.errors import UserError

_HERE = "127.0.0.1"
_PORTS = {"rtsp": 554, "rtsps": 322}
_PIECE_BYTES = 2**16
_STATUS = re.compile(rb"^RTSP/1\.\d ([1-9]\d\d) ([^\n]{0,80})", re.MULTILINE)
_TICK = 0.2  # seconds after which `close` is noticed


class RtspRelay:
    """A relay, running until it is closed.

    Args:
        parts: The server's address.
        name: It in errors, without a password.
        timeout: Seconds after which a silent server is left.

    Attributes:
        address: The address that FFmpeg opens.
        error: Reason for its end, if neither side ended it.
        refusal: The server's last answer, if that was no.

    Raises:
        UserError: If the server cannot be reached.
    """

    def __init__(self, parts: SplitResult, name: str, timeout: float) -> None:
        self._name, self._timeout = name, timeout
        self.error: UserError | None = None
        self.refusal: UserError | None = None
        self._closing = threading.Event()
        self._server = _connect(parts, name, timeout)
        self._door = socket.create_server((_HERE, 0))
        self._sides = [self._server]
        user, at, _ = parts.netloc.rpartition("@")
        here = f"{user}{at}{_HERE}:{self._door.getsockname()[1]}"
        self.address = urlunsplit(parts._replace(scheme="rtsp", netloc=here))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the relay, and both connections."""
        self._closing.set()
        for side in self._sides:
            with suppress(OSError):  # it has ended
                side.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _run(self) -> None:
        with self._server, self._door:
            self._door.settimeout(_TICK)
            while not self._closing.is_set():
                try:
                    ffmpeg, _ = self._door.accept()
                except TimeoutError:
                    continue
                with ffmpeg:
                    self._door.close()  # one connection, and no other
                    self._sides.append(ffmpeg)
                    try:
                        self._pass_on(ffmpeg)
                    except UserError as error:
                        self.error = error
                    except OSError as error:
                        self.error = UserError(f"{self._name}: breaks off: {error.strerror or error}")
                return

    def _pass_on(self, ffmpeg: socket.socket) -> None:
        """Pass bytes on both ways, until a side ends."""
        heard, playing, answers = time.monotonic(), False, b""
        self._server.settimeout(self._timeout)  # FFmpeg may take what time its reader takes
        with selectors.DefaultSelector() as ready:
            ready.register(ffmpeg, selectors.EVENT_READ)
            ready.register(self._server, selectors.EVENT_READ)
            while not self._closing.is_set():
                pending = isinstance(self._server, ssl.SSLSocket) and self._server.pending() > 0
                sides = {key.fileobj for key, _ in ready.select(0 if pending else _TICK)}
                if ffmpeg in sides:
                    data = ffmpeg.recv(_PIECE_BYTES)
                    playing = playing or data.startswith(b"PLAY ")
                    if not data:
                        return
                    self._server.sendall(data)
                if self._server in sides or pending:
                    data = self._server.recv(_PIECE_BYTES)
                    if not data:
                        return
                    if not playing:  # from then on FFmpeg heeds no other address
                        answers = (answers + data.replace(b"\r", b""))[-_PIECE_BYTES - 64 :]
                        self._check(answers)
                    ffmpeg.sendall(data)
                    heard = time.monotonic()
                elif time.monotonic() - heard > self._timeout:
                    raise UserError(f"{self._name}: was silent for {self._timeout:g} s")

    def _check(self, answers: bytes) -> None:
        *_, (code, reason) = _STATUS.findall(answers) or [(b"200", b"")]
        self.refusal = UserError(f"{self._name}: answers {code.decode()} {reason.decode(errors='replace')!r}")
        if code < b"400":
            self.refusal = None
        _, found, rest = answers.lower().partition(b"location:")
        if found:
            to = rest.split(b"\n")[0].strip()[:200].decode("ascii", "replace")
            raise UserError(
                f"{self._name}: redirects to {to!r}, which is not followed; name that address itself if you trust it"
            )


def _connect(parts: SplitResult, name: str, timeout: float) -> socket.socket:
    scheme, host = parts.scheme.lower(), parts.hostname or ""
    try:
        server = socket.create_connection((host, parts.port or _PORTS[scheme]), timeout)
    except OSError as error:
        raise UserError(f"{name}: cannot be reached: {error.strerror or error or 'no answer'}") from None
    if scheme == "rtsp":
        return server
    try:
        return ssl.create_default_context().wrap_socket(server, server_hostname=host)
    except OSError as error:
        server.close()
        raise UserError(f"{name}: cannot be reached safely: {error}") from None
