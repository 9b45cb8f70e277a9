"""Draw detections beside the ground truth on test images, and write the report.

Reads the test archive and the summary of the dataset, the encoded test split and the ceilings of the grid. Reads
the model's files, the evaluation, and every section of params.yaml, since the report shows them. Writes
`gallery.png`, `cells.png`, `mistakes.png` and `report.html`.
"""

from pathlib import Path
from typing import Any

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import check_split_fits_archive, open_encoded
from humbleyolo.drawing.canvas import save_png
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Params
from humbleyolo.pipeline.remedies import make_again
from humbleyolo.pipeline.stage import Made, read_paths, run_stage
from humbleyolo.report.evaluation_reader import read_evaluation
from humbleyolo.report.galleries import draw_galleries
from humbleyolo.report.page import build_page
from humbleyolo.report.page_contents import collect
from humbleyolo.storage.atomic import atomic_write, make_folder

HASHED = ("detections.json", "confidence.npy", "metrics.json")


def render(params: dict[str, Any], dataset: Path, grid: Path, model: Path, evaluation: Path, out: Path) -> Made:
    """Write the pictures and the report into `out`."""
    with ArchivedSplit(dataset / "test") as archive:
        split, truths = open_encoded(grid / "test"), TruthTable.from_archive(archive)
        names = archive.categories
        check_split_fits_archive(split, archive)
        evaluated = [evaluation / name for name in HASHED]
        found = read_evaluation(evaluation, truths, len(names), split.grid)
        of_stage = {"generate": archive.paths, "train": [model / "weights.npz"], "evaluate": evaluated}
        hashed = {path: make_again(stage) for stage, paths in of_stage.items() for path in paths}
        report = collect(
            found, archive.categories, dataset=dataset, grid=grid, model=model, hashed=hashed, params=params
        )
        pictures = draw_galleries(report, archive, truths, split, params["render"])
        page = build_page(report, archive, truths, split, params["render"])
    for name, picture in pictures.items():
        save_png(picture, make_folder(out) / name)
    with atomic_write(out / "report.html") as file:
        file.write(page)
    what = f"report.html of {len(page) / 1e6:.1f} MB and {len(pictures)} pictures drawn"
    return Made(what, out, next_steps=[f"open {out / 'report.html'} in a browser"])


def main() -> Made:
    """Run `python -m stages.render <dataset> <grid> <model> <evaluation> <render>`."""
    paths = read_paths("render", __doc__, "dataset", "grid", "model", "evaluation", "out")
    sections = load_params(
        Path("params.yaml"),
        "seed", "runtime", "dataset", "encode", "model", "loss", "train", "evaluate", "render")  # fmt: skip
    params = dict(zip(Params.model_fields, sections, strict=True))
    return render(params, paths.dataset, paths.grid, paths.model, paths.evaluation, paths.out)


if __name__ == "__main__":
    run_stage("render", main, "lower render.scale, render.images or render.report_images")
