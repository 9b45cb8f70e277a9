"""The types of arrays, one spelling each; a comment beside them says the shape."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]
AnyInts = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Uint8s = NDArray[np.uint8]  # of images of any shape
Rgb = NDArray[np.uint8]  # (H, W, 3)
