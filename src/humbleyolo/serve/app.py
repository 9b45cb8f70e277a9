"""The web application: one page, and `POST /detect`, which takes an image file and gives boxes as JSON.

The application answers only requests that name this machine. So no page of another site can reach it through a
name that points here. The page loads nothing from elsewhere.
"""

from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from humbleyolo.detection.detector import Detector, remarks
from humbleyolo.detection.image_input import decode_image
from humbleyolo.detection.result import Result
from humbleyolo.drawing.palette import INK, class_colours, css_properties, hex_colour
from humbleyolo.errors import UserError
from humbleyolo.geometry.letterbox import Letterbox
from humbleyolo.models.selection import DEFAULT
from humbleyolo.storage.array_types import Floats32

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")  # images that a browser shows, too
_HOSTS = ("127.0.0.1", "localhost")
_FILES = {"page.html": "text/html", "page.js": "text/javascript", "page.css": "text/css"}
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:"


def create_app(
    detector: Detector, *, max_bytes: int, max_pixels: int, sample: bytes | None = None, draws: bool = True
) -> Flask:
    """Return the application; all threads share the detector. An upload has `max_bytes` and `max_pixels` at most.

    `sample` is a PNG of the model's own kind, which the page opens on; None: it opens on black. `draws` shows the
    tools that draw words and strokes.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = max_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the usual provider
    app.before_request(_refuse_other_sites)
    app.after_request(_guard)
    files = {name: (resources.files("humbleyolo.detection") / name).read_text("utf-8") for name in _FILES}
    files["page.css"] = css_properties() + files["page.css"]

    @app.get("/")
    @app.get("/<name>")
    def page(name: str = "page.html") -> Response | tuple[Response, int]:
        if name not in files:
            return _error("there is no such page", 404)
        return Response(files[name], content_type=f"{_FILES[name]}; charset=utf-8")

    @app.get("/model")
    def model() -> Response:
        facts = detector.facts
        return jsonify(
            names=facts.names, colours=class_colours(len(facts.names)), ink=hex_colour(INK),
            height=facts.height, width=facts.width,
            has_sample=sample is not None, draws=draws,
            threshold=detector.threshold, threshold_from=facts.threshold_from, max_bytes=max_bytes,
        )  # fmt: skip

    @app.get("/sample")
    def own_kind() -> Response:
        return Response(sample or b"", content_type="image/png")

    @app.post("/detect")
    def detect() -> Response:
        image = decode_image(request.get_data(cache=False), "the picture", max_pixels, FORMATS)
        prepared = detector.prepare(image)
        (result,) = detector.detect([prepared], threshold=DEFAULT.min_score)
        return jsonify(_answer(detector, result, detector.confidence(prepared)))

    @app.errorhandler(UserError)
    def wrong(error: UserError) -> tuple[Response, int]:
        return _error(str(error), 400)

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[Response, int]:
        too_large = f"the picture has more than {max_bytes / 2**20:g} MiB"
        return _error(too_large if error.code == 413 else error.description or "", error.code or 500)

    return app


def _refuse_other_sites() -> tuple[Response, int] | None:
    origin = request.headers.get("Origin")
    try:
        names = [request.host, *([urlsplit(origin).netloc] if origin else [])]
        hosts = [urlsplit(f"//{name}").hostname for name in names]
    except ValueError:
        return _error("the header Origin or Host is malformed", 400)
    if any(host not in _HOSTS for host in hosts):
        return _error("this page is for the machine that it runs on; open http://127.0.0.1", 403)
    return None


def _guard(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def _answer(detector: Detector, result: Result, confidence: Floats32) -> dict[str, Any]:
    """Return every detection, however low its score, and the grid with the confidence of its cells, row by row."""
    facts = detector.facts
    letterbox = Letterbox(result.height, result.width, facts.height, facts.width)
    rows = zip(result.class_names.tolist(), result.scores.tolist(), result.boxes.tolist(), strict=True)
    notes = list(remarks(result, facts.max_detections))
    return {
        "width": result.width,
        "height": result.height,
        "grid": {
            "rows": facts.rows,
            "cols": facts.cols,
            "extent": letterbox.extent.tolist(),
            "confidence": confidence.astype(np.float64).round(3).ravel().tolist(),
        },
        "detections": [{"label": label, "score": score, "box": box} for label, score, box in rows],
        **({"notes": notes} if notes else {}),
    }


def _error(text: str, code: int) -> tuple[Response, int]:
    return jsonify(error=text), code
