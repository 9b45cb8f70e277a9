"""Draw the dataset: three archives of images and boxes, and what shows at a glance whether they are right.

Reads the fonts and the sections `seed` and `dataset` of params.yaml. Writes into the output folder
`train.zip`, `val.zip`, `test.zip`, `ledger.csv`, `summary.json` and `preview.png`.
"""

import argparse
import time
from pathlib import Path

from tqdm import tqdm

from humbleyolo.archive import Archive, ArchiveWriter
from humbleyolo.dataset import SplitCounts, write_empty_ledger, write_preview, write_summary
from humbleyolo.errors import exit_with
from humbleyolo.files import make_folder
from humbleyolo.params import Dataset, load_params
from humbleyolo.synthetic import SPLITS, draw_split, find_problems


class Progress(tqdm):  # type: ignore[type-arg] # tqdm takes one in its stubs alone
    """A bar without the thread that watches it, beside which `draw_split` could not fork."""

    monitor_interval = 0


def generate(seed: int, dataset: Dataset, fonts: Path, out: Path) -> dict[str, SplitCounts]:
    """Write the dataset's files into `out`, and return the counts of each split."""
    words = dataset.synthetic.words
    make_folder(out)
    counts = {split: SplitCounts(words) for split in SPLITS}
    for split, count in counts.items():
        samples = draw_split(dataset.synthetic, fonts, seed, split)
        total = getattr(dataset.synthetic.images, split)
        with ArchiveWriter(out / f"{split}.zip", words) as archive:
            for sample in Progress(samples, split, total, unit=" images", disable=None, leave=False):
                name = f"{count.images:0{max(len(str(total - 1)), 6)}}.png"
                archive.add(
                    name,
                    sample.image_bytes,
                    dataset.synthetic.height,
                    dataset.synthetic.width,
                    sample.boxes_ltwh,
                    sample.labels,
                )
                count.add(sample.boxes_ltwh, sample.labels, sample.not_drawn)
    write_empty_ledger(out / "ledger.csv")
    write_summary(out / "summary.json", counts)
    with Archive(out / "train.zip") as archive:
        write_preview(out / "preview.png", archive)
    return counts


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
    started = time.monotonic()
    counts = generate(seed, dataset, paths.fonts, paths.out)
    seconds = time.monotonic() - started
    images = sum(count.images for count in counts.values())
    if not_drawn := sum(count.not_drawn for count in counts.values()):
        print(f"{not_drawn} words found no place and were not drawn; see summary.json")
    print(f"{images} images drawn into {paths.out} in {seconds:.1f} s ({images / seconds:,.0f} images/s)")


if __name__ == "__main__":
    exit_with(main)
