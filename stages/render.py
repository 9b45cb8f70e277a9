"""Draw what the detector found on the test images beside what is there, and write the report.

Reads the test archive and the summary in the dataset's folder, the encoded test split and the ceilings in the grid's,
the model's files, the evaluation, and every section of params.yaml, since the report shows them. Writes
`gallery.png`, `cells.png`, `mistakes.png` and `report.html`. Needs no TensorFlow.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from humbleyolo.dataset.archive import Archive
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.drawing.canvas import save_png
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Params
from humbleyolo.pipeline.stage import read_paths, run_stage
from humbleyolo.report.evaluation_reader import check_match, read_evaluation
from humbleyolo.report.galleries import draw_galleries
from humbleyolo.report.page import build_page
from humbleyolo.report.page_contents import collect
from humbleyolo.storage.atomic import atomic_write, make_folder

HASHED = ("detections.json", "confidence.npy", "metrics.json")


def render(
    params: Mapping[str, Any], dataset: Path, grid: Path, model: Path, evaluation: Path, out: Path
) -> int:
    """Write the pictures and the report into `out`, and return the bytes of the report."""
    settings = params["render"]
    with Archive(dataset / "test.zip") as archive:
        split, names, truths = (
            open_encoded(grid / "test"),
            archive.categories,
            TruthTable.from_archive(archive),
        )
        check_match(split, archive)
        found = read_evaluation(evaluation, truths, len(names), split.grid)
        hashed = [archive.path, model / "weights.npz", *(evaluation / name for name in HASHED)]
        report = collect(found, names, dataset=dataset, grid=grid, model=model, hashed=hashed, params=params)
        pictures = draw_galleries(report, archive, truths, split, settings)
        page = build_page(report, archive, truths, split, settings)
    make_folder(out)
    for name, picture in pictures.items():
        save_png(picture, out / name)
    with atomic_write(out / "report.html") as file:
        file.write(page)
    return len(page)


def main() -> Path:
    """Run `python -m stages.render <dataset> <grid> <model> <evaluation> <render>`; return the last."""
    paths = read_paths("render", __doc__, "dataset", "grid", "model", "evaluation", "out")
    sections = load_params(
        Path("params.yaml"),
        "seed", "runtime", "dataset", "encode", "model", "loss", "train", "evaluate", "render",
    )  # fmt: skip
    started = time.monotonic()
    folders = (paths.dataset, paths.grid, paths.model, paths.evaluation, paths.out)
    size = render(dict(zip(Params.model_fields, sections, strict=True)), *folders)
    print(
        f"report.html of {size / 1e6:.1f} MB and 3 pictures in {paths.out} in {time.monotonic() - started:.1f} s"
    )
    return Path(paths.out)


if __name__ == "__main__":
    run_stage("render", main, less_memory="lower render.scale, render.images or render.report_images")
