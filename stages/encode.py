"""Encode the dataset to the grid: the network's images and targets.

Reads the splits `train`, `val` and `test` of the dataset, and `encode` and `loss.name` of params.yaml. Writes the
arrays of each split, a folder per archive. `report.json` holds objects that share a cell or are lost, the ceiling on
AP under this loss, and the objects of each class in train.
"""

from pathlib import Path

from tqdm import tqdm

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.dataset.encoding import encode_split, expected_bytes
from humbleyolo.geometry.grid import Grid
from humbleyolo.metrics.detection_limits import limit_warnings
from humbleyolo.metrics.grid_ceiling import advise, measure_ceilings
from humbleyolo.metrics.grid_report import write_report
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Encode
from humbleyolo.params.value_types import CellsAnObject
from humbleyolo.pipeline.stage import Made, read_paths, run_stage
from humbleyolo.process.terminal import counted
from humbleyolo.storage.atomic import make_folder, require_space

tqdm.monitor_interval = 0  # no thread that watches a bar: `encode_split` could not fork beside it


def encode(params: Encode, cells: CellsAnObject, dataset: Path, out: Path) -> Made:
    """Write each split's arrays and the report into `out`; `cells` may answer for an object."""
    ceilings, totals, texts = {}, {}, list[str]()
    for split in SPLITS:
        with ArchivedSplit(dataset / split) as archives:
            totals[split], categories = len(archives), archives.categories
    grid = Grid(params.height, params.width, params.rows, params.cols, params.boxes, len(categories))
    needed = (expected_bytes(dataset / split, grid, params.fill, params.jpeg_quality) for split in SPLITS)
    require_space(make_folder(out), sum(needed))
    for split in SPLITS:
        with tqdm(total=totals[split], desc=split, unit=" images", disable=None, leave=False) as bar:
            for done in encode_split(dataset / split, grid, params.fill, out / split, params.jpeg_quality):
                bar.update(done)
        encoded = open_encoded(out / split)
        ceilings[split] = measure_ceilings(encoded, params.finer, cells)
        texts += advise(split, ceilings[split], params.min_ceiling, cells)
        texts += limit_warnings(split, encoded.most_objects)
    write_report(out, ceilings, categories, open_encoded(out / "train").labels)
    own = {split: found[0] for split, found in ceilings.items()}
    held = [f"AP {ceiling.ap:.3f} ({split})" for split, ceiling in own.items() if ceiling.ap is not None]
    objects = sum(ceiling.objects for ceiling in own.values())
    return Made(f"{counted(objects, 'object')} encoded", out, f"the grid holds {', '.join(held) or 'none'}", texts)


def main() -> Made:
    """Run `python -m stages.encode <dataset> <grid>`."""
    paths = read_paths("encode", __doc__, "dataset", "out")
    params, loss = load_params(Path("params.yaml"), "encode", "loss")
    return encode(params, loss.cells, paths.dataset, paths.out)


if __name__ == "__main__":
    run_stage("encode", main, "lower encode.height and encode.width, or use one core: `taskset -c 0 dvc repro`")
