"""Options for reading a labelled folder, shared by `check`, `convert`, `init` and `score`."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import get_args

from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.params.value_types import Exif, LabelFormat, OnProblem


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the source, and the facts that only the person who labelled can know."""
    formats = ["auto", *get_args(LabelFormat)]
    parser.add_argument("source", type=Path, help="folder or zip archive with images and labels")
    parser.add_argument("--format", choices=formats, metavar="F", help=", ".join(formats))
    parser.add_argument("--classes", metavar="A,B", help="class names in the order of their indices")
    parser.add_argument(
        "--one-based", action="store_true", default=None, help="VOC: the first pixel is 1 (the devkit's way)"
    )
    parser.add_argument(
        "--exif", choices=get_args(Exif), help="the image that boxes refer to if it has an EXIF rotation"
    )


def add_treatment_argument(parser: argparse.ArgumentParser) -> None:
    """Add the treatment of mistakes in labels."""
    treatments = ["stop", "leave out images with one", "its box alone", "or cut boxes at the border"]
    parser.add_argument("--on-problem", default="error", choices=get_args(OnProblem), help=", ".join(treatments))


def read_options(parsed: argparse.Namespace, otherwise: ReadOptions | None = None) -> ReadOptions:
    """Return the values of those arguments; of those that are not given, `otherwise`."""
    given = {key: value for key in ("format", "one_based", "exif") if (value := getattr(parsed, key)) is not None}
    if parsed.classes is not None:
        given["classes"] = tuple(name.strip() for name in parsed.classes.split(",") if name.strip())
    return replace(otherwise or ReadOptions(), **given)
