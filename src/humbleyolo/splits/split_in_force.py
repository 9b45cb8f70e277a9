"""The rule that a labelled folder is divided by: that of the project's params.yaml, or that `init` would choose."""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from humbleyolo.errors import UserError
from humbleyolo.inputs.file_names import folder_of_split, says_more, splits_of_folder, words_behind
from humbleyolo.inputs.ledger import Ledger
from humbleyolo.labels.labelled_image import LabelledImage, ReadOptions
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Split
from humbleyolo.params.value_types import OnProblem
from humbleyolo.process.terminal import counted, first_few
from humbleyolo.splits.split_rules import Division, divide, divide_by_lists_alone


class SplitInForce(NamedTuple):
    """The rule, the seed and the treatment of mistakes, and a line that tells them.

    Without a rule, the folder's own lists alone are looked at.
    """

    line: str
    rule: Split | None = None
    seed: int = 0
    on_problem: OnProblem = "skip"
    options: ReadOptions | None = None  # the facts that params.yaml states of the folder, if it is the project's
    file: str = ""  # params.yaml

    def fitted(self, images: Sequence[LabelledImage]) -> Self:
        """Return the split that `init` would begin with, if the folder is not the project's own."""
        by, _ = choose_by(images)
        if self.rule is None or self.options is not None or by == self.rule.by:
            return self
        rule = self.rule.model_copy(update={"by": by})
        return self._replace(rule=rule, line=_told(rule, f"{self.file}, but {by} as `humbleyolo init` would choose"))

    def judge(self, images: Sequence[LabelledImage], ledger: Ledger, listed: Container[str] = ()) -> Division:
        """Divide images as `generate` would; see `divide`."""
        if self.rule is None:
            return divide_by_lists_alone(images, ledger)
        own = Ledger(self.on_problem)
        division = divide(images, self.rule, self.seed, own, listed)
        ledger.rows += own.rows
        return division


NOT_JUDGED = SplitInForce("split: not judged, since no params.yaml is here")


def read_split(params: Path, folder: Path) -> SplitInForce:
    """Return the rule of a project's params.yaml, which need not be there, and its facts about the folder."""
    if not params.is_file():
        return NOT_JUDGED
    try:
        seed, dataset = load_params(params, "seed", "dataset")
    except UserError:
        return SplitInForce(f"split: not judged, since {params} has mistakes; see `humbleyolo params`")
    rule: Split = dataset.labelled.split
    own = dataset.source == "labelled" and (params.parent / dataset.inputs).resolve() == folder.resolve()
    options = ReadOptions.from_section(dataset.labelled) if own else None
    return SplitInForce(_told(rule, str(params)), rule, seed, dataset.labelled.on_problem, options, str(params))


def choose_by(images: Sequence[LabelledImage]) -> tuple[str, str]:
    """Return the value of `split.by` for a folder that nobody chose one for, and the reason."""
    listed = [one for one in images if one.splits]
    own = [one for one in listed if not one.unlisted]
    things = _things(own)
    sure = [one for one in (own if things else listed) if _folder(one) not in things]
    lists = sorted({split for one in listed for split in one.splits})
    named = _named_folders(listed)
    divides = any("train" in one.splits for one in sure) and 2 * len(sure) >= len(images)
    if sure and (divides or not _named_folders(sure)):
        return "lists", f"the folder lists {', '.join(lists)}{f' (by its folders {named})' if named else ''}"
    told = "the folder has no lists"
    if lists:
        told = f"{named} may be things: of {counted(len(images), 'image')} {len(own)} are of {', '.join(lists)}"
    if any(one.group is not None for one in images):
        return "group", f"the labels name groups, which stay together{f'; {told}' if lists else ''}"
    return "hash", told


def _folder(image: LabelledImage) -> str:
    """Return the name of the folder that says an image's split; empty if none does."""
    return folder_of_split(image.path) or folder_of_split(image.label_file)


def _things(listed: Sequence[LabelledImage]) -> set[str]:
    """Return the folders that seem lists, but may be of a thing, as `train_station`; none if there are other lists.

    A word stands behind the split's, and no folder of another split has the same, as `val_rgb` beside `train_rgb`.
    """
    if any(one.splits != splits_of_folder(f"{_folder(one)}/") for one in listed):
        return set()
    folders = {_folder(one): one.splits for one in listed}
    splits: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    for folder, split in folders.items():
        splits[words_behind(folder)].add(split)
    return {folder for folder in folders if words_behind(folder) and len(splits[words_behind(folder)]) == 1}


def _named_folders(listed: Iterable[LabelledImage]) -> str:
    """Return the folders taken for lists that have another name besides, as `VOC2007_train` or `freight_train`."""
    found = {folder for one in listed if (folder := _folder(one)) and says_more(folder)}
    return first_few(sorted(found), 3) if found else ""


def _told(rule: Split, source: str) -> str:
    """Return a line about a rule, which is of `source`."""
    fractions = "/".join(f"{part:g}" for part in rule.fractions.model_dump().values())
    return f"split: {rule.by}, {fractions}, near-duplicates {rule.near_duplicates} ({source})"
