"""`humbleyolo serve`: open a page on this machine to try the model on images and on words that you write.

Examples:
  humbleyolo serve
  humbleyolo serve --model exports/model.onnx --port 8080 --no-open
"""

import argparse

from humbleyolo.serve.limits import UPLOAD_MIB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--model", default="data/model", metavar="M", help="a model, as for `predict`; default: %(default)s")
    add("--port", type=int, default=8000, metavar="P", help="port of the page; default: %(default)s")
    add(
        "--max-upload-mib",
        type=int,
        default=UPLOAD_MIB,
        metavar="N",
        help="refuse larger files; default: %(default)s",
    )
    add("--no-open", action="store_true", help="do not open a browser")
    add("--threads", type=int, default=2, metavar="N", help="threads that compute; default: %(default)s")


def run(parsed: argparse.Namespace) -> int:
    """Serve until Ctrl-C, and return the exit code 0.

    Raises:
        UserError: If there is no model, a package is missing, or the port is taken.
    """
    from humbleyolo.detection.detector import Detector
    from humbleyolo.serve.server import make_server

    server = make_server(Detector.load(parsed.model, threads=parsed.threads), parsed.port, parsed.max_upload_mib)
    url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    print(f"{url} (Ctrl-C ends it)", flush=True)
    if not parsed.no_open:
        import webbrowser

        webbrowser.open(url)
    try:
        server.run()
    except KeyboardInterrupt:
        print()
    finally:
        server.close()
    return 0
