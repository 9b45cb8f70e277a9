"""The picture at the top of the README: detections on photographs, beside detections on drawn words.

    python -m benchmarks.readme_picture CLONE

CLONE is one in which photographs of playing cards were learned, as `benchmarks/photographs.py --keep` leaves it. The
words are those of this checkout's run. Both need
`data/dataset/test` and `data/evaluation/detections.json`, which `dvc repro` makes. The picture goes to
`docs/detections.png`, in 128 colours, so that it stays under 300 KB.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.drawing.boxes_on_image import draw_boxes
from humbleyolo.drawing.canvas import save_png
from humbleyolo.drawing.contact_sheet import contact_sheet, side_by_side
from humbleyolo.evaluation.result_files import read_detections
from humbleyolo.report.gallery_examples import first_examples

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs/detections.png"
MIN_SCORE = 0.5  # lowest confidence that is drawn, as in the galleries


def draw_detections(run: Path, images: Sequence[int], scale: int) -> Iterator[Image.Image]:
    """Draw the detections on test images of a run, enlarged by `scale`; images count from 0."""
    with ArchivedSplit(run / "data/dataset/test") as archive:
        names = archive.categories
        detections = read_detections(run / "data/evaluation/detections.json", len(archive), len(names))
        examples = first_examples(archive, detections, max(images) + 1, MIN_SCORE)
    for index in images:
        one = examples[index]
        yield draw_boxes(one.image, one.boxes, one.labels, names, scale=scale, scores=one.scores)


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path, help="clone in which photographs were learned")
    parser.add_argument("--photographs", type=int, nargs=2, default=[30, 40], help="test images to draw, from 0")
    parser.add_argument("--words", type=int, nargs=6, default=[0, 1, 2, 4, 5, 7], help="likewise, of words")
    parsed = parser.parse_args()
    photographs = contact_sheet(list(draw_detections(parsed.clone, parsed.photographs, scale=1)), columns=2)
    words = contact_sheet(list(draw_detections(ROOT, parsed.words, scale=2)), columns=2)
    picture = side_by_side([photographs, words], ["photographs of playing cards", "drawn words"])
    save_png(picture.quantize(128, dither=Image.Dither.NONE), PICTURE)
    print(f"{PICTURE}: {picture.width} x {picture.height} pixels, {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
