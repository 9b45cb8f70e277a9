"""`humbleyolo audit`: let networks that have not seen the images doubt their labels.

Examples:
  humbleyolo audit
  humbleyolo audit --minutes 60 --to
  humbleyolo audit --split train val test --folds 5 --epochs 40 --output audit-2
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from humbleyolo.commands.number_options import add_length, check_options
from humbleyolo.dataset.archive import SPLITS
from humbleyolo.labels.formats.registry import WRITABLE
from humbleyolo.pipeline.project_folders import DATASET, GRID
from humbleyolo.process.terminal import counted, tell

if TYPE_CHECKING:
    from humbleyolo.audit.label_doubts import Judged
    from humbleyolo.audit.pre_label_format import PreLabelFormat
    from humbleyolo.params.sections import Dataset
    from humbleyolo.training.folds import HeldOut

_FOLDS, _MOST_FOLDS = 3, 20
_RESULTS = ("audit.csv", "audit.html")
_OWN = "own"  # format of the labelled folder
_LEAST = 0.2  # of the boxes that the networks confirm, to judge by them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Run it after `dvc repro encode`. Trains the network of params.yaml on all but a part of the images, looks "
        "at that part, and so on for every part. Lists the labels that it doubts, the surest first, with pictures. "
        "Stopped, it resumes when it is run again."
    )
    add = parser.add_argument
    add("--split", nargs="+", choices=SPLITS, default=["train", "val"], metavar="S",
        help="splits to judge: train, val, test; default: train val")  # fmt: skip
    add("--folds", type=int, metavar="K", default=_FOLDS, help="parts of the images; default: %(default)s")
    add_length(parser, "part")
    add("--output", type=Path, metavar="DIR", default=Path("audit"), help="default: %(default)s")
    add("--to", nargs="?", const=_OWN, choices=[*sorted(WRITABLE), _OWN], metavar="FORMAT",
        help="write DIR/corrections too: the doubted images with corrected labels, for a labelling tool; "
        f"{', '.join(sorted(WRITABLE))}; without FORMAT as the labelled folder is read, "
        "or voc if that cannot be written")  # fmt: skip


def run(parsed: argparse.Namespace) -> int:
    """Audit, print what was found and where, and return the exit code 0.

    Raises:
        UserError: If the data, the parameters or the options do not allow it, or the networks learned too little.
    """
    from humbleyolo.audit.audit_corrections import write_corrections
    from humbleyolo.audit.audit_page import write_page
    from humbleyolo.audit.doubts_table import write_doubts
    from humbleyolo.audit.joined_splits import JoinedSplits
    from humbleyolo.audit.label_doubts import judge_labels
    from humbleyolo.experiments.dvc_lock import require_data_of_params
    from humbleyolo.params.loader import load_params
    from humbleyolo.training.folds import detect_by_folds
    from humbleyolo.training.planned_runs import Length, RunSettings

    corrections: Path = parsed.output / "corrections"
    _check(parsed, corrections)
    sections = ("seed", "runtime", "model", "loss", "train", "evaluate", "encode", "dataset")
    seed, runtime, model, loss, train, evaluate, encode, dataset = load_params(Path("params.yaml"), *sections)
    form = _choose_format(parsed.to, dataset) if parsed.to else None
    names = [name for name in SPLITS if name in parsed.split]
    with JoinedSplits(Path(GRID), Path(DATASET), names, encode) as data:
        settings = RunSettings(seed, runtime, model, loss, train, evaluate)
        length = Length(parsed.minutes, parsed.epochs)
        require_data_of_params(Path())
        alike = data.look_alikes() if _keeps_alike(dataset) else []
        try:
            held = detect_by_folds(settings, data.splits, parsed.folds, length, parsed.output, _RESULTS, alike)
        except KeyboardInterrupt:
            print("the same command resumes here", file=sys.stderr)
            raise
        judged = judge_labels(data.truths, held.detections, held.judged(data.truths.images, data.truths.labels))
        _check_judged(judged, held)
        facts = _facts(judged, held)
        write_doubts(parsed.output / "audit.csv", data, judged.doubts, held.detections)
        write_page(parsed.output / "audit.html", data, judged.doubts, held.detections, facts)
        tell(*facts)
        for kind, count in judged.counts().items():
            tell(f"  {kind:<10}{count:>6}")
        tell(f"page: {parsed.output / 'audit.html'}; table: {parsed.output / 'audit.csv'}")
        step = "look at the page"
        if form and judged.doubts:
            images, notes = write_corrections(corrections, form, data, judged.doubts, held.detections)
            tell(*notes, to=sys.stderr)
            if parsed.to == _OWN:
                tell(f"format {form.name}: {form.why}")
            step = f"correct {corrections} ({counted(images, 'image')}, {form.name})"
            if dataset.source == "labelled":
                step += f", put it into {dataset.inputs}, and run `uv run dvc repro`"
        elif judged.doubts:
            step += ", then give --to for labels to correct"
        tell(f"next: {step}" if judged.doubts else "next: nothing; no label is doubted")
    return 0


def _check(parsed: argparse.Namespace, corrections: Path) -> None:
    from humbleyolo.errors import UserError

    check_options(parsed, folds=(2, _MOST_FOLDS))
    if parsed.to and corrections.exists():
        raise UserError(f"{corrections}: is there already, maybe corrected; move it, or give another --output")


def _keeps_alike(dataset: "Dataset") -> bool:
    """Tell if images that look alike belong together: drawn ones, and those of a fixed camera, do not."""
    return dataset.source == "labelled" and dataset.labelled.split.near_duplicates != "ignore"


def _choose_format(to: str, dataset: "Dataset") -> "PreLabelFormat":
    """Return the format of the corrections; refuse one in which `generate` would not read them."""
    from humbleyolo.audit.pre_label_format import choose_format
    from humbleyolo.errors import UserError

    own = choose_format(Path("params.yaml"))
    form = own if to == _OWN else replace(own, name=to, why="as told")
    known = dataset.labelled.format
    if dataset.source == "labelled" and known not in ("auto", form.name):
        why = f"dataset.labelled.format is {known}"
        raise UserError(f"--to {form.name}: {why}, which reads no other labels; give that format, or set it to auto")
    return form


def _check_judged(judged: "Judged", held: "HeldOut") -> None:
    """Refuse to judge by networks that learned too little."""
    from humbleyolo.errors import UserError

    if judged.boxes == 0 or judged.confirmed < _LEAST * judged.boxes:
        raise UserError(
            f"nothing can be judged: after {counted(held.epochs, 'epoch')} the networks confirm "
            f"{judged.confirmed} of {judged.boxes} boxes that they have not seen, and it takes {_LEAST:.0%}; give "
            "more --minutes or --epochs, or look at what `dvc repro` says of the model"
        )


def _facts(judged: "Judged", held: "HeldOut") -> list[str]:
    """Return lines about what was judged, and how well the networks know it."""
    return [
        f"{counted(judged.boxes, 'box', 'boxes')} on {counted(len(held.folds), 'image')} judged in "
        f"{counted(len(held.unlearned), 'fold')} by networks of {counted(held.epochs, 'epoch')} ({held.why}); they "
        f"confirm {judged.confirmed / judged.boxes:.1%}",
        *held.notes,
    ]
