"""`humbleyolo convert SRC DST --to FORMAT`: write labels and images in another tool's format.

Examples:
  humbleyolo convert data/labelled/cats cats-yolo --to yolo
  humbleyolo convert data/dataset dataset-voc --to voc --images link
"""

import argparse
from dataclasses import replace
from pathlib import Path

from humbleyolo.labels.command_options import add_reading_arguments, add_treatment_argument, read_options
from humbleyolo.labels.formats.registry import WRITABLE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add_reading_arguments(parser)
    add("target", type=Path, help="a folder that does not exist yet")
    add("--to", required=True, choices=WRITABLE, help="the format to write")
    add("--images", default="copy", choices=["copy", "link"], help="copy image files, or link to them")
    add_treatment_argument(parser)
    add("--ledger", type=Path, metavar="FILE", help="write what was left out or changed as CSV")


def run(parsed: argparse.Namespace) -> int:
    """Convert, say what was done, and return the exit code 0.

    Raises:
        UserError: If the source cannot be read or the target not written; with `--on-problem error`, if the
            source has mistakes.
    """
    from humbleyolo.labels.convert import convert
    from humbleyolo.labels.ledger import write_ledger

    options = replace(read_options(parsed), on_problem=parsed.on_problem)
    done = convert(parsed.source, parsed.target, parsed.to, options, parsed.images)
    for row in done.rows:
        print(f"{row.severity}: {row} ({row.done})")
    if parsed.ledger:
        write_ledger(parsed.ledger, done.rows)
    print(
        f"{done.images} images, {done.boxes} boxes: {done.read_as} ({done.because}) to {parsed.to} in {parsed.target}"
    )
    return 0
