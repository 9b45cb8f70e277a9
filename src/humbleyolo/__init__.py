"""A reproducible data-and-training pipeline for a small object detector.

    >>> from humbleyolo import Detector
    >>> found = Detector.load("data/model")("picture.png")
    >>> found.to_pandas()

`Detector`, `Result` and `UserError` are what a program needs to use a trained model. They are imported when they
are asked for: `import humbleyolo` alone imports nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from humbleyolo.detection.detector import Detector as Detector
    from humbleyolo.detection.result import Result as Result
    from humbleyolo.errors import UserError as UserError

__all__ = ["Detector", "Result", "UserError"]

_HOMES = {
    "Detector": "humbleyolo.detection.detector",
    "Result": "humbleyolo.detection.result",
    "UserError": "humbleyolo.errors",
}


def __getattr__(name: str) -> Any:
    """Import one of `__all__` at its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
