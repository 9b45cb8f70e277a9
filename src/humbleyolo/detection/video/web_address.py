"""Addresses of pictures and streams: what may stand in one, and one answer from it, without redirects."""

import http.client
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from humbleyolo.errors import UserError
from humbleyolo.process.terminal import hide_password

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*):(//|[^\\/])", re.IGNORECASE)
_PIECE_BYTES = 2**16
SCHEMES = ("http", "https", "rtsp", "rtsps")


def is_address(text: str) -> bool:
    """Tell a URL by its scheme; a drive's letter is none."""
    found = _ADDRESS.match(text)
    return found is not None and found[2] == "//"


def parse_address(text: str) -> SplitResult:
    """Return the parts of an address.

    Raises:
        UserError: If its scheme is not one of `SCHEMES`, or it names no host.
    """
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise UserError(f"{hide_password(text)}: is no address of the form scheme://host:port/path") from None
    if parts.scheme.lower() not in SCHEMES:
        raise UserError(f"{hide_password(text)}: {parts.scheme}:// is not opened; known are {', '.join(SCHEMES)}")
    if not usable or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise UserError(f"{hide_password(text)!r}: is no address of the form scheme://host:port/path")
    return parts


def user_of(parts: SplitResult) -> tuple[str, str] | None:
    """Return the user and the password of an address, if it has one."""
    return None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))


class Connections:
    """The connections of a request, which any thread can end."""

    def __init__(self) -> None:
        self.ended = False
        self._sockets: list[socket.socket] = []

    def add(self, one: socket.socket) -> None:
        """Take in a connection."""
        self._sockets.append(one)
        if self.ended:
            self.end()

    def end(self) -> None:
        """End them all, and those to come: who waits for their bytes gets none."""
        self.ended = True
        for one in self._sockets:
            with suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)  # that of TLS would change what is read from there

    @contextmanager
    def ending_after(self, seconds: float) -> Iterator[None]:
        """End them if a wait takes longer: a header may come byte by byte, which no time limit of a socket sees."""
        limit = threading.Timer(seconds, self.end)
        limit.daemon = True
        limit.start()
        try:
            yield
        finally:
            limit.cancel()


def _connection(kind: Callable[..., Any], connections: Connections, *args: Any, **options: Any) -> Any:
    made = kind(*args, **options)
    connect = made.connect

    def connect_and_add() -> None:
        connect()
        connections.add(made.sock)

    made.connect = connect_and_add
    return made


class _Http(urllib.request.HTTPHandler):
    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections

    def do_open(self, http_class: Any, req: urllib.request.Request, **options: Any) -> http.client.HTTPResponse:
        """Return the answer, after the connection was added."""
        return super().do_open(partial(_connection, http_class, self._connections), req, **options)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections

    do_open = _Http.do_open


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Return nothing: the answer itself becomes the error."""


class Answer:
    """One answer from the web, read from its start, with a deadline over many small reads.

    Args:
        response: The answer.
        name: Its address in errors.
        timeout: Seconds from `begin` on until what is read must have come.
        connections: Its connection, which is ended where a single wait takes as long.
    """

    def __init__(
        self, response: http.client.HTTPResponse, name: str, timeout: float, connections: Connections
    ) -> None:
        self._response, self._name, self._timeout, self._connections = response, name, timeout, connections
        self._waiting = b""
        self.size: int | None = response.length
        kind = (response.headers.get("Content-Type") or "").partition(";")[0]
        self.is_row_of_pictures = kind.strip().lower() == "multipart/x-mixed-replace"
        self.begin()

    def begin(self) -> None:
        """Set the deadline anew."""
        self._until = time.monotonic() + self._timeout

    def read1(self, size: int = _PIECE_BYTES) -> bytes:
        """Return what has come, `size` bytes at most; none at the end.

        Raises:
            UserError: If it breaks off, or takes too long.
        """
        if not self._waiting:
            try:
                with self._connections.ending_after(self._timeout):
                    self._waiting = self._response.read1(_PIECE_BYTES)
            except (OSError, http.client.HTTPException) as error:
                if self._connections.ended:
                    raise self._too_slow() from None
                raise UserError(f"{self._name}: breaks off: {error or type(error).__name__}") from None
            if not self._waiting and self._connections.ended:  # a connection that was ended looks like its end
                raise self._too_slow()
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        return data

    def read(self, size: int) -> bytes:
        """Return so many bytes; fewer at the end alone.

        Raises:
            UserError: If it breaks off, or they do not come in time.
        """
        pieces = []
        while size > 0 and (piece := self.read1(size)):
            self._check_time()
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def readline(self, most: int) -> bytes:
        """Return a line, or `most` bytes of it.

        Raises:
            UserError: If it breaks off, or does not come in time.
        """
        line = b""
        while len(line) < most and not line.endswith(b"\n") and (piece := self.read1(most - len(line))):
            self._check_time()
            end = piece.find(b"\n") + 1 or len(piece)
            line, self._waiting = line + piece[:end], piece[end:] + self._waiting
        return line

    def read_picture(self, head: bytes, most: int) -> bytes:
        """Return all of it, of which `head` was read.

        Raises:
            UserError: If it is larger than `most`, breaks off, or does not come in time.
        """
        data = head + self.read(most + 1 - len(head))
        if len(data) > most:
            raise UserError(f"{self._name}: sends more than the {most:,} bytes that a picture may have")
        if self.size is not None and len(data) < self.size:
            raise UserError(f"{self._name}: breaks off after {len(data):,} of {self.size:,} bytes")
        return data

    def _check_time(self) -> None:
        if time.monotonic() > self._until:
            raise self._too_slow()

    def _too_slow(self) -> UserError:
        return UserError(
            f"{self._name}: took more than {self._timeout:g} s; allow more (timeout, --timeout), or download it"
        )

    def close(self) -> None:
        """Close the connection."""
        self._response.close()


def open_address(text: str, timeout: float, connections: Connections) -> Answer:
    """Ask an HTTP or HTTPS address, and return the answer; the user and password in it are sent to it alone.

    Args:
        text: The address.
        timeout: Seconds in which the answer must begin, and of each wait for the network after that.
        connections: Taker of the connections.

    Raises:
        UserError: If there is no answer, or another than the thing itself: errors, redirects.
    """
    parts, name = parse_address(text), hide_password(text)
    address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects(), _Http(connections), _Https(connections)]
    if user := user_of(parts):
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, address, *user)
        handlers += [urllib.request.HTTPBasicAuthHandler(passwords), urllib.request.HTTPDigestAuthHandler(passwords)]
    request = urllib.request.Request(address, headers={"User-Agent": "humbleyolo"})  # noqa: S310 - by `parse_address`
    try:
        with connections.ending_after(timeout):
            response = urllib.request.build_opener(*handlers).open(request, timeout=timeout)
        if connections.ended:
            response.close()
            raise TimeoutError("timed out")
        return Answer(response, name, timeout, connections)
    except urllib.error.HTTPError as error:
        error.close()
        to = hide_password(error.headers.get("Location") or "")
        if 300 <= error.code < 400 and to:
            raise UserError(f"{name}: redirects to {to!r}, which is not followed; name that address itself") from None
        raise UserError(f"{name}: answers {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = "timed out" if connections.ended else getattr(error, "reason", None) or error
        raise UserError(f"{name}: cannot be reached: {reason or type(error).__name__}") from None
