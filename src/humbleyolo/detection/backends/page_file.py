"""A page that `humbleyolo export --to html` wrote (`.html`): the ONNX file in it, run by onnxruntime."""

import base64
import binascii
import gzip
import re
from pathlib import Path

from humbleyolo.detection.backends.metadata import ExportedModel, damaged
from humbleyolo.detection.backends.onnx import run_onnx
from humbleyolo.detection.image_input import read_file
from humbleyolo.errors import UserError

MODEL_MARK = "model-file"  # id of the element that holds the model


def onnx_in(path: Path) -> bytes:
    """Return the ONNX file in a page.

    Raises:
        UserError: If there is none, or it is damaged.
    """
    found = re.search(rf'id="{MODEL_MARK}">([A-Za-z0-9+/=]*)<'.encode(), read_file(path))
    if found is None:
        raise UserError(f"{path}: was not written by `humbleyolo export`: there is no model in it")
    try:
        return gzip.decompress(base64.b64decode(found[1], validate=True))
    except (binascii.Error, OSError, EOFError) as error:
        raise damaged(path, error) from None


def open_html(path: Path, threads: int | None) -> ExportedModel:
    """Open a page; see `open_exported`."""
    return run_onnx(onnx_in(path), path, threads)
