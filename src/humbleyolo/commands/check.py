"""`humbleyolo check FOLDER`: find mistakes in labels, before any training.

Examples:
  humbleyolo check data/labelled/cats
  humbleyolo check cats.zip --format voc --html cats.html --ledger cats.csv
"""

import argparse
import sys
from pathlib import Path

from humbleyolo.commands.label_options import add_reading_arguments, read_options
from humbleyolo.process.terminal import tell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add_reading_arguments(parser)
    add("--html", type=Path, metavar="FILE", help="write a page with the findings and the boxes of each class")
    add("--ledger", type=Path, metavar="FILE", help="write every finding as CSV")
    add("--sheets", type=Path, metavar="FOLDER", help="write a contact sheet per class and per kind of doubt")


def run(parsed: argparse.Namespace) -> int:
    """Check, print, and return the exit code: 1 if there are errors, else 0.

    Raises:
        UserError: If the source cannot be read at all, or a file cannot be written.
    """
    from humbleyolo.check.box_sheets import MOST_CLASSES
    from humbleyolo.check.check_page import write_page
    from humbleyolo.check.folder_check import check, report_lines
    from humbleyolo.drawing.canvas import save_png
    from humbleyolo.inputs.ledger import write_ledger
    from humbleyolo.splits.split_in_force import read_split
    from humbleyolo.storage.atomic import make_folder, require_output, write_output

    if parsed.sheets:
        make_folder(parsed.sheets)
    for file in filter(None, (parsed.html, parsed.ledger)):
        require_output(file)
    split = read_split(Path("params.yaml"), parsed.source)
    most = sys.maxsize if parsed.sheets else MOST_CLASSES if parsed.html else 0
    checked = check(parsed.source, read_options(parsed, split.options), split, most)
    tell(*report_lines(checked))
    if parsed.html:
        write_page(parsed.html, checked, f"Check of {parsed.source}")
        tell(f"page: {parsed.html}")
    if parsed.ledger:
        with write_output(parsed.ledger) as file:
            write_ledger(file, checked.rows)
        tell(f"findings: {parsed.ledger}")
    if parsed.sheets:
        for number, sheet in enumerate(checked.sheets.values()):
            save_png(sheet, parsed.sheets / f"class-{number:03}.png")
        for kind, sheet in checked.doubted.items():
            save_png(sheet, parsed.sheets / f"{kind}.png")
        tell(f"contact sheets: {parsed.sheets}")
    return 1 if checked.labelled.ledger.errors else 0
