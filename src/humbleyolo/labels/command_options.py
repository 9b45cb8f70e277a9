"""The command line's words for how a labelled folder is read: the same for `check` and `convert`."""

import argparse
from pathlib import Path

from humbleyolo.labels.formats.registry import FORMATS
from humbleyolo.labels.labelled_image import ReadOptions


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the source, and what only the person who labelled can know."""
    parser.add_argument("source", type=Path, help="folder or zip archive with images and labels")
    known = ", ".join(FORMATS)
    parser.add_argument(
        "--format", default="auto", choices=["auto", *FORMATS], metavar="F", help=f"auto, {known}"
    )
    parser.add_argument(
        "--classes", default="", metavar="A,B", help="class names in the order of their indices"
    )
    parser.add_argument(
        "--one-based", action="store_true", help="VOC: the first pixel is 1 (the devkit's way)"
    )
    parser.add_argument(
        "--exif",
        default="error",
        choices=["error", "displayed", "stored"],
        help="what boxes on images with an EXIF rotation refer to",
    )


def read_options(parsed: argparse.Namespace) -> ReadOptions:
    """Return what those arguments say."""
    classes = tuple(name.strip() for name in parsed.classes.split(",") if name.strip())
    return ReadOptions(parsed.format, classes, parsed.one_based, parsed.exif)
