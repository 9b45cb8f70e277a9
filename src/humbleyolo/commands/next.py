"""`humbleyolo next POOL`: choose the unlabelled images whose labels would teach most, with boxes to correct.

Examples:
  humbleyolo next photos --count 20
  humbleyolo next photos.zip --count 50 --to cvat --output next-2
  humbleyolo next photos --model exports/model.onnx --threshold 0.4
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from humbleyolo.commands.number_options import check_options
from humbleyolo.labels.added_sets import BY_EYE, TO_CORRECT
from humbleyolo.labels.formats.registry import WRITABLE
from humbleyolo.pipeline.project_folders import DATASET, MODEL
from humbleyolo.process.terminal import counted, hide_password, tell

if TYPE_CHECKING:
    from humbleyolo.audit.next_images import ChosenImage, ChosenImages, LabelledImages
    from humbleyolo.audit.pre_label_format import PreLabelFormat
    from humbleyolo.detection.detector import Detector
    from humbleyolo.detection.image_paths import NamedImages

_PAGE, _TABLE = "next.html", "next.csv"
_SHOWN = 5  # notes of one kind on the terminal
_PARAMS = Path("params.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Looks at unlabelled images with a model, and copies those that it is least certain about, rare classes "
        "first and no two alike, into a new folder: with the boxes it found, in the format of your labelled folder. "
        "Images on which it found nothing get no label file. Exit code: 0; 1 if some images could not be read."
    )
    add = parser.add_argument
    add("pool", nargs="+", metavar="POOL", help="folders, zip archives, images, or patterns; labels are not read")
    add("--count", type=int, metavar="N", default=20, help="images to choose; default: %(default)s")
    add("--model", default=MODEL, metavar="M", help="as for `predict`; default: %(default)s")
    add("--threshold", type=float, metavar="T", help="lowest score of a box to correct; default: as for `predict`")
    add("--to", choices=sorted(WRITABLE),
        help="format of the labels; default: that of params.yaml's labelled folder, else voc (LabelImg)")  # fmt: skip
    add("--output", type=Path, metavar="DIR", default=Path("next"), help="a new folder; default: %(default)s")
    add("--threads", type=int, default=2, metavar="N", help="threads that compute; default: %(default)s")


def run(parsed: argparse.Namespace) -> int:
    """Choose, write, print what was written and what to do next, and return the exit code: 1 if an image failed.

    Raises:
        UserError: If there is no model or no image, or the folder is there already or cannot be written.
    """
    from humbleyolo.audit.next_images import LabelledImages, choose_images
    from humbleyolo.audit.next_page import MOST
    from humbleyolo.detection.detector import Detector
    from humbleyolo.detection.image_paths import NamedImages
    from humbleyolo.errors import UserError
    from humbleyolo.storage.new_folder import new_folder

    check_options(parsed)
    form = _choose_format(parsed.to)
    with new_folder(parsed.output) as folder, NamedImages(parsed.pool) as pool:
        detector = Detector.load(parsed.model, threshold=parsed.threshold, threads=parsed.threads)
        labelled = LabelledImages.read(Path(DATASET))
        done = choose_images(detector, pool.items, labelled, parsed.count)
        _tell_left_out(pool, done, labelled)
        if not done.chosen:
            raise UserError(f"{', '.join(parsed.pool)}: holds no image to choose; see above")
        facts = _facts(parsed, done, detector)
        if parsed.to is None and any(len(one.found) for one in done.chosen):
            facts.append(f"format {form.name}: {form.why}")
        facts += _rotation(form, done.chosen)
        if len(done.chosen) > MOST:
            facts.append(f"note: the page shows the first {MOST} of them; {_TABLE} has all")
        places, notes = _write_images(folder, form, done.chosen, detector.names)
        _write_tables(folder, done.chosen, places, detector.names, facts)
    tell(*notes, to=sys.stderr)
    tell(*facts, *_next_steps(parsed.output, form.name, done.chosen))
    return 1 if done.failed else 0


def _choose_format(to: str | None) -> "PreLabelFormat":
    """Return the format that was told, or the labelled folder's. YOLO's numbers are the folder's in any case."""
    from humbleyolo.audit.pre_label_format import PreLabelFormat, choose_format

    if to not in (None, "yolo"):
        return PreLabelFormat(to, "as told")
    own = choose_format(_PARAMS)
    return own if to is None else PreLabelFormat(to, "as told", classes=own.classes)


def _tell_left_out(pool: "NamedImages", done: "ChosenImages", labelled: "LabelledImages") -> None:
    """Tell on standard error what of the pool is not looked at, or not chosen, and why."""
    lines = [f"note: {path}: left out: {reason}" for path, reason in pool.left_out + done.left_out]
    more = len(lines) - _SHOWN
    tell(*lines[: _SHOWN if more > 1 else None], to=sys.stderr)
    if more > 1:
        tell(f"note: {more:,} more images are left out for such reasons", to=sys.stderr)
    if pool.label_files:
        text = f"note: left unread: {counted(len(pool.label_files), 'label file')}, such as {pool.label_files[0]}"
        tell(text, to=sys.stderr)
    if not labelled.infos:
        tell(f"note: {DATASET} holds no dataset, so that what is labelled is not known", to=sys.stderr)


def _facts(parsed: argparse.Namespace, done: "ChosenImages", detector: "Detector") -> list[str]:
    """Return lines about the choice."""
    from humbleyolo.models.selection import NONE_GOOD

    why = "as told" if parsed.threshold is not None else detector.facts.threshold_from
    boxes = sum(len(one.found) for one in done.chosen)
    lines = [
        f"{len(done.chosen):,} of {done.looked_at:,} images chosen by {hide_password(parsed.model)}; "
        f"{counted(boxes, 'box', 'boxes')} proposed, from {detector.threshold:g} on ({why})"
    ]
    if why == NONE_GOOD:
        lines.append("warning: the model finds next to nothing on val: train it longer before you correct its boxes")
    if few := parsed.count - len(done.chosen):
        lines.append(f"note: {counted(few, 'image')} fewer than --count {parsed.count:,}")
    if blind := sum(not len(one.found) for one in done.chosen):
        lines.append(
            f"nothing was found on {blind} of the {len(done.chosen)}: label them by eye; they are not written as "
            "background"
        )
    if alike := sum(one.alike for one in done.chosen):
        lines.append(f"note: {alike} of them look like labelled or chosen ones; there were no others left")
    return lines


def _rotation(form: "PreLabelFormat", chosen: "list[ChosenImage]") -> list[str]:
    """Return a note if EXIF rotates images, and nobody has said which side their boxes refer to."""
    rotated = sum(one.info.orientation != 1 for one in chosen)
    if not rotated or (form.options and form.options.exif != "error"):
        return []
    verb = "is" if rotated == 1 else "are"
    return [
        f"note: {rotated} of them {verb} rotated by EXIF, and boxes are of the upright image: "
        "dataset.labelled.exif must be `displayed`"
    ]


def _write_images(
    folder: Path, form: "PreLabelFormat", chosen: "list[ChosenImage]", names: tuple[str, ...]
) -> tuple[list[str], list[str]]:
    """Write the images, those with boxes as labels to correct; return the place of each, and notes on names."""
    from humbleyolo.labels.labelled_image import LabelledImage
    from humbleyolo.labels.pre_labels import write_images, write_pre_labels

    proposals = [
        (
            form.as_read(LabelledImage(
                label_file="", path=one.item.name, height=one.found.height, width=one.found.width,
                boxes=one.found.boxes, labels=tuple(one.found.class_names.tolist()),
                flags=(frozenset(),) * len(one.found), where=("",) * len(one.found), splits=(), group=None,
                info=one.info,
            )),
            one.item.read,
        )
        for one in chosen
    ]  # fmt: skip
    places: dict[int, str] = {}
    notes: list[str] = []
    if found := [one for one in proposals if len(one[0].boxes)]:
        classes, told = form.numbered(names, {name for image, _ in found for name in image.labels})
        items, renamed = write_pre_labels(folder / TO_CORRECT, form.name, found, classes)
        form.write_class_list(folder / TO_CORRECT, classes)
        inside = Path(TO_CORRECT, WRITABLE[form.name].IMAGES)
        places |= {id(item.image): (inside / item.name).as_posix() for item in items}
        notes += told + renamed
    if blind := [one for one in proposals if not len(one[0].boxes)]:
        items, renamed = write_images(folder / BY_EYE, blind)
        places |= {id(item.image): f"{BY_EYE}/{item.name}" for item in items}
        notes += renamed
    return [places[id(image)] for image, _ in proposals], notes


def _write_tables(
    folder: Path, chosen: "list[ChosenImage]", places: list[str], names: tuple[str, ...], facts: list[str]
) -> None:
    """Write the page, and a row for each image: rank, value, name, place, boxes, and if it looks like another."""
    import pandas as pd

    from humbleyolo.audit.next_page import MOST, Proposed, describe, write_page
    from humbleyolo.detection.image_input import decode_image
    from humbleyolo.geometry.image_decoder import MAX_PIXELS
    from humbleyolo.storage.table_writer import write_table

    rows = [
        (rank, f"{one.value:.4f}", one.item.shown, place, len(one.found), describe(one.found, names), one.alike)
        for rank, (one, place) in enumerate(zip(chosen, places, strict=True), 1)
    ]
    columns = ["rank", "value", "image", "place", "boxes", "found", "alike"]
    write_table(folder / _TABLE, pd.DataFrame(rows, columns=columns))
    shown = (
        Proposed(
            one.item.shown, decode_image(one.item.read(), one.item.shown, MAX_PIXELS).pixels, one.found,
            "looks like another" if one.alike else "",
        )
        for one in chosen[:MOST]
    )  # fmt: skip
    write_page(folder / _PAGE, shown, names, facts)


def _next_steps(output: Path, to: str, chosen: "list[ChosenImage]") -> list[str]:
    """Return the last lines: where the results are, and what to do with them."""
    blind = sum(not len(one.found) for one in chosen)
    steps = []
    if len(chosen) > blind:
        steps.append(f"correct {output / TO_CORRECT} ({counted(len(chosen) - blind, 'image')}, {to})")
    if blind:
        steps.append(f"label {output / BY_EYE} ({counted(blind, 'image')})")
    return [
        f"page: {output / _PAGE}; table: {output / _TABLE}",
        f"next: {' and '.join(steps)}, put them into your labelled folder, and run `uv run dvc repro`",
    ]
