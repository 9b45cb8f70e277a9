"""The command line's options for reading a labelled folder, shared by `check` and `convert`."""

import argparse
from pathlib import Path
from typing import get_args

from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.params.value_types import Exif, LabelFormat


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the source, and the facts that only the person who labelled can know."""
    formats = ["auto", *get_args(LabelFormat)]
    parser.add_argument("source", type=Path, help="folder or zip archive with images and labels")
    parser.add_argument("--format", default="auto", choices=formats, metavar="F", help=", ".join(formats))
    parser.add_argument("--classes", default="", metavar="A,B", help="class names in the order of their indices")
    parser.add_argument("--one-based", action="store_true", help="VOC: the first pixel is 1 (the devkit's way)")
    parser.add_argument(
        "--exif",
        default="error",
        choices=get_args(Exif),
        help="the image that boxes refer to if it has an EXIF rotation",
    )


def read_options(parsed: argparse.Namespace) -> ReadOptions:
    """Return the values of those arguments."""
    classes = tuple(name.strip() for name in parsed.classes.split(",") if name.strip())
    return ReadOptions(parsed.format, classes, parsed.one_based, parsed.exif)
