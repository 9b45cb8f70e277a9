"""`humbleyolo curve`: tell what more labelled images would be worth, by training on a quarter, half and all.

Examples:
  humbleyolo curve
  humbleyolo curve --minutes 60
  humbleyolo curve --epochs 40 --output curve-2
"""

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from humbleyolo.commands.number_options import add_length, check_options
from humbleyolo.pipeline.project_folders import DATASET, GRID
from humbleyolo.process.terminal import counted, tell

if TYPE_CHECKING:
    from humbleyolo.evaluation.learning_gain import LearningGain
    from humbleyolo.params.sections import Train
    from humbleyolo.training.learning_curve import Learned


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Run it after `dvc repro encode`. Trains the network of params.yaml on a quarter, half and all images of "
        "train, with as many steps each, and scores it on val. Says what half as many images again would gain, with "
        "the interval that chance leaves. Stopped, it resumes when it is run again."
    )
    add_length(parser, "network")
    parser.add_argument("--output", type=Path, metavar="DIR", default=Path("curve"), help="default: %(default)s")


def run(parsed: argparse.Namespace) -> int:
    """Train, print what more images are worth and where the curve is, and return the exit code 0.

    Raises:
        UserError: If the data, the parameters or the options do not allow it, or the networks learned too little.
    """
    from humbleyolo.audit.joined_splits import JoinedSplits
    from humbleyolo.evaluation.bootstrap import require_resamples
    from humbleyolo.evaluation.learning_gain import measure_gain
    from humbleyolo.experiments.dvc_lock import require_data_of_params
    from humbleyolo.metrics.floor import measure_floor
    from humbleyolo.params.loader import load_params
    from humbleyolo.report.curve_page import NUMBERS, PAGE, TABLE, write_curve
    from humbleyolo.training.learning_curve import learn_parts
    from humbleyolo.training.planned_runs import Length, RunSettings

    check_options(parsed)
    sections = ("seed", "runtime", "model", "loss", "train", "evaluate", "encode")
    seed, runtime, model, loss, train, evaluate, encode = load_params(Path("params.yaml"), *sections)
    require_resamples(evaluate)
    with JoinedSplits(Path(GRID), Path(DATASET), ("train", "val"), encode) as data:
        settings = RunSettings(seed, runtime, model, loss, train, evaluate)
        length = Length(parsed.minutes, parsed.epochs)
        require_data_of_params(Path())
        try:
            learned = learn_parts(
                settings, data.splits[0], data.splits[1], length, parsed.output, (PAGE, TABLE, NUMBERS)
            )
        except KeyboardInterrupt:
            print("the same command resumes here", file=sys.stderr)
            raise
        first, images = len(data.splits[0]), sum(map(len, data.splits))
        truths = data.truths.take(data.truths.images >= first).of_images(first, images)
        known, classes = data.truths.take(data.truths.images < first).of_images(0, first), len(data.categories)
        sizes = [split.sizes for split in data.splits]
        floor = measure_floor(known, sizes[0], truths, sizes[1], classes, evaluate.match_iou)
        least = max(floor.ap or 0.0, floor.one_box_ap or 0.0)
        trained = learned.epochs / train.epochs
        gain = measure_gain(truths, learned.found, classes, evaluate, learned.steps, trained, least)
    facts = _facts(learned, train, len(truths), images - first)
    write_curve(parsed.output, gain, facts)
    tell(*facts)
    tell(f"{'images':>10}{'AP on val':>12}   95 % interval")
    for one in gain.points:
        ends = "none" if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}"
        tell(f"{one.images:>10,}{one.ap:>12.3f}   {ends}")
    tell(str(gain))
    page, table, numbers = (parsed.output / name for name in (PAGE, TABLE, NUMBERS))
    tell(f"page: {page}; table: {table}; all numbers: {numbers}")
    tell(f"next: {_next_step(gain, learned, parsed)}")
    return 0


def _facts(learned: "Learned", train: "Train", boxes: int, images: int) -> list[str]:
    """Return lines about the networks."""
    lines = [
        f"{len(learned.found)} networks of {counted(learned.epochs, 'epoch')} of as many steps ({learned.why}), "
        f"scored on {counted(boxes, 'box', 'boxes')} on {counted(images, 'image')} of val"
    ]
    if learned.epochs < train.epochs:
        lines.append(f"note: that is less than train.epochs, {train.epochs}; the real training may end higher")
    return lines


def _next_step(gain: "LearningGain", learned: "Learned", parsed: argparse.Namespace) -> str:
    if gain.too_short:
        epochs = math.ceil(round(learned.epochs * gain.longer, 6))
        if parsed.epochs or epochs > round(learned.epochs / gain.trained):  # minutes give train.epochs at most
            return f"give --epochs {epochs}"
        return f"give --minutes {math.ceil(parsed.minutes * gain.longer)}, or --epochs {epochs}"
    if gain.promises:
        return f"label {counted(gain.more, 'more image')}; `humbleyolo next` says which"
    return "look at the mistakes in data/render/report.html before you label more of the same"
