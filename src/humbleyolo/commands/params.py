"""`humbleyolo params [FILE]`: every mistake in a parameter file, before any stage runs."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "file", type=Path, nargs="?", default=Path("params.yaml"), help="default: %(default)s"
    )


def run(parsed: argparse.Namespace) -> int:
    """Check the file as the stages do, and return the exit code 0.

    Raises:
        ProblemsError: With every mistake in it.
        UserError: Where it cannot be read.
    """
    from humbleyolo.labels.dataset_inputs import find_problems
    from humbleyolo.params.loader import load_params

    file: Path = parsed.file
    load_params(file, check=lambda dataset: find_problems(dataset, file.parent / dataset.inputs))
    print(f"{file}: no mistakes")
    return 0
