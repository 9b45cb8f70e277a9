"""Connections of the page's server: an upload that drips is ended, as one that stops."""

import time
from typing import Any

from waitress.channel import HTTPChannel

from humbleyolo.serve.limits import BYTES_PER_S


class PacedChannel(HTTPChannel):  # type: ignore[misc]  # of a package without types
    """A connection that is closed if a request comes in with less than `BYTES_PER_S`, but for `channel_timeout`."""

    def __init__(self, *told: Any, **named: Any) -> None:
        super().__init__(*told, **named)
        self._begun, self._arrived = time.monotonic(), 0

    def received(self, data: bytes) -> bool:
        """Take bytes, in the server's thread; empty lines before a request are none of it."""
        now = time.monotonic()
        if self.request is None and data.strip(b"\r\n"):
            self._begun, self._arrived = now, 0
        self._arrived += len(data)
        if now - self._begun > self.adj.channel_timeout + self._arrived / BYTES_PER_S:
            self.will_close = True
            return False
        return bool(super().received(data))
