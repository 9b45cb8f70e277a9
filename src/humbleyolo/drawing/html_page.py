"""HTML pages that need nothing beside them: a template with its style, its script and pictures inside.

The template engine escapes all texts. A content security policy names the page's own style and script by their hashes
and allows nothing else, not even to pictures of other places.
"""

import base64
import hashlib
import io
from functools import lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from humbleyolo.drawing.palette import css_properties


def render_page(room: str, template: str, style: str, script: str = "", **values: Any) -> str:
    """Return a page, UTF-8 with what cannot be encoded replaced: equal values are equal bytes.

    The files lie in a room of the library; the CSS file may be another room's, as `check/style.css`. It may use the
    properties of `palette.css_properties`. The Jinja template gets `policy`, `style` and `script` besides the values.
    `script` is empty for a page without one.
    """
    home, _, file = style.rpartition("/")
    css = css_properties() + _file(home or room, file)
    code = _file(room, script) if script else ""
    policy = f"default-src 'none'; img-src data:; style-src {csp_hash(css)}; "
    policy += f"script-src {csp_hash(code)}; " if script else ""
    policy += "base-uri 'none'; form-action 'none'"
    own = {"policy": policy, "style": Markup(css), "script": Markup(code)}  # noqa: S704 - our own files
    return _templates().get_template(f"{room}/{template}").render(own, **values)


def encode_picture(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Return a picture as an image file; `options` are those of Pillow's `save`."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """Return an image file as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


@lru_cache(maxsize=1)
def _templates() -> Environment:
    """Return the templates, named by room and file: all extend `drawing/page.html`, which has the head."""
    loader = FunctionLoader(lambda name: _file(*name.split("/")))
    return Environment(autoescape=True, undefined=StrictUndefined, loader=loader)


def _file(room: str, name: str) -> str:
    return resources.files(f"humbleyolo.{room}").joinpath(name).read_text(encoding="utf-8")


def csp_hash(content: str) -> str:
    """Return the source of a script or style by which a Content Security Policy allows it and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
