"""Some images of a split with their boxes, as one picture: as they are, or as training changes them."""

from collections.abc import Sequence
from pathlib import Path

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.drawing.boxes_on_image import draw_boxes
from humbleyolo.drawing.canvas import enlargement, save_png, shrink
from humbleyolo.drawing.contact_sheet import contact_sheet, heading_height, one_size
from humbleyolo.drawing.screen_fit import fit_on_screen
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.storage.array_types import Floats, Ints, Ints32, Uint8s

_IMAGES, _COLUMNS = 24, 6
_MOST_PX = 300  # longer side of an image
_CHANGED_COLUMNS, _CHANGED_PX = 4, 256  # of images as training changes them: 1,134 pixels in all


def write_preview(path: Path, archive: ArchivedSplit) -> None:
    """Draw the first images of a split with their boxes and classes, as one PNG."""
    pixels, boxes, labels, captions = [], [], [], []
    for record in archive.images(0, _IMAGES):
        image = decode_rgb(record.image_bytes, record.file_name)
        smaller, moved = shrink(image, ltwh_to_xyxy(record.boxes_ltwh), _MOST_PX)
        pixels.append(smaller)
        boxes.append(moved)
        labels.append(record.labels)
        captions.append(record.file_name)
    title = f"{archive.path.name}: the first {len(pixels)} of {len(archive)} images"
    fit = fit_on_screen(
        [(len(image), image.shape[1]) for image in pixels], columns=_COLUMNS, scale=_MOST_PX, most_px=_MOST_PX,
        top=lambda width, _: heading_height(width, title),
    )  # fmt: skip
    pictures = []
    for image, own, classes in zip(pixels, boxes, labels, strict=True):
        smaller, moved = shrink(image, own, fit.longest_px)
        scale = enlargement(max(smaller.shape[:2]), fit.longest_px, _MOST_PX)
        pictures.append(draw_boxes(smaller, moved, classes, archive.categories, scale=scale))
    save_png(contact_sheet(one_size(pictures), columns=fit.columns, captions=captions, title=title), path)


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
        scale = enlargement(max(pixels.shape[:2]), _CHANGED_PX, _CHANGED_PX)
        pictures.append(draw_boxes(pixels, moved, labels[inside], names, scale=scale))
    title = f"{len(images)} training images as the network sees them in the first epoch"
    subtitle = "After train.augment, which draws anew in each epoch. The boxes are those that are learned."
    save_png(contact_sheet(pictures, columns=_CHANGED_COLUMNS, title=title, subtitle=subtitle), path)
