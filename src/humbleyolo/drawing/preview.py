"""The first images of a split with their boxes, as one picture."""

from pathlib import Path

from humbleyolo.dataset.archive import Archive
from humbleyolo.drawing.boxes_on_image import contact_sheet, draw_boxes, shrink
from humbleyolo.geometry.letterbox import decode
from humbleyolo.storage.atomic import atomic_write

_PREVIEW_IMAGES, _PREVIEW_COLUMNS = 24, 6
_PREVIEW_PX = 210  # about the longer side of an image


def write_preview(path: Path, archive: Archive) -> None:
    """Draw the first images of an archive with their boxes and classes, as one PNG."""
    pictures, captions = [], []
    for record in archive.images(0, _PREVIEW_IMAGES):
        pixels = decode(record.image_bytes, record.file_name)
        boxes = record.boxes_ltwh.copy()
        boxes[:, 2:] += boxes[:, :2]  # (M, 4) xyxy
        pixels, boxes = shrink(pixels, boxes, 2 * _PREVIEW_PX)
        scale = max(round(_PREVIEW_PX / max(pixels.shape[:2])), 1)
        pictures.append(draw_boxes(pixels, boxes, record.labels, archive.categories, scale=scale))
        captions.append(record.file_name)
    title = f"{archive.path.name}: the first {len(pictures)} of {len(archive)} images"
    sheet = contact_sheet(pictures, columns=_PREVIEW_COLUMNS, captions=captions, title=title)
    with atomic_write(path) as file:
        sheet.save(file, format="PNG", compress_level=6)
