"""The formats and precisions that `export` writes."""

from typing import Literal

SUFFIX = {"savedmodel": "", "litert": ".tflite", "onnx": ".onnx", "keras": ".keras", "html": ".html"}
"""Format -> the ending of its file; empty for a folder."""

Precision = Literal["float32", "float16", "int8"]
