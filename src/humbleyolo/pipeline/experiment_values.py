"""The parameters with which an experiment of DVC runs, beside those of the commit that it began from.

`dvc exp run -S` changes one value. The others are those in params.yaml, where experiments before have left theirs.
"""

import os
from pathlib import Path

from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.params.error_texts import shown
from humbleyolo.params.keys import dotted, leaves
from humbleyolo.params.loader import read_sections
from humbleyolo.process.git import git
from humbleyolo.process.terminal import counted, first_few

_COMMIT = "DVC_EXP_BASELINE_REV"  # set by DVC for the stages of an experiment
_MOST = 8  # values that are told


def experiment_notes(params: Path) -> list[str]:
    """Return a line with each value of params.yaml that the experiment's commit has not, or has otherwise.

    Outside an experiment, and without a difference, there is none.
    """
    commit = os.environ.get(_COMMIT)
    if not commit:
        return []
    try:
        then = dict(leaves(read_sections(git(params.parent, "show", f"{commit}:./{params.name}"), "")[0]))
        now = dict(leaves(read_sections(params.read_text(encoding="utf-8"), "")[0]))
    except (ProblemsError, UserError, OSError, UnicodeDecodeError):  # what is wrong with params.yaml is told later
        return []
    changed = [
        f"{dotted(key)} {shown(value)} (there {shown(then[key]) if key in then else 'is none'})"
        for key, value in now.items()
        if key not in then or then[key] != value
    ]
    if not changed:
        return []
    named = first_few(changed, _MOST) + " (`git diff params.yaml`)" * (len(changed) > _MOST)
    return [
        f"this experiment differs from commit {commit[:7]} by {counted(len(changed), 'value')}: {named}; "
        "all of them stay for the next experiment, unless you run `git checkout .` and `dvc checkout` before it"
    ]
