"""`humbleyolo compare REV_A [REV_B]`: tell if one run is better than another by more than chance.

Examples:
  humbleyolo compare HEAD
  humbleyolo compare HEAD~1 HEAD
  humbleyolo compare scored theirs
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from humbleyolo.process.terminal import tell

if TYPE_CHECKING:
    from humbleyolo.experiments.comparison import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Compares two runs of the pipeline, or two folders that `score --output` wrote, on the same test images by a "
        "paired bootstrap. Exit code: 0; 1 if the AP of REV_B is lower than that of REV_A by more than chance; 2 if "
        "the two cannot be compared."
    )
    parser.add_argument("rev_a", metavar="REV_A", help="a git commit, branch or tag, a DVC experiment, or a folder")
    parser.add_argument("rev_b", metavar="REV_B", nargs="?", help="likewise; without it, the files as they are now")


def run(parsed: argparse.Namespace) -> int:
    """Compare, print, and return the exit code: 1 if the second run is worse, else 0.

    Raises:
        UserError: If a revision or its results are missing, or they are of different test images.
    """
    from humbleyolo.errors import UserError
    from humbleyolo.experiments.comparison import compare, report_lines
    from humbleyolo.params.loader import load_params
    from humbleyolo.scoring.score_folder import is_result, no_result, read_result
    from humbleyolo.scoring.scored_detections import settings_here

    def read(name: str | None) -> "Run":
        if name is not None and is_result(Path(name)):
            return read_result(Path(name))
        from humbleyolo.experiments.revisions import read_run  # which imports DVC

        return read_run(name)

    def known(name: str) -> bool:
        from humbleyolo.experiments.revisions import is_revision

        return is_revision(name)

    params = Path("params.yaml")
    others = [name for name in (parsed.rev_a, parsed.rev_b) if name is None or not is_result(Path(name))]
    for name in others:
        if name is not None and Path(name).exists() and not known(name):
            raise no_result(Path(name))
    if len(others) == 1 and not params.is_file():
        if others[0] is None:
            raise UserError(
                f"{parsed.rev_a}: is compared with what? Give REV_B too, or run this in the project's folder"
            )
        raise UserError(f"{others[0]}: is no folder that `score --output` wrote; revisions need the project's folder")
    notes: list[str] = []
    if others:
        (settings,) = load_params(params, "evaluate")
    else:
        settings, _, notes = settings_here(params)
    a, b = read(parsed.rev_a), read(parsed.rev_b)
    differences = compare(a, b, settings)
    tell(*notes, *report_lines(a, b, differences, settings.resamples))
    ap = differences["ap"]
    return 1 if ap.beyond_chance and ap.difference is not None and ap.difference < 0 else 0
