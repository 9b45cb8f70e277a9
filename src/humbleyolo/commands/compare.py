"""`humbleyolo compare REV_A [REV_B]`: tell if one run is better than another by more than chance.

Examples:
  humbleyolo compare HEAD
  humbleyolo compare HEAD~1 HEAD
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Compares two runs of the pipeline on the same test images by a paired bootstrap. Exit code: 0; 1 if the "
        "AP of REV_B is lower than that of REV_A by more than chance; 2 if the two cannot be compared."
    )
    parser.add_argument("rev_a", metavar="REV_A", help="a git commit, branch or tag, or a DVC experiment")
    parser.add_argument("rev_b", metavar="REV_B", nargs="?", help="likewise; without it, the files as they are now")


def run(parsed: argparse.Namespace) -> int:
    """Compare, print, and return the exit code: 1 if the second run is worse, else 0.

    Raises:
        UserError: If a revision or its results are missing, or they are of different test images.
    """
    from humbleyolo.experiments.comparison import compare, report_lines
    from humbleyolo.experiments.revisions import read_run
    from humbleyolo.params.loader import load_params

    (settings,) = load_params(Path("params.yaml"), "evaluate")
    a, b = read_run(parsed.rev_a), read_run(parsed.rev_b)
    differences = compare(a, b, settings)
    for line in report_lines(a, b, differences, settings.resamples):
        print(line)
    ap = differences["ap"]
    return 1 if ap.beyond_chance and ap.difference is not None and ap.difference < 0 else 0
