"""The server of the page: waitress, on 127.0.0.1 alone."""

import logging
import socket
from typing import Any

from humbleyolo.detection.detector import Detector
from humbleyolo.errors import UserError
from humbleyolo.process.extras import how_to_install
from humbleyolo.serve.limits import CONNECTIONS, IDLE_S, IMAGE_PIXELS, THREADS


def make_server(
    detector: Detector, port: int, max_upload_mib: int, sample: bytes | None = None, *, draws: bool = True
) -> Any:
    """Return a server that listens already, for `run_server`; its `socket` knows the port (0 takes any free one).

    For `sample` and `draws` see `create_app`.

    Raises:
        UserError: If a package is missing, or the port cannot be had.
    """
    try:
        import waitress

        from humbleyolo.serve.app import create_app
        from humbleyolo.serve.paced_channel import PacedChannel
    except ImportError as error:
        raise UserError(f"serve needs the package {error.name}; install it with {how_to_install('serve')}") from None
    max_bytes = max_upload_mib * 2**20
    app = create_app(detector, max_bytes=max_bytes, max_pixels=IMAGE_PIXELS, sample=sample, draws=draws)
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise UserError(f"port {port} cannot be had: {error.strerror}; give another with --port") from None
    server = waitress.create_server(
        app,
        sockets=[listener],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_S,
        cleanup_interval=1,
        max_request_body_size=max_bytes + 2**20,  # the application refuses smaller excess, in words
        ident=None,
        log_socket_errors=False,  # a browser that went away is no news
    )
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # nor is a request that waits for another
    server.channel_class = PacedChannel
    return server


def run_server(server: Any) -> None:
    """Answer until Ctrl-C; then wait at most 5 s for the answers under way, and close the sockets.

    A thread that still answers after that writes to sockets and a pipe, whose numbers other files could have by then.
    So they stay open until the process ends.
    """
    try:
        server.run()
    finally:
        if not server.task_dispatcher.threads:
            for connection in list(server.active_channels.values()):
                connection.handle_close()
            server.close()
