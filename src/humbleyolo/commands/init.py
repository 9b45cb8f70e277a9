"""`humbleyolo init FOLDER`: write params.yaml for a labelled folder, with a reason for each value.

Examples:
  humbleyolo init data/labelled/cats
  humbleyolo init data/labelled/cats --minutes 30
  humbleyolo init cats.zip --epochs 40 --force
  humbleyolo init data/labelled/microscope --near-duplicates ignore
"""

import argparse
import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, get_args

from humbleyolo.commands.label_options import add_reading_arguments, read_options
from humbleyolo.commands.number_options import check_options
from humbleyolo.params.value_types import NearDuplicates

if TYPE_CHECKING:
    from humbleyolo.begin.first_training import Plan
    from humbleyolo.check.folder_check import Checked
    from humbleyolo.labels.labelled_image import ReadOptions
    from humbleyolo.params.sections import Params
    from humbleyolo.splits.split_in_force import SplitInForce

_PARAMS, _RECIPES = Path("params.yaml"), Path("examples")
_WRITTEN = Path(".humbleyolo/init.sha256")  # of the params.yaml that the command wrote last
_ALIKE = ("dataset", "labelled", "split", "near_duplicates")
_SPLITS = ("lists", "hash", "group")
_MINUTES = 10.0
_MOST_EPOCHS = 300
_TICK_S = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Checks a labelled folder as `check` does; chooses the input, the network, the augmentation and the epochs "
        "for it; writes them into params.yaml, each with its reason. Then `dvc repro` trains."
    )
    add_reading_arguments(parser)
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        default=_MINUTES,
        help="length of the training, by a step measured on this machine; default: %(default)g",
    )
    length.add_argument("--epochs", type=int, metavar="N", help="length in epochs; nothing is measured then")
    parser.add_argument(
        "--near-duplicates",
        choices=get_args(NearDuplicates),
        help="images that look alike: in one split, refused, or ignored (fixed camera); default: together, or as a "
        "params.yaml for this folder says",
    )
    parser.add_argument(
        "--split",
        choices=_SPLITS,
        help="division by: the folder's own lists, content (hash), or groups; default: as the folder tells",
    )
    parser.add_argument("--force", action="store_true", help="write even if params.yaml was edited; a copy is kept")


def run(parsed: argparse.Namespace) -> int:
    """Check the folder, write params.yaml, print what was chosen and the next command; return the exit code 0.

    Raises:
        UserError: If nothing can be trained on, or params.yaml was edited or cannot be written.
    """
    from humbleyolo.begin.first_training import plan
    from humbleyolo.begin.settled_check import settled_check
    from humbleyolo.check.folder_check import found_lines
    from humbleyolo.commands.params import require_writable, require_writable_folder, write_params
    from humbleyolo.errors import UserError
    from humbleyolo.params.loader import read_sections, read_text
    from humbleyolo.params.overlay import Named, example_values
    from humbleyolo.process.git import at_head
    from humbleyolo.process.terminal import tell
    from humbleyolo.storage.atomic import atomic_write, make_folder

    check_options(parsed)
    for file in (_PARAMS, _RECIPES):
        if not file.exists():
            raise UserError(f"{file}: no such file; run this in a clone of the project")
    text = read_text(_PARAMS)
    edited = at_head(_PARAMS) != text and not _is_own(text)
    if edited and not parsed.force:
        raise UserError(f"{_PARAMS}: {_not_kept_by_git()}, or give --force to keep a copy")
    require_writable(_PARAMS)
    if edited:
        require_writable_folder(_PARAMS.parent, _PARAMS)  # for the copy
    options = read_options(parsed)
    alike = _alike(text, parsed)
    split = _split_to_begin(_begin(text, parsed.source), alike[0], parsed, options)
    side, checked = settled_check(parsed.source, options, split)
    first, *found = found_lines(checked)
    tell(f"{parsed.source}: {first}")
    source = _RECIPES / f"{checked.recipe.name}.yaml"
    example = read_text(source)
    read_sections(example, str(source))  # refuses what is no YAML
    recipe = list(example_values(example, str(source)))
    recipe.append(Named(_ALIKE, *alike))
    _require_divided(checked, parsed)
    chosen = plan(checked, parsed.source, side, recipe, text, str(_PARAMS), parsed.split or "")
    chosen = _with_epochs(chosen, parsed)
    small = checked.best.warnings if checked.best else []
    tell(*(f"  {line}" for line in (*found, *small, *chosen.lines)))
    backup = _copy(_PARAMS) if edited else None
    write_params(_PARAMS, chosen.text)
    with suppress(UserError):  # then the next run asks for --force
        make_folder(_WRITTEN.parent)
        with atomic_write(_WRITTEN) as written:
            written.write(_hash(chosen.text))
    kept = f" (as it was: {backup})" if backup else ""
    tell(f"{_PARAMS} is written{kept}, each value with its reason. Next: `uv run dvc repro`")
    return 0


def _begin(text: str, source: Path) -> "Params":
    """Return the parameters of a text of params.yaml, with a labelled folder as their input.

    Raises:
        ProblemsError: If the text is no whole parameter file, or the folder's name cannot be written into it.
    """
    from humbleyolo.errors import ProblemsError
    from humbleyolo.params.keys import Key, leaves
    from humbleyolo.params.loader import find_mistakes, parse_params, read_sections
    from humbleyolo.params.yaml_edits import YamlText, one_line

    name = str(_PARAMS)
    named: dict[Key, str] = {("dataset", "source"): "labelled", ("dataset", "inputs"): one_line(str(source))}
    if not named.keys() <= dict(leaves(read_sections(text, name)[0])).keys():
        return parse_params(text, name)  # which tells what is missing
    begun = YamlText(text, name).replace(named)
    if mistakes := find_mistakes(begun, name):
        raise ProblemsError(f"{_PARAMS}: cannot be written for {source}", mistakes)
    return parse_params(begun, name)


def _is_own(text: str) -> bool:
    """Tell if a text of params.yaml is what the command wrote last, so that nobody has edited it since."""
    return _WRITTEN.is_file() and _WRITTEN.read_bytes() == _hash(text)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).hexdigest().encode()


def _alike(text: str, parsed: argparse.Namespace) -> tuple[str, str]:
    """Return what images that look alike mean, and why: what was told, or a params.yaml for this folder says."""
    from humbleyolo.params.keys import leaves
    from humbleyolo.params.loader import read_sections

    written = dict(leaves(read_sections(text, str(_PARAMS))[0]))
    here = {("dataset", "source"): "labelled", ("dataset", "inputs"): str(parsed.source)}
    if parsed.near_duplicates:
        return parsed.near_duplicates, "as the command was told"
    if here.items() <= written.items() and _ALIKE in written:
        return str(written[_ALIKE]), "as it was for this folder"
    return "together", "the usual"


def _not_kept_by_git() -> str:
    """Return the reason why git has not the text of params.yaml, and what to do."""
    from humbleyolo.errors import UserError
    from humbleyolo.process.git import git

    try:
        git(_PARAMS.parent, "rev-parse", "--git-dir", LC_ALL="C")
    except UserError as error:
        if "not a git repository (" in str(error):
            return "no git repository here; clone the project"
        return f"git cannot tell if it was edited ({' '.join(error.lines)}); mend that"
    return "has changes that are not committed; commit them"


def _split_to_begin(
    params: "Params", alike: str, parsed: argparse.Namespace, options: "ReadOptions"
) -> "SplitInForce":
    """Return the split that `params.yaml` will have, but for `by`, which the folder decides if nobody did."""
    from humbleyolo.splits.split_in_force import SplitInForce

    given = {"near_duplicates": alike, "by": parsed.split}
    rule = params.dataset.labelled.split.model_copy(update={key: value for key, value in given.items() if value})
    return SplitInForce("", rule, params.seed, options=options if parsed.split else None)


def _require_divided(checked: "Checked", parsed: argparse.Namespace) -> None:
    """Refuse a split that was asked for and that no image has a place in, with the first mistake of it."""
    from humbleyolo.errors import UserError

    if parsed.split and checked.division.images and not any(checked.division.chosen):
        rows = checked.labelled.ledger.errors
        row = next(row for row in rows if row.kind in ("split-lists", "no-group"))
        raise UserError(f"{parsed.source}: --split {parsed.split}: {row}; or leave --split out")


def _with_epochs(chosen: "Plan", parsed: argparse.Namespace) -> "Plan":
    """Return the plan with the epochs that were asked for, or that fit into the minutes."""
    from humbleyolo.training.schedule import FEW_STEPS

    if parsed.epochs:
        return chosen.with_epochs(parsed.epochs, "as asked for", FEW_STEPS)
    params = chosen.params
    with _seconds_shown("measuring a step of the training"):
        from humbleyolo.training.step_time import measure_step  # which imports TensorFlow

        time = measure_step(params.runtime, params.model, params.loss, params.train, chosen.grid)
    epoch = chosen.steps * time.step + len(chosen.division.splits["val"]) * time.image
    fitting = int((60 * parsed.minutes - time.start) / epoch)
    epochs = max(1, min(_MOST_EPOCHS, fitting))
    limit = f"{_MOST_EPOCHS} at most" if fitting > epochs else ""
    needed = (time.start + epochs * epoch) / 60
    facts = parsed.minutes, needed, limit
    return chosen.with_epochs(epochs, time.told(*facts), FEW_STEPS, time.told_briefly(*facts))


@contextmanager
def _seconds_shown(work: str) -> Iterator[None]:
    """Show on a terminal that a work goes on, and for how long, until the body ends."""
    from tqdm import tqdm

    ended = Event()
    with tqdm(desc=work, bar_format="{desc}: {elapsed}", disable=None, leave=False) as bar:

        def tick() -> None:
            while not ended.wait(_TICK_S):
                bar.refresh()

        clock = Thread(target=tick, daemon=True)
        clock.start()
        try:
            yield
        finally:
            ended.set()
            clock.join()


def _copy(file: Path) -> Path:
    """Copy a file beside itself, under the first free name, and return that."""
    from humbleyolo.storage.atomic import atomic_write

    names = (file.with_name(f"{file.name}.{number}.bak") for number in itertools.count(1))
    copy = next(name for name in names if not name.exists())
    with atomic_write(copy) as out:
        out.write(file.read_bytes())
    return copy
