"""Measure images that are kept as JPEGs: python -m benchmarks.jpeg_images FOLDER [--size 320] [--images 64].

FOLDER holds photographs. Each is letterboxed to a square of `--size` pixels. Prints for several qualities how many
times less disk the JPEGs take than pixels. Then come the milliseconds of a core to encode and to decode one, medians
of five.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from humbleyolo.dataset.jpeg_images import JpegImages, pack
from humbleyolo.geometry.image_decoder import decode_rgb
from humbleyolo.geometry.letterbox import Letterbox

QUALITIES = (75, 85, 90, 95, 100)


def median_ms(work: Callable[[], object], images: int) -> float:
    """Return the milliseconds of a core for an image, the median of five times."""
    times = []
    for _ in range(5):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return 1000 * statistics.median(times) / images


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--images", type=int, default=64)
    options = parser.parse_args()
    files = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if not files:
        raise SystemExit(f"error: {options.folder}: holds no file that ends in .jpg or .jpeg")
    pixels = []
    for path in files[: options.images]:
        image = decode_rgb(path.read_bytes(), str(path))
        pixels.append(Letterbox(*image.shape[:2], options.size, options.size).apply(image, 114))
    images = np.stack(pixels)
    print("| Quality | Disk | Encode an image | Decode an image |\n|---|---|---|---|")
    for quality in QUALITIES:
        packed = pack(images, quality)
        offsets = np.cumsum([0, *map(len, packed)])
        kept = JpegImages(np.frombuffer(b"".join(packed), np.uint8), offsets, options.size, options.size, "images")
        encode, decode = (
            median_ms(work, len(images))
            for work in (lambda: pack(images, quality), lambda: kept[:])  # noqa: B023
        )
        print(f"| {quality} | {images.nbytes / offsets[-1]:.1f} times less | {encode:.1f} ms | {decode:.1f} ms |")


if __name__ == "__main__":
    main()
