"""The report's page with as many of the test images as it has room for."""

from pathlib import Path

from humbleyolo.archive import Archive
from humbleyolo.encoded import EncodedSplit
from humbleyolo.errors import ProblemsError
from humbleyolo.files import atomic_write
from humbleyolo.params import Render
from humbleyolo.report.collect import Report
from humbleyolo.report.page import gallery_data, write_page
from humbleyolo.report.pictures import Gallery, most_mistakes_first
from humbleyolo.scoring.tables import TruthTable

_MB = 1e6


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
