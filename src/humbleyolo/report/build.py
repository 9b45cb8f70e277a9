"""All that is drawn of an evaluation: three pictures, and the page with as many images as it has room for."""

from pathlib import Path

from PIL.Image import Image

from humbleyolo.dataset.archive import Archive
from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.drawing.galleries import (
    cells_and_confidence,
    first_examples,
    headline,
    truth_and_predictions,
    worst_mistakes,
)
from humbleyolo.errors import ProblemsError
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.params.sections import Render
from humbleyolo.report.contents import Report
from humbleyolo.report.embedded_images import Gallery, most_mistakes_first
from humbleyolo.report.page import gallery_data, write_page
from humbleyolo.report.worst_mistakes import first_seen, worst_of_each_kind
from humbleyolo.storage.atomic import atomic_write

_MB = 1e6


def draw_pictures(
    report: Report, archive: Archive, truths: TruthTable, split: EncodedSplit, settings: Render
) -> dict[str, Image]:
    """Return the pictures by file name: truth and predictions, the confidence of cells, the worst mistakes.

    Args:
        report: With the evaluation.
        archive: The images.
        truths: Of the archive.
        split: The archive, encoded.
        settings: How many images, and how they are laid out.

    Raises:
        UserError: Where an image is damaged.
    """
    found, names = report.evaluation, report.names
    layout = {"columns": settings.columns, "scale": settings.scale}
    examples = first_examples(archive, found.detections, settings.images, settings.min_score)
    seen = first_seen(archive, split, found, settings.cells, settings.min_score)
    worst = worst_of_each_kind(archive, truths, found, report.mistakes, settings.mistakes)
    return {
        "gallery.png": truth_and_predictions(
            examples, names, grid=split.grid, **layout,
            title=f"Truth and predictions on {len(examples):,} of {report.images:,} test images",
            subtitle=headline(found.metrics, settings.min_score),
        ),
        "cells.png": cells_and_confidence(seen, names, **layout),
        "mistakes.png": worst_mistakes(worst, names, grid=split.grid, threshold=report.threshold, **layout),
    }  # fmt: skip


def build_report(
    report: Report, archive: Archive, truths: TruthTable, split: EncodedSplit, settings: Render
) -> bytes:
    """Return the page; images are left out, those with the fewest mistakes first, where it would be too large.

    Args:
        report: All but the images.
        archive: The images.
        truths: Of the archive.
        split: The archive, encoded.
        settings: How many images, how large, and how large the page.

    Raises:
        UserError: Where an image is damaged.
    """
    without_images = len(write_page(report, gallery_data(report, [], split.grid)))
    gallery = Gallery(archive, truths, report.evaluation, split, settings.report_px)
    order = most_mistakes_first(report.evaluation)[: settings.report_images]
    images = gallery.entries(order, settings.report_mb * _MB - without_images)
    return write_page(report, gallery_data(report, list(images), split.grid))


def write_report(path: Path, page: bytes) -> None:
    """Write the page.

    Raises:
        UserError: Where the file cannot be written.
    """
    with atomic_write(path) as file:
        file.write(page)


def check_match(split: EncodedSplit, archive: Archive) -> None:
    """Make sure that an encoded split and an archive are of one dataset.

    Raises:
        ProblemsError: With each thing that differs, and what to run.
    """
    problems = []
    if split.categories != archive.categories:
        problems.append(
            f"the encoded split has {len(split.categories)} other classes or names than the archive"
        )
    if len(split) != len(archive):
        problems.append(f"the encoded split has {len(split)} images, the archive {len(archive)}")
    if problems:
        raise ProblemsError(str(archive.path), [*problems, "run `dvc repro encode`"])
