"""Make the dataset, drawn or of labelled images: three archives of images and boxes, and what shows them at a glance.

Reads the fonts, or the labelled folder, and the sections `seed` and `dataset` of params.yaml. Writes into the
output folder `train.zip`, `val.zip`, `test.zip`, `ledger.csv`, `summary.json` and `preview.png`.
"""

import sys
import time
from pathlib import Path

from humbleyolo.dataset.archive import Archive
from humbleyolo.dataset.summary import SplitCounts, write_summary
from humbleyolo.drawing.preview import write_preview
from humbleyolo.labels import write_dataset
from humbleyolo.labels.dataset_inputs import find_problems
from humbleyolo.labels.ledger import write_ledger
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Dataset
from humbleyolo.pipeline.stage import read_paths, run_stage
from humbleyolo.storage.atomic import make_folder
from humbleyolo.synthetic import drawn_split


def draw(seed: int, dataset: Dataset, fonts: Path, out: Path) -> tuple[dict[str, SplitCounts], str]:
    """Draw the archives; return what they hold, and what else there is to say."""
    counts = drawn_split.write_splits(make_folder(out), dataset.synthetic, fonts, seed)
    write_ledger(out / "ledger.csv", [])
    not_drawn = sum(count.not_drawn for count in counts.values())
    return counts, f"; {not_drawn} words found no place, see summary.json" if not_drawn else ""


def take(seed: int, dataset: Dataset, folder: Path, out: Path) -> tuple[dict[str, SplitCounts], str]:
    """Fill the archives from a labelled folder; return what they hold, and what else there is to say."""
    written = write_dataset.write_splits(out, dataset.labelled, folder, seed)
    rows = f"; {len(written.rows)} left out or changed, see ledger.csv" if written.rows else ""
    return written.counts, f", read as {written.read_as}: {written.because}{rows}"


def generate(seed: int, dataset: Dataset, inputs: Path, out: Path) -> str:
    """Write the dataset's files into `out`, and return what was done, in words."""
    started = time.monotonic()
    verb, fill = {"synthetic": ("drawn", draw), "labelled": ("taken", take)}[dataset.source]
    counts, more = fill(seed, dataset, inputs, out)
    seconds = time.monotonic() - started
    write_summary(out / "summary.json", counts)
    with Archive(out / "train.zip") as archive:
        write_preview(out / "preview.png", archive)
    images = sum(count.images for count in counts.values())
    return f"{images} images {verb} into {out} in {seconds:.1f} s, {images / seconds:,.0f} images/s{more}"


def main() -> Path:
    """Run `python -m stages.generate <fonts or labelled folder> <dataset>`; return the last."""
    paths = read_paths("generate", __doc__, "inputs", "out")
    seed, dataset = load_params(
        Path("params.yaml"), "seed", "dataset", check=lambda dataset: find_problems(dataset, paths.inputs)
    )
    print(generate(seed, dataset, paths.inputs, paths.out))
    return Path(paths.out)


if __name__ == "__main__":
    run_stage(
        "generate",
        main,
        less_memory="make the images smaller, or use one core: `taskset -c 0 dvc repro`",
        inputs=sys.argv[1:2],
    )
