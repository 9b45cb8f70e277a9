"""`humbleyolo verify`: whether this machine rebuilds the committed results, byte for byte, from nothing."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Clones the last commit into a temporary folder, runs the whole chain there without any cache, and compares "
        "each output's hash with dvc.lock. Exit code: 0 where all are equal, or where processor or versions are "
        "others and the metrics are within the tolerance; 1 where they are not; 2 where the chain cannot be run."
    )


def run(parsed: argparse.Namespace) -> int:  # noqa: ARG001 - there are no arguments
    """Rebuild, compare, print, and return the exit code.

    Raises:
        UserError: Where nothing is committed that could be compared, or the chain does not run.
    """
    from humbleyolo.experiments.verification import verify

    return verify()
