"""Some images of a split with their boxes, as one picture: as they are, or as training changes them."""

from collections.abc import Sequence
from pathlib import Path

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.drawing.boxes_on_image import draw_boxes
from humbleyolo.drawing.canvas import save_png, shrink
from humbleyolo.drawing.contact_sheet import contact_sheet, one_size
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.storage.array_types import Floats, Ints, Ints32, Uint8s

_IMAGES, _COLUMNS = 24, 6
_PX = 210  # about the longer side of a small image, enlarged
_MOST_PX = 300  # longer side of a large one: a row of them fits a screen
_CHANGED_COLUMNS, _CHANGED_PX = 4, 256  # of images as training changes them: 1,134 pixels in all


def write_preview(path: Path, archive: ArchivedSplit) -> None:
    """Draw the first images of a split with their boxes and classes, as one PNG."""
    pictures, captions = [], []
    for record in archive.images(0, _IMAGES):
        pixels = decode_rgb(record.image_bytes, record.file_name)
        pixels, boxes = shrink(pixels, ltwh_to_xyxy(record.boxes_ltwh), _MOST_PX)
        scale = max(round(_PX / max(pixels.shape[:2])), 1)
        pictures.append(draw_boxes(pixels, boxes, record.labels, archive.categories, scale=scale))
        captions.append(record.file_name)
    title = f"{archive.path.name}: the first {len(pictures)} of {len(archive)} images"
    save_png(contact_sheet(one_size(pictures), columns=_COLUMNS, captions=captions, title=title), path)


def write_changed(
    path: Path, images: Uint8s, boxes: Floats, labels: Ints32, image_index: Ints, names: Sequence[str]
) -> None:
    """Draw images as training changes them, with the objects that it then learns, as one PNG.

    Args:
        path: The file.
        images: (N, H, W, 3) RGB.
        boxes: (M, 4) xyxy pixels.
        labels: (M,) indices into `names`.
        image_index: (M,) each object's image.
        names: Class names.
    """
    pictures = []
    for place, image in enumerate(images):
        inside = image_index == place
        pixels, moved = shrink(image, boxes[inside], _CHANGED_PX)
        scale = max(_CHANGED_PX // max(pixels.shape[:2]), 1)
        pictures.append(draw_boxes(pixels, moved, labels[inside], names, scale=scale))
    title = f"{len(images)} training images as the network sees them in the first epoch"
    subtitle = "After train.augment, which draws anew in each epoch. The boxes are those that are learned."
    save_png(contact_sheet(pictures, columns=_CHANGED_COLUMNS, title=title, subtitle=subtitle), path)
