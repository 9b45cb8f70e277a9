"""The first images of a split with their boxes, as one picture."""

from pathlib import Path

from humbleyolo.dataset.archive import Archive
from humbleyolo.drawing.boxes_on_image import draw_boxes
from humbleyolo.drawing.canvas import save_png, shrink
from humbleyolo.drawing.contact_sheet import contact_sheet
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.geometry.image_decoder import decode_rgb

_IMAGES, _COLUMNS = 24, 6
_PX = 210  # about the longer side of an image


def write_preview(path: Path, archive: Archive) -> None:
    """Draw the first images of an archive with their boxes and classes, as one PNG."""
    pictures, captions = [], []
    for record in archive.images(0, _IMAGES):
        pixels = decode_rgb(record.image_bytes, record.file_name)
        pixels, boxes = shrink(pixels, ltwh_to_xyxy(record.boxes_ltwh), 2 * _PX)
        scale = max(round(_PX / max(pixels.shape[:2])), 1)
        pictures.append(draw_boxes(pixels, boxes, record.labels, archive.categories, scale=scale))
        captions.append(record.file_name)
    title = f"{archive.path.name}: the first {len(pictures)} of {len(archive)} images"
    save_png(contact_sheet(pictures, columns=_COLUMNS, captions=captions, title=title), path)
