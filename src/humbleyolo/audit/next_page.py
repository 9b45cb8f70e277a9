"""The images to label next as one HTML page that needs nothing else, with the boxes that a model proposes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from humbleyolo.drawing.boxes_on_image import draw_boxes
from humbleyolo.drawing.canvas import shrink
from humbleyolo.drawing.html_page import data_uri, encode_picture, render_page
from humbleyolo.geometry.detections import Detections
from humbleyolo.storage.array_types import Rgb
from humbleyolo.storage.atomic import atomic_write

MOST = 300
"""Images on the page, at most; the table has all."""

_LONGEST_PX = 400  # longer side of a picture
_SMALL_PX = 240  # smaller images are enlarged to about that


@dataclass(frozen=True, eq=False)
class Proposed:
    """An image on the page: its name, its pixels (H, W, 3), the boxes proposed, and a remark."""

    image: str
    pixels: Rgb
    found: Detections
    remark: str = ""


def write_page(path: Path, images: Iterable[Proposed], names: Sequence[str], facts: Sequence[str]) -> None:
    """Write the page, those images first on which something was found. Texts are escaped; there are no scripts.

    `images` are 300 at most, the one that teaches most first; `facts` are lines about the choice.

    Raises:
        UserError: If it cannot be written.
    """
    entries = [(len(one.found), _entry(rank, one, names)) for rank, one in enumerate(images, 1)]
    page = render_page(
        "audit", "next.html", "check/style.css", title="Images to label next", facts=facts,
        parts=[
            ("Correct the boxes", [entry for found, entry in entries if found]),
            ("Label by eye: nothing was found", [entry for found, entry in entries if not found]),
        ],
    )  # fmt: skip
    with atomic_write(path) as file:
        file.write(page.encode("utf-8", "replace"))


def describe(found: Detections, names: Sequence[str]) -> str:
    """Return the classes found on an image with their numbers, in words."""
    counts = Counter(names[label] for label in found.labels.tolist())
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "nothing was found"


def _entry(rank: int, one: Proposed, names: Sequence[str]) -> dict[str, Any]:
    pixels, boxes = shrink(one.pixels, one.found.boxes, _LONGEST_PX)
    scale = max(1, round(_SMALL_PX / max(pixels.shape[:2])))
    picture = draw_boxes(pixels, boxes, one.found.labels, names, scale=scale, scores=one.found.scores)
    text = "; ".join(filter(None, (describe(one.found, names), one.remark)))
    content = data_uri(encode_picture(picture, "webp", quality=80), "webp")
    return {"rank": rank, "text": text, "image": one.image, "picture": content}
