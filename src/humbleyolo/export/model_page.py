"""One HTML page that holds a model and its runtime, opened from a file: no server, no network.

The model is the ONNX export, run by onnxruntime-web. Page, style and script are those of `humbleyolo serve`; the
answers come from `page_model.js`. Everything large is packed by gzip and written in base64.
"""

import base64
import gzip
import hashlib
import json
from importlib import resources

from humbleyolo.detection.backends.metadata import Metadata
from humbleyolo.detection.backends.page_file import MODEL_MARK
from humbleyolo.drawing.html_page import csp_hash
from humbleyolo.drawing.palette import INK, class_colours, css_properties, hex_colour

_NOTICE = "<!-- Holds ONNX Runtime Web 1.30.0, copyright Microsoft Corporation, MIT License. -->"
RUNTIME = {  # of onnxruntime-web 1.30.0, see NOTICE
    "runtime": ("onnxruntime_web.mjs.gz", "3bcceb3f269d21a10191d706b8a1a89ed27b5ec59d1ff70376c40370aee6f163"),
    "wasm": ("onnxruntime_web.wasm.gz", "9a202915ab712f2ac4504f9fd8c634d244a11e9f9e734361471a1fe6e7f984c0"),
}


def html_page(onnx: bytes, metadata: Metadata) -> str:
    """Return the page of an ONNX export.

    Raises:
        RuntimeError: If a file of the runtime is not the one that was vendored.
    """
    facts = metadata.model_dump() | {
        "colours": class_colours(len(metadata.names)), "ink": hex_colour(INK), "max_bytes": 2**26
    }  # fmt: skip
    packed = {MODEL_MARK: gzip.compress(onnx, mtime=0)}
    for name, (file, expected) in RUNTIME.items():
        packed[name] = (resources.files(__package__) / file).read_bytes()
        if (found := hashlib.sha256(packed[name]).hexdigest()) != expected:
            raise RuntimeError(f"{file}: its hash is {found}, not {expected}; install humbleyolo again")
    texts = {"facts": json.dumps(facts).replace("<", "\\u003c")}
    texts |= {name: base64.b64encode(data).decode() for name, data in packed.items()}
    style = css_properties() + _read("page.css")
    scripts = [(resources.files(__package__) / "page_model.js").read_text("utf-8"), _read("page.js")]
    allowed = " ".join(csp_hash(script) for script in scripts)
    policy = (
        f"default-src 'none'; script-src {allowed} blob: 'wasm-unsafe-eval'; style-src {csp_hash(style)}; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>'
    blocks = [f'<script type="text/plain" id="{name}">{text}</script>' for name, text in texts.items()]
    blocks += [f"<script>{script}</script>" for script in scripts]
    page = _read("page.html").replace("<head>", f"<head>\n{_NOTICE}")
    page = _put(page, '<link rel="stylesheet" href="page.css">', head)
    page = _put(page, '<script src="page.js" defer></script>\n', "")
    return _put(page, "</body>", "\n".join([*blocks, "</body>"]))


def _put(page: str, mark: str, text: str) -> str:
    if page.count(mark) != 1:
        raise RuntimeError(f"page.html has not one {mark!r}")
    return page.replace(mark, text)


def _read(name: str) -> str:
    return (resources.files("humbleyolo.detection") / name).read_text(encoding="utf-8")
