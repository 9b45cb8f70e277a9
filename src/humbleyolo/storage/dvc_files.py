"""Files of a folder that DVC hashes.

It leaves out `.git`, `.hg` and `.dvc`, DVC projects within its own, and what `.dvcignore` files name. Those lie above
the folder: inside one they are an error to DVC. It follows no link to a folder, and has no rules outside the project.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from humbleyolo.errors import UserError

_IGNORE, _DVC = ".dvcignore", ".dvc"
_ALWAYS = (".hg/", ".git/", ".git", f"{_DVC}/")


class _Rule(NamedTuple):
    """A line of a `.dvcignore`.

    Attributes:
        folders_only: Folders are meant, and no files.
        hides: Paths that fit are left out; else they are taken in again.
        regex: Paths from the root that fit, matched from their beginning.
    """

    folders_only: bool
    hides: bool
    regex: re.Pattern[str]


def dvc_files(folder: Path, project: Path) -> Iterator[Path]:
    """Yield the files below a folder that count to DVC, in no order.

    Args:
        folder: The folder, below `project` or elsewhere.
        project: The folder of `dvc.yaml`, in a DVC repository or without one.

    Raises:
        UserError: If a `.dvcignore` has a line that is no pattern.
    """
    root, top = _root_of(project), Path(os.path.abspath(folder))  # noqa: PTH100 - DVC follows no links here either
    inside = top.is_relative_to(root)
    base = top.relative_to(root).as_posix() if inside else ""
    rules = _rules_above(root, base) if inside else []
    if rules is None:
        return
    for path, folders, names in os.walk(top):
        at = Path(path)
        if rules:
            from_root = "" if at == root else f"{at.relative_to(root).as_posix()}/"
            folders[:] = [one for one in folders if not _leaves_out(rules, root, f"{from_root}{one}")]
            names = [name for name in names if not _names(rules, f"{from_root}{name}", is_folder=False)]
        yield from (folder / at.relative_to(top) / name for name in names)


def _root_of(project: Path) -> Path:
    """Return the root of the DVC repository that a project lies in; the project itself if there is none."""
    here = Path(os.path.abspath(project))  # noqa: PTH100
    return next((one for one in (here, *here.parents) if (one / _DVC).is_dir()), here)


def _rules_above(root: Path, base: str) -> list[_Rule] | None:
    """Return the rules for what is in a folder, given from the root; None if DVC sees nothing of it."""
    rules = list(_parse(_ALWAYS, "", ""))
    parts = [] if base == "." else base.split("/")
    for depth in range(len(parts) + 1):
        above = "/".join(parts[:depth])
        # Of projects within, DVC sees those in its root and those below the folder, and passes over those between.
        if above and (_leaves_out(rules, root, above) if depth == 1 else _names(rules, above, is_folder=True)):
            return None
        file = root / above / _IGNORE
        name = f"{above}/{_IGNORE}" if above else _IGNORE
        if depth < max(len(parts), 1) and file.is_file() and not _names(rules, name, is_folder=False):
            rules += _parse(file.read_text(encoding="utf-8", errors="surrogateescape").splitlines(), above, name)
    return rules


def _parse(lines: Iterable[str], base: str, name: str) -> Iterator[_Rule]:
    """Yield the rules of lines; `base` is the folder they speak of, from the root, and empty for the root."""
    from pathspec import GitIgnoreSpec  # 0.1 s, for the commands that need it

    for number, line in enumerate(map(str.strip, lines), 1):
        try:
            for pattern in GitIgnoreSpec.from_lines([_from_root(line, base)]).patterns:
                if pattern.include is not None and pattern.regex is not None:
                    yield _Rule(line.endswith("/"), pattern.include, pattern.regex)
        except ValueError as error:
            raise UserError(f"{name}:{number}: {line!r} is no pattern ({error}); mend or remove the line") from None


def _from_root(line: str, base: str) -> str:
    """Return the rule of a folder as one of the root, written as DVC does."""
    if not base or not line or line.startswith("#"):
        return line
    rule = line.removeprefix("!")
    anchored = "/" in rule[:-1] and not rule.startswith("**/")
    rule = rule.removeprefix("/" if anchored else "**/").removeprefix("\\")
    return f"{'!' if line.startswith('!') else ''}/{base}/{'' if anchored else '**/'}{rule}"


def _leaves_out(rules: list[_Rule], root: Path, path: str) -> bool:
    """Return True for a folder that a rule names, or that is a DVC project of its own."""
    return _names(rules, path, is_folder=True) or (root / path / _DVC).exists()


def _names(rules: list[_Rule], path: str, *, is_folder: bool) -> bool:
    """Return True if the last rule that fits a path, given from the root, leaves it out."""
    for rule in reversed(rules):
        if (is_folder or not rule.folders_only) and (
            rule.regex.match(path) or (is_folder and rule.regex.match(f"{path}/"))
        ):
            return rule.hides
    return False
