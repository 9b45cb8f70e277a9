"""Options for reading a labelled folder."""

from argparse import ArgumentParser
from dataclasses import replace

from humbleyolo.commands.label_options import add_reading_arguments, read_options
from humbleyolo.labels.labelled_image import ReadOptions


def test_what_is_given_replaces_what_holds_otherwise() -> None:
    parser = ArgumentParser()
    add_reading_arguments(parser)
    options = ReadOptions(format="csv", exif="stored")
    parsed = parser.parse_args(["photos", "--exif", "displayed", "--classes", " cat, dog,"])
    assert read_options(parsed, options) == replace(options, exif="displayed", classes=("cat", "dog"))
    assert read_options(parsed) == ReadOptions(exif="displayed", classes=("cat", "dog"))
