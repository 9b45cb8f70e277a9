"""A page that `humbleyolo export --to html` wrote (`.html`): the ONNX file in it, run by onnxruntime."""

import base64
import binascii
import gzip
import io
import re
import zlib
from pathlib import Path

from humbleyolo.detection.backends.metadata import ExportedModel, damaged
from humbleyolo.detection.backends.onnx import run_onnx
from humbleyolo.detection.image_input import read_file
from humbleyolo.errors import UserError

_MOST_SHRUNK, _SMALL = 8, 1 << 26  # weights shrink little; only files of less than 64 MiB may shrink more
MODEL_MARK = "model-file"  # id of the element that holds the model


def onnx_in(path: Path) -> bytes:
    """Return the ONNX file in a page.

    Raises:
        UserError: If there is none, it is damaged, or it would be unpacked to far more than any export is.
    """
    found = re.search(rf'id="{MODEL_MARK}">([A-Za-z0-9+/=]*)<'.encode(), read_file(path))
    if found is None:
        raise UserError(f"{path}: was not written by `humbleyolo export`: there is no model in it")
    try:
        packed = base64.b64decode(found[1], validate=True)
        most = _MOST_SHRUNK * len(packed) + _SMALL
        with gzip.open(io.BytesIO(packed)) as file:
            data = file.read(most + 1)
    except (binascii.Error, OSError, EOFError, zlib.error) as error:
        raise damaged(path, error) from None
    if len(data) > most:
        raise damaged(path, f"its model of {len(packed):,} bytes is unpacked to more than {most:,}")
    return data


def open_html(path: Path, threads: int | None) -> ExportedModel:
    """Open a page; see `open_exported`."""
    return run_onnx(onnx_in(path), path, threads)
