"""`humbleyolo params [FILE]`: every mistake in a parameter file, before any stage runs."""

import argparse
from pathlib import Path

from humbleyolo.params import Dataset, Key, load_params


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
    file: Path = parsed.file
    load_params(file, check=lambda dataset: _words_without_glyphs(dataset, file.parent))
    print(f"{file}: no mistakes")
    return 0


def _words_without_glyphs(dataset: Dataset, root: Path) -> list[tuple[Key, str]]:
    if dataset.source != "synthetic":
        return []
    from humbleyolo.legibility import find_problems

    return find_problems(dataset.synthetic, root / dataset.inputs)
