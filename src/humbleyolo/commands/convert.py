"""`humbleyolo convert SRC DST --to FORMAT`: write labels and images in another tool's format.

Examples:
  humbleyolo convert data/labelled/cats cats-yolo --to yolo
  humbleyolo convert data/dataset dataset-voc --to voc --images link
  humbleyolo convert cats cats-for-cvat.zip --to cvat
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from humbleyolo.commands.label_options import add_reading_arguments, add_treatment_argument, read_options
from humbleyolo.labels.formats.registry import WRITABLE
from humbleyolo.process.terminal import counted, tell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add_reading_arguments(parser)
    add("target", type=Path, help="a folder, or zip archive, that does not exist yet")
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
    from humbleyolo.inputs.ledger import by_kind, write_ledger
    from humbleyolo.labels.convert import convert
    from humbleyolo.storage.atomic import require_output, write_output

    options = replace(read_options(parsed), on_problem=parsed.on_problem)
    target, ledger = (Path(os.path.realpath(path)) for path in (parsed.target, parsed.ledger or ""))
    if parsed.ledger and target not in ledger.parents:  # the target is yet to be made
        require_output(parsed.ledger)
    done = convert(parsed.source, parsed.target, parsed.to, options, parsed.images)
    for shown, hidden in by_kind(done.rows):
        told = shown if shown[0].severity != "note" else shown[:1]  # a change that many images share is a line
        for row in told:
            more = len(shown) - len(told) + len(hidden) if row is told[-1] else 0
            more_text = f", and {more:,} more {row.kind}: --ledger writes them all" if more else ""
            tell(f"{row.severity}: {row} ({row.done}){more_text}")
    if parsed.ledger:
        with write_output(parsed.ledger) as file:
            write_ledger(file, done.rows)
    what = f"{counted(done.images, 'image')}, {counted(done.boxes, 'box', 'boxes')}"
    tell(f"{what}: {done.read_as} ({done.because}) to {parsed.to} in {parsed.target}")
    return 0
