"""`humbleyolo params [FILE]`: find every mistake in a parameter file; lay an example over it; add new keys.

Examples:
  humbleyolo params
  humbleyolo params --from examples/bccd.yaml
  humbleyolo params --update my_params.yaml
"""

import argparse
import os
import stat
from pathlib import Path

from humbleyolo.process.display_width import cut, display_width
from humbleyolo.process.terminal import COLUMNS, tell

_LINES = 40  # at most, of values


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Finds every mistake in a parameter file before any stage runs. With --from or --update it changes the "
        "file, says how, and keeps its comments; a file that would have mistakes is not written."
    )
    parser.add_argument(
        "file", type=Path, nargs="?", default=Path("params.yaml"), help="parameter file; default: %(default)s"
    )
    change = parser.add_mutually_exclusive_group()
    change.add_argument(
        "--from",
        type=Path,
        metavar="EXAMPLE",
        dest="example",
        help="give FILE the values of an example; what the example does not name stays",
    )
    change.add_argument(
        "--update", action="store_true", help="add the keys that a newer version knows, with their comments"
    )
    parser.add_argument(
        "--template",
        type=Path,
        metavar="FILE",
        help="source of the keys that --update adds; default: the last params.yaml in git that has them",
    )


def run(parsed: argparse.Namespace) -> int:
    """Check the file as the stages do, or change it, and return the exit code 0.

    Raises:
        ProblemsError: With every mistake in the file, or in what it would become.
        UserError: If a file cannot be read or written.
    """
    from humbleyolo.errors import UserError
    from humbleyolo.inputs.dataset_inputs import inputs_beside
    from humbleyolo.params.loader import load_params

    file: Path = parsed.file
    if parsed.template and not parsed.update:
        raise UserError("--template: goes with --update alone")
    if parsed.example:
        _lay_over(file, parsed.example)
    elif parsed.update:
        _update(file, parsed.template)
    else:
        load_params(file, check=inputs_beside(file))
        tell(f"{file}: no mistakes")
    return 0


def _lay_over(file: Path, example: Path) -> None:
    """Give the file the values of an example, and print what changed and what stays as edited."""
    from humbleyolo.inputs.dataset_inputs import inputs_beside
    from humbleyolo.params.keys import dotted
    from humbleyolo.params.loader import find_mistakes, read_text
    from humbleyolo.params.overlay import edited_keys, lay_over
    from humbleyolo.process.git import versions

    text, name = read_text(file), str(file)
    changed, changes = lay_over(text, name, read_text(example), str(example))
    if not changes:
        tell(f"{file}: has the values of {example} already; nothing changed")
        return
    write_params(file, changed)
    tell(f"{file}: {len(changes)} of its values are now those of {example}:")
    _print_values([(dotted(key), old, new) for key, old, new in changes])
    committed = next(versions(file), (name, text))[1]
    if kept := edited_keys(changed, committed, read_text(example)):
        told = f"All other values stay, of which these are not as committed: {', '.join(map(dotted, kept))}. "
        told += f"For the example alone: `git checkout {file}`, then this command again."
        tell(told)
    for mistake in find_mistakes(changed, name, inputs_beside(file)):
        tell(f"note: {mistake}")


def _update(file: Path, template: Path | None) -> None:
    """Add the keys that the file lacks, and print them."""
    from humbleyolo.params.keys import dotted
    from humbleyolo.params.loader import read_text
    from humbleyolo.params.update import add_missing
    from humbleyolo.process.git import versions

    templates = [(str(template), read_text(template))] if template else versions(Path("params.yaml"))
    changed, added, source = add_missing(read_text(file), str(file), templates)
    if not added:
        tell(f"{file}: lacks no key; nothing changed")
        return
    write_params(file, changed)
    tell(f"{file}: has {len(added)} new {'key' if len(added) == 1 else 'keys'}, from {source}:")
    _print_values([(dotted(key), "", value) for key, value in added.items()])


def _print_values(values: list[tuple[str, str, str]]) -> None:
    """Print a key, its old value if it has one, and its new, each in a line of the screen."""
    for key, old, new in values[:_LINES]:
        room = COLUMNS - display_width(f"  {key}:  -> ")
        old = cut(old, max(room // 2, room - display_width(new)))
        tell(f"  {key}: {f'{old} -> ' if old else ''}{cut(new, room - display_width(old))}")
    if len(values) > _LINES:
        tell(f"  and {len(values) - _LINES} more")


def write_params(file: Path, text: str) -> None:
    """Replace a parameter file as a whole; its permissions stay, and a link to it goes on being one.

    Raises:
        UserError: If the file is read-only.
    """
    from humbleyolo.storage.atomic import atomic_write

    require_writable(file)
    with atomic_write(file.resolve()) as out:
        os.fchmod(out.fileno(), stat.S_IMODE(file.stat().st_mode))
        out.write(text.encode())


def require_writable(file: Path) -> None:
    """Refuse a parameter file that is read-only, or whose folder is: it is replaced as a whole.

    Raises:
        UserError: If it is.
    """
    from humbleyolo.errors import UserError

    require_writable_folder(file.resolve().parent, file)

    if not (file.stat().st_mode & stat.S_IWUSR and os.access(file, os.W_OK)):
        raise UserError(f"{file}: cannot be written: it is read-only; `chmod u+w {file}` changes that")


def require_writable_folder(folder: Path, file: Path) -> None:
    """Refuse a folder in which `file` cannot be replaced or copied.

    Raises:
        UserError: If there is no permission to write there.
    """
    from humbleyolo.errors import UserError

    if not os.access(folder, os.W_OK | os.X_OK):
        why = f"no permission to write into {folder.absolute()}"
        raise UserError(f"{file}: cannot be replaced or copied: {why}; `ls -ld` shows whose it is")
