"""The check of a labelled folder before any training, and its result as text: `humbleyolo check`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from humbleyolo.check.box_sheets import MOST_CLASSES, class_sheets, doubted_sheets
from humbleyolo.check.findings import add_findings
from humbleyolo.check.overview import Overview, overview
from humbleyolo.check.wrong_labels import DOUBTS, Judged, add_suspects
from humbleyolo.inputs.folder import Source
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import Finding, Ledger, by_kind, grouped, short_name
from humbleyolo.labels.formats.registry import collect
from humbleyolo.labels.labelled_image import LabelledSet, ReadOptions
from humbleyolo.metrics.detection_limits import limit_warnings
from humbleyolo.params.value_types import OnProblem
from humbleyolo.process.display_width import cut, display_width, padded
from humbleyolo.process.terminal import COLUMNS, counted, first_few, printable, wrapped_lines
from humbleyolo.recipe.grid_advice import Choice, advise
from humbleyolo.recipe.left_out import tell_treatment
from humbleyolo.recipe.recipe_choice import Recipe, choose_recipe
from humbleyolo.splits.split_in_force import NOT_JUDGED, SplitInForce
from humbleyolo.splits.split_rules import Division

_CLASSES_SHOWN = 20
_SHORTEST_NAME = 12  # columns of a class's name
_GAP = "  "  # between columns
_KINDS_SHOWN = 4  # of findings, where lines are few
_FINDING_LINES = 2  # of the first of a kind, likewise
_MOST_WORDS, _SHORTEST_VALUE = 40, 24  # of what was found, likewise: words, and columns of a word alone
_DOUBTS_SHOWN = 3  # doubted boxes of one kind, likewise
_TOLD_WITH_SPLIT = {"split-taken", "split-uneven"}  # findings whose reasons are told with the choice of the split


@dataclass(frozen=True, slots=True)
class Checked:
    """Result of a check.

    Attributes:
        labelled: The dataset, with its findings in the ledger.
        overview: Counts and sizes.
        treatment: Line about the images that go with their mistakes; empty if all stay.
        split: Lines about the rule of the split and the images of each.
        division: The images, divided.
        recipe: Recipe for a training on it.
        choices: Input sizes and grids with their ceilings.
        best: The advised choice; None without boxes.
        judged: Boxes that were compared with the others of their class.
        sheets: Contact sheets by class.
        doubted: Contact sheets of doubted boxes, by kind of finding.
    """

    labelled: LabelledSet
    overview: Overview
    treatment: str
    split: list[str]
    division: Division
    recipe: Recipe
    choices: list[Choice]
    best: Choice | None
    judged: Judged
    sheets: dict[str, Image.Image]
    doubted: dict[str, Image.Image]

    @property
    def rows(self) -> list[Finding]:
        """Findings: errors, then warnings, then notes."""
        order = {"error": 0, "warning": 1, "note": 2}
        return sorted(self.labelled.ledger.rows, key=lambda row: order[row.severity])


def check(
    folder: Path, options: ReadOptions, split: SplitInForce = NOT_JUDGED, sheets: int = MOST_CLASSES
) -> Checked:
    """Read a labelled folder or archive, and look for everything that may be wrong with it, under a split.

    A split that is not of this folder is fitted to it; see `SplitInForce.fitted`.
    Contact sheets are those of the classes with most boxes, `sheets` of them; with 0 there are none of doubts either.

    Raises:
        UserError: If it cannot be read at all.
    """
    policy = options.on_problem if options.on_problem in ("skip", "clip") else "skip_box"  # it goes on and tells
    ledger = Ledger(policy)
    with open_source(folder) as source:
        labelled = collect(source, replace(options, on_problem=policy), ledger)
        return judge(labelled, source, options.on_problem, split, sheets)


def judge(labelled: LabelledSet, source: Source, in_force: OnProblem, split: SplitInForce, sheets: int) -> Checked:
    """Look for everything that may be wrong with a folder that was read; see `check`.

    What is found goes into its ledger. `in_force` is the treatment of mistakes.
    """
    ledger = labelled.ledger
    split = split.fitted(labelled.images)
    division = split.judge(labelled.images, ledger, labelled.listed)
    add_findings(labelled, division, ledger)
    judged = add_suspects(labelled.images, labelled.classes, source, ledger)
    view = overview(labelled)
    recipe = choose_recipe(labelled.images, judged.told_apart)
    choices, best = advise(labelled.images, labelled.classes, recipe.cells)
    shown = class_sheets(labelled.images, labelled.classes, source, sheets) if sheets else {}
    doubted = doubted_sheets(ledger.rows, labelled.images, source) if sheets else {}
    treatment = tell_treatment(labelled, in_force)
    lines = [split.line, *(division.lines() if split.rule else [])]
    return Checked(labelled, view, treatment, lines, division, recipe, choices, best, judged, shown, doubted)


def report_lines(checked: Checked) -> Iterator[str]:
    """Yield the check's result as text, line by line."""
    yield from wrapped_lines(f"format: {checked.labelled.format}, because {checked.labelled.why}")
    view = checked.overview
    sizes = [f"{count} of {width} x {height}" for (height, width), count in view.sizes[:5]]
    yield from wrapped_lines("; ".join([_images(view), *([", ".join(sizes)] if sizes else [])]))
    yield from wrapped_lines(checked.treatment) if checked.treatment else ()
    if view.splits:
        yield f"lists: {_lists(view)}"
    yield from wrapped_lines(checked.split[0])
    yield from (f"  {line}" for line in checked.split[1:])
    yield ""
    yield from _class_lines(view)
    yield ""
    yield from _finding_lines([row for row in checked.rows if row.kind not in DOUBTS])
    if checked.best is not None:
        yield ""
        yield from _aligned(choice_rows(checked))
        best, grid = checked.best, checked.best.ceiling
        yield f"advised: encode height {best.height}, width {best.width}, rows {grid.rows}, cols {grid.cols}, boxes 1"
        reason = f"since {best.reason} (loss {checked.recipe.loss})"
        yield from wrapped_lines(f"  {reason}; `humbleyolo init` writes it, and all else, into params.yaml")
        if grid.objects < view.objects:
            yield f"  boxes measured, of images evenly spread: {_part_of(grid.objects, view)}"
        for text in best.warnings + limit_warnings("warning", view.most_objects):
            yield from wrapped_lines(text)
    yield ""
    yield from _doubt_lines(checked)


def summary(checked: Checked) -> str:
    """Return the format and the number of images in a sentence or two."""
    view = checked.overview
    lists = f"; lists: {_lists(view)}" if view.splits else ""
    format_, why = checked.labelled.format, checked.labelled.why
    lists += f"; {checked.treatment}" * bool(checked.treatment)
    split = "; ".join(checked.split)
    return f"Format {format_}, because {why}. {_images(view)}{lists}. {split[:1].upper()}{split[1:]}."


def found_lines(checked: Checked) -> Iterator[str]:
    """Yield the numbers of images and boxes; then kinds of findings, each with its first one in two lines at most.

    Those about the split alone are not among them; see `plan`.
    """
    view = checked.overview
    classes = counted(len(view.tables), "class", "classes")
    yield f"{_images(view)}, {counted(view.objects, 'box', 'boxes')} of {classes}"
    kinds = grouped([row for row in checked.rows if row.kind not in _TOLD_WITH_SPLIT])
    shown = [key for key in kinds if key[1] not in DOUBTS][:_KINDS_SHOWN]
    for severity, kind in shown:
        yield _in_two_lines(f"{severity}: {len(kinds[severity, kind])} {kind}: ", kinds[severity, kind][0])
    if kinds:
        rest = [f"{len(rows)} {kind}" for (severity, kind), rows in kinds.items() if (severity, kind) not in shown]
        yield ("and " if shown and rest else "") + "; ".join(
            [*([", ".join(rest)] * bool(rest)), "`humbleyolo check` shows all"]
        )


def _in_two_lines(head: str, row: Finding) -> str:
    """Return a finding that takes two indented lines of a terminal at most.

    Left out are the last clauses of its reason; then the end of what was found, and the beginning of the file's
    path. The first clause says what is wrong. It goes last, and words stay whole.
    """
    clauses = row.why.split("; ")
    reasons = ["; ".join(clauses[:count]) for count in range(len(clauses), 0, -1)]
    file = "" if row.file == "." else row.file
    for name in [file, *_ends(file)]:
        place = [*filter(None, [name, row.where])]
        for what in [row.what, *_beginnings(row.what)]:
            found = printable(head + ": ".join([*place, what]))
            for why in reasons:
                if _takes_two_lines(text := f"{found}: {printable(why)}"):
                    return text
    found = printable(head + ": ".join([*filter(None, [file, row.where]), row.what]))
    whole = next(filter(_takes_two_lines, [found, *_beginnings(found)]))
    return max(whole, cut(found, COLUMNS - 2), key=display_width)


def _takes_two_lines(text: str) -> bool:
    """Tell if a text with an indent takes two lines of a terminal at most."""
    lines = wrapped_lines(f"  {text}")
    return len(lines) <= _FINDING_LINES and max(map(display_width, lines)) <= COLUMNS


def _beginnings(text: str) -> list[str]:
    """Return a text without its last words, the longest first; a word alone is cut."""
    words = text.split(" ")[:_MOST_WORDS]
    shorter = [f"{' '.join(words[:count])} ..." for count in range(len(words) - 1, 0, -1)]
    return [*shorter, cut(words[0], _SHORTEST_VALUE)]


def _ends(file: str) -> list[str]:
    """Return a path without its folders, and the end of that name, behind dots, as far as these are shorter."""
    name = file.rpartition("/")[2]
    ends = [f".../{name}", f"...{name[-_SHORTEST_VALUE:]}"]
    return [end for end in ends if len(end) < len(file)]


def table_rows(view: Overview) -> list[list[str]]:
    """Return the table of classes, header first: pixels as 5 %/median/95 %."""
    rows = [["class", "boxes", "images", "width", "height", "width / height"]]
    for one in view.tables:
        spreads = [_spread(one.width, 0), _spread(one.height, 0), _spread(one.aspect, 2)]
        rows.append([one.name, str(one.boxes), str(one.images), *spreads])
    return rows


def _spread(values: Sequence[float], digits: int) -> str:
    return "/".join(f"{value:.{digits}f}" for value in values[1:4]) or "-"


def choice_rows(checked: Checked) -> list[list[str]]:
    """Return the table of input sizes and grids, header first."""
    rows = [["input (h x w)", "grid", "smallest side", "cells shared", "lost", "ceiling AP"]]
    for one in checked.choices:
        ceiling = one.ceiling
        held = f"{ceiling.kept_ap:.3f}" if ceiling.kept_ap is not None else "-"
        shared = f"{ceiling.shared:,} of {ceiling.objects:,}"
        grid = f"{ceiling.rows} x {ceiling.cols}"
        rows.append(
            [f"{one.height} x {one.width}", grid, f"{one.smallest:.1f} px", shared, f"{ceiling.lost:,}", held]
        )
    return rows


def _class_lines(view: Overview) -> Iterator[str]:
    """Yield the table of classes in 80 columns, names cut if they are long; of many, those with most boxes."""
    most = sorted(view.tables, key=lambda one: -one.boxes)[:_CLASSES_SHOWN]
    head, *rows = table_rows(replace(view, tables=[one for one in view.tables if one in most]))
    others = [max(map(len, column)) for column in zip(head, *rows, strict=True)][1:]
    room = max(_SHORTEST_NAME, COLUMNS - sum(others) - len(_GAP) * len(others))
    yield from _aligned([head, *([cut(name, room), *numbers] for name, *numbers in rows)])
    if rest := len(view.tables) - len(most):
        yield f"  and {counted(rest, 'class', 'classes')} of fewer boxes; --html shows all"


def _part_of(count: int, view: Overview) -> str:
    """Return a number of boxes, and of how many it is a part."""
    return f"{count:,} of {view.objects:,}" if count < view.objects else f"{count:,}"


def _images(view: Overview) -> str:
    if not view.images:
        return "no image that can be used"
    return counted(view.images, "image") + (f", {view.background} of them background" if view.background else "")


def _lists(view: Overview) -> str:
    return ", ".join(f"{name} {count}" for name, count in view.splits.items())


def _finding_lines(rows: Sequence[Finding]) -> Iterator[str]:
    if not rows:
        yield "no findings"
    for shown, hidden in by_kind(rows):
        yield f"{shown[0].severity}: {shown[0].kind}, {len(shown) + len(hidden)}"
        for row in shown:
            yield from wrapped_lines(f"  {row}")
        if hidden:
            yield f"  and {len(hidden)} more; --ledger writes them all"


def _doubt_lines(checked: Checked) -> Iterator[str]:
    """Yield the boxes that are most unlike the others of their class, the worst first."""
    if not checked.judged.boxes:
        needed = "20 a class and 60 in all needed"
        yield from wrapped_lines(f"too few boxes, or images, to tell swapped classes and shifted boxes ({needed})")
        return
    doubted = [row for row in checked.rows if row.kind in DOUBTS]
    compared = (
        f"{_part_of(checked.judged.boxes, checked.overview)} boxes were compared with the others of their class; "
    )
    if doubted:
        look = "look" if doubted[1:] else "looks"
        compared += f"{len(doubted)} {look} unlike them. Most such labels are right; --html shows all. First:"
    else:
        compared += "none looks unlike them"
    yield from wrapped_lines(compared)
    for kind in DOUBTS:
        for row in [row for row in doubted if row.kind == kind][:_DOUBTS_SHOWN]:
            yield from wrapped_lines(f"  {row}")
    if others := checked.judged.not_compared:
        few = first_few([f"{short_name(name)} {count:,}" for name, count in others.items()], _CLASSES_SHOWN)
        yield from wrapped_lines(f"not compared, since in too few boxes or images (20 a class needed): {few}")


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(display_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield _GAP.join(map(padded, row, widths)).rstrip()
