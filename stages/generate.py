"""Make the dataset, drawn or of labelled images: archives of images and boxes in three splits, and an overview.

Reads the fonts, or the labelled folder, and the sections `seed` and `dataset` of params.yaml. Writes into the
output folder the folders `train`, `val` and `test` of archives, `ledger.csv`, `summary.json` and `preview.png`.
"""

import sys
from pathlib import Path

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.summary import write_summary
from humbleyolo.drawing.preview import write_preview
from humbleyolo.inputs.dataset_inputs import find_problems
from humbleyolo.inputs.ledger import write_ledger
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Dataset
from humbleyolo.pipeline.stage import Made, read_paths, run_stage
from humbleyolo.process.terminal import counted
from humbleyolo.splits import write_dataset
from humbleyolo.storage.atomic import atomic_write, make_folder
from humbleyolo.synthetic import drawn_split


def generate(seed: int, dataset: Dataset, inputs: Path, out: Path) -> Made:
    """Write the dataset's files into `out`."""
    if dataset.source == "synthetic":
        counts = drawn_split.write_splits(make_folder(out), dataset.synthetic, inputs, seed, dataset.archive_images)
        with atomic_write(out / "ledger.csv") as file:
            write_ledger(file, [])
        not_drawn = sum(count.not_drawn for count in counts.values())
        verb, more = "drawn", f"{counted(not_drawn, 'word')} found no place, see summary.json" if not_drawn else ""
    else:
        written = write_dataset.write_splits(out, dataset.labelled, inputs, seed, dataset.archive_images)
        changed = sum(row.severity != "warning" for row in written.rows)
        rows = [f"{changed} left out or changed, see ledger.csv"] if changed else []
        told = [f"read as {written.read_as}: {written.because}", *written.division, *rows]
        counts, verb, more = written.counts, "taken", "; ".join(told)
    write_summary(out / "summary.json", counts)
    with ArchivedSplit(out / "train") as train:
        write_preview(out / "preview.png", train)
    return Made(f"{counted(sum(count.images for count in counts.values()), 'image')} {verb}", out, more)


def main() -> Made:
    """Run `python -m stages.generate <fonts or labelled folder> <dataset>`."""
    paths = read_paths("generate", __doc__, "inputs...", "out")
    seed, dataset = load_params(
        Path("params.yaml"), "seed", "dataset", check=lambda dataset: find_problems(dataset, paths.inputs)
    )
    return generate(seed, dataset, paths.inputs, paths.out)


if __name__ == "__main__":
    advice = "make the images smaller, or use one core: `taskset -c 0 dvc repro`"
    run_stage("generate", main, advice, inputs=[" ".join(sys.argv[1:-1])])
