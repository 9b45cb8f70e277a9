"""Draw what the detector found on the first test images beside what is there.

Reads the test archive, the folder of its encoded split (for the grid), `detections.json` and `metrics.json`
of the evaluation, and the section `render` of params.yaml. Writes `gallery.png` into the output folder. Needs
no TensorFlow.
"""

import argparse
import time
from pathlib import Path

from humbleyolo.archive import Archive
from humbleyolo.drawing import save_png
from humbleyolo.encoded import open_encoded
from humbleyolo.errors import exit_with
from humbleyolo.files import make_folder
from humbleyolo.gallery import first_examples, headline, truth_and_predictions
from humbleyolo.params import Render, load_params
from humbleyolo.scoring.results import read_detections


def render(settings: Render, test: Path, grid: Path, evaluation: Path, out: Path) -> int:
    """Write the gallery into `out`, and return the number of images in it."""
    with Archive(test) as archive:
        detections = read_detections(evaluation / "detections.json", len(archive), len(archive.categories))
        shown = first_examples(archive, detections, settings.images, settings.min_score)
        picture = truth_and_predictions(
            shown,
            archive.categories,
            grid=open_encoded(grid).grid,
            columns=settings.columns,
            scale=settings.scale,
            title=f"Truth and predictions on {len(shown):,} of {len(archive):,} test images",
            subtitle=headline(evaluation / "metrics.json", settings.min_score),
        )
    save_png(picture, make_folder(out) / "gallery.png")
    return len(shown)


def main() -> None:
    """Run the stage: `python -m stages.render <test.zip> <grid/test> <evaluation> <render>`."""
    parser = argparse.ArgumentParser(prog="python -m stages.render", description=__doc__)
    parser.add_argument("test", type=Path)
    parser.add_argument("grid", type=Path)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("out", type=Path)
    paths = parser.parse_args()
    (settings,) = load_params(Path("params.yaml"), "render")
    started = time.monotonic()
    count = render(settings, paths.test, paths.grid, paths.evaluation, paths.out)
    print(f"{count} images drawn into {paths.out} in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    exit_with(main)
