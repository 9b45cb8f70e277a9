"""Draw the dataset: three archives of images and boxes, and what shows at a glance whether they are right.

Reads the fonts and the sections `seed` and `dataset` of params.yaml. Writes into the output folder
`train.zip`, `val.zip`, `test.zip`, `ledger.csv`, `summary.json` and `preview.png`.
"""

import argparse
import time
from pathlib import Path

from humbleyolo.archive import Archive
from humbleyolo.dataset import write_empty_ledger, write_preview, write_summary
from humbleyolo.errors import exit_with
from humbleyolo.files import make_folder
from humbleyolo.legibility import find_problems
from humbleyolo.params import Dataset, load_params
from humbleyolo.synthetic_split import write_splits


def generate(seed: int, dataset: Dataset, fonts: Path, out: Path) -> str:
    """Write the dataset's files into `out`, and return what was done, in words."""
    make_folder(out)
    started = time.monotonic()
    counts = write_splits(out, dataset.synthetic, fonts, seed)
    seconds = time.monotonic() - started
    write_empty_ledger(out / "ledger.csv")
    write_summary(out / "summary.json", counts)
    with Archive(out / "train.zip") as archive:
        write_preview(out / "preview.png", archive)
    images = sum(count.images for count in counts.values())
    not_drawn = sum(count.not_drawn for count in counts.values())
    missing = f"; {not_drawn} words found no place, see summary.json" if not_drawn else ""
    return f"{images} images drawn into {out} in {seconds:.1f} s, {images / seconds:,.0f} images/s{missing}"


def main() -> None:
    """Run the stage: `python -m stages.generate <fonts> <dataset>`."""
    parser = argparse.ArgumentParser(prog="python -m stages.generate", description=__doc__)
    parser.add_argument("fonts", type=Path)
    parser.add_argument("out", type=Path)
    paths = parser.parse_args()
    seed, dataset = load_params(
        Path("params.yaml"), "seed", "dataset",
        check=lambda dataset: find_problems(dataset.synthetic, paths.fonts),
    )  # fmt: skip
    print(generate(seed, dataset, paths.fonts, paths.out))


if __name__ == "__main__":
    exit_with(main)
