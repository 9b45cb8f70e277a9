"""The command `humbleyolo`, also `python -m humbleyolo`."""

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence
from importlib import metadata
from typing import NoReturn

from humbleyolo.commands import (
    audit,
    check,
    compare,
    convert,
    curve,
    export,
    init,
    params,
    predict,
    score,
    search,
    serve,
    verify,
)
from humbleyolo.commands import next as next_images
from humbleyolo.process.exits import exit_with
from humbleyolo.process.terminal import COLUMNS, shown

COMMANDS = {
    "init": init,
    "params": params,
    "check": check,
    "convert": convert,
    "audit": audit,
    "curve": curve,
    "next": next_images,
    "compare": compare,
    "search": search,
    "predict": predict,
    "score": score,
    "export": export,
    "serve": serve,
    "verify": verify,
}

_EXAMPLES = """Examples, in a clone:
  humbleyolo check data/labelled/cats
  humbleyolo init data/labelled/cats
  humbleyolo predict photos --save-images drawn
  humbleyolo COMMAND --help
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are shown as those of the commands are."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"{shown(f'{self.prog}: error: {message}', sys.stderr)}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name; without one, list the commands.

    Args:
        arguments: Words of the command line; None: the program's own.

    Raises:
        SystemExit: With the command's exit code; 2 for a wrong argument or another mistake that a user can mend.
    """
    parser = _Parser(
        prog="humbleyolo", description=_filled(metadata.metadata("humbleyolo")["Summary"]), epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"%(prog)s {metadata.version('humbleyolo')}")
    commands = parser.add_subparsers(metavar="command", title="commands")
    for name, module in COMMANDS.items():
        purpose, examples = summary(module.__doc__ or ""), (module.__doc__ or "").partition("\n\n")[2]
        command = commands.add_parser(
            name, help=purpose, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(command)
        command.description = _filled(command.description or f"{purpose[0].upper()}{purpose[1:]}.")
        command.set_defaults(run=module.run)
    parsed = parser.parse_args(arguments)
    if hasattr(parsed, "run"):
        exit_with(lambda: sys.exit(_run(parsed)))
    parser.print_help()


def _run(parsed: argparse.Namespace) -> int:
    """Run the command; return its exit code, or 1 if nobody reads its output to the end (`| head`)."""
    try:
        code: int = parsed.run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _filled(description: str) -> str:
    return textwrap.fill(description, COLUMNS - 2)


def summary(documentation: str) -> str:
    """Return the purpose of a command: the first line of its module, without how to call it."""
    return documentation.partition("\n")[0].partition(": ")[2].removesuffix(".")
