"""`humbleyolo verify`: rebuild the committed results from nothing, and compare them byte for byte.

Examples:
  humbleyolo verify
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Clones the last commit into a temporary folder, runs the whole chain there without any cache, and compares "
        "each output's hash with dvc.lock. Exit code: 0 if all are equal, or if processor or versions differ and the "
        "metrics are within the tolerance; 1 if they are not; 2 if the chain cannot be run."
    )


def run(parsed: argparse.Namespace) -> int:  # noqa: ARG001 - there are no arguments
    """Rebuild, compare, print, and return the exit code.

    Raises:
        UserError: If nothing is committed that could be compared, or the chain does not run.
    """
    from humbleyolo.experiments.verification import verify

    return verify()
