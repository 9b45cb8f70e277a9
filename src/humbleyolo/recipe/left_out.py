"""The treatment of a folder's mistakes that `init` writes, and texts about what it leaves out."""

from collections import Counter
from collections.abc import Sequence

from humbleyolo.labels.box_rules import SLIGHTLY
from humbleyolo.labels.labelled_image import LabelledSet
from humbleyolo.params.value_types import OnProblem
from humbleyolo.process.terminal import counted


def wrong_files(labelled: LabelledSet) -> dict[str, str]:
    """Return the files with mistakes, with a text before each: `2 places in ` if it labels several images."""
    found = Counter(row.file for row in labelled.ledger.errors)
    images = Counter(one.label_file for one in labelled.images)
    return {file: f"{counted(found[file], 'place')} in " if images[file] > 1 else "" for file in sorted(found)}


def policy_of(labelled: LabelledSet) -> OnProblem:
    """Return the treatment of mistakes, `skip` or `clip`, that keeps most images and changes no box by much.

    `clip` keeps the images whose boxes cross the border. It is chosen if all of these cross it by little.
    """
    outside = [row.cause for row in labelled.ledger.errors if row.kind == "outside-image"]
    return "clip" if outside and set(outside) == {SLIGHTLY} else "skip"


def images_left_out(labelled: LabelledSet) -> list[str]:
    """Return a text about the images that go with their mistakes, those of test apart; none if all stay."""
    if not labelled.left_out:
        return []
    test = sum("test" in splits for splits in labelled.left_out.values())
    of_test = f", {test} of test" if test else ""
    return [f"{len(labelled.left_out)} of {counted(labelled.images_seen, 'image')} left out{of_test}"]


def tell_treatment(labelled: LabelledSet, in_force: OnProblem) -> str:
    """Return a line about the images that go with their mistakes, under the treatment in force; empty if all stay.

    `error` stops at mistakes, so that the line is of the treatment that `init` writes then. The set was read under
    `skip_box` in that case, and keeps images that lost boxes.
    """
    if in_force != "error":
        return f"on_problem {in_force}: {'; '.join(images_left_out(labelled))}" if labelled.left_out else ""
    policy, kept = policy_of(labelled), {one.path for one in labelled.images}
    stays = {path for path, slight in labelled.short.items() if slight and policy == "clip"}
    goes = len(labelled.left_out) + len((labelled.short.keys() & kept) - stays) - len(stays - kept)
    told = f"on_problem error stops; {policy}, as `init` writes, leaves out {goes:,}"
    return f"{told} of {counted(labelled.images_seen, 'image')}" if goes else ""


def tell_left_out(wrong: Sequence[str], most: int, policy: str) -> str:
    """Return a text about the files with mistakes that names some of them, `most` at most."""
    named, more = ", ".join(wrong[:most]), len(wrong) - most
    others = f" and {counted(more, 'other file')}" if more > 0 else ""
    done = "boxes are cut at the border, other mistakes left out" if policy == "clip" else "what is wrong is left out"
    return f"{done}: {f'{named}{others}' if named else counted(more, 'file')}"
