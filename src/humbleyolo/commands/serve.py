"""`humbleyolo serve`: open a page on this machine to try the model on images and on words that you write.

Examples:
  humbleyolo serve
  humbleyolo serve --model exports/model.onnx --port 8080 --no-open
"""

import argparse
from pathlib import Path

from humbleyolo.commands.number_options import check_options
from humbleyolo.pipeline.project_folders import DATASET, MODEL
from humbleyolo.process.terminal import tell
from humbleyolo.serve.limits import MOST_UPLOAD_MIB, UPLOAD_MIB

_TEST, _LOOKED_AT = Path(DATASET, "test"), 20
_SAMPLE_PX = 1280  # longer side of the picture that the page opens on, which is small enough to be sent back


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--model", default=MODEL, metavar="M", help="a model, as for `predict`; default: %(default)s")
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
    from humbleyolo.serve.server import make_server, run_server

    check_options(parsed, port=(0, 65535), max_upload_mib=(1, MOST_UPLOAD_MIB))
    detector = Detector.load(parsed.model, threads=parsed.threads)
    sample, draws = _sample(detector.names), _is_of_words(detector.names)
    server = make_server(detector, parsed.port, parsed.max_upload_mib, sample, draws=draws)
    url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    tell(f"{url} (Ctrl-C ends it)")
    if not parsed.no_open:
        import webbrowser

        webbrowser.open(url)
    try:
        run_server(server)
    except KeyboardInterrupt:
        print()
    return 0


def _is_of_words(names: tuple[str, ...]) -> bool:
    """Return whether params.yaml here draws words, and the model's classes are these."""
    from humbleyolo.errors import UserError
    from humbleyolo.params.loader import load_params

    try:
        (dataset,) = load_params(Path("params.yaml"), "dataset")
    except UserError:  # a model outside its project, or a file whose mistakes others tell
        return False
    return dataset.source == "synthetic" and set(dataset.synthetic.words) == set(names)


def _sample(names: tuple[str, ...]) -> bytes | None:
    """Return a PNG of the first test image with objects, if the dataset here has the model's classes."""
    from humbleyolo.dataset.archived_split import ArchivedSplit
    from humbleyolo.drawing.canvas import shrink
    from humbleyolo.errors import UserError
    from humbleyolo.geometry.boxes import ltwh_to_xyxy
    from humbleyolo.geometry.image_decoder import decode_rgb
    from humbleyolo.storage.png import encode_png

    if not _TEST.is_dir():
        return None
    try:
        with ArchivedSplit(_TEST) as archive:
            found = next((one for one in archive.images(0, _LOOKED_AT) if len(one.labels)), None)
            if found is None or tuple(archive.categories) != names:
                return None
            pixels = decode_rgb(found.image_bytes, found.file_name)
            return encode_png(shrink(pixels, ltwh_to_xyxy(found.boxes_ltwh), _SAMPLE_PX)[0])
    except UserError:  # a damaged dataset is told by others; the page opens on black
        return None
