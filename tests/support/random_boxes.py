"""Random boxes for properties of the geometry."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from humbleyolo.storage.array_types import Floats, Ints

SIDE = 16  # pixels of the images that the boxes lie in


@st.composite
def whole_boxes(draw: st.DrawFn, most: int = 8) -> Floats:
    """(M, 4) xyxy on whole pixels inside SIDE x SIDE, some without area."""
    count = draw(st.integers(0, most))
    corners = draw(arrays(np.int64, (count, 2, 2), elements=st.integers(0, SIDE)))
    return np.sort(corners, axis=1).reshape(count, 4).astype(np.float64)


@st.composite
def scored_boxes(draw: st.DrawFn) -> tuple[Floats, Floats, Ints]:
    """Boxes, scores of which many are equal, and labels."""
    boxes = draw(whole_boxes(12))
    scores = draw(arrays(np.float64, len(boxes), elements=st.sampled_from([0.1, 0.5, 0.5000001, 0.9])))
    return boxes, scores, draw(arrays(np.int64, len(boxes), elements=st.integers(0, 2)))
