"""The command `humbleyolo`, also `python -m humbleyolo`."""

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata

from humbleyolo.commands import check, compare, convert, export, params, predict, search, serve, verify
from humbleyolo.process.exits import exit_with

COMMANDS = {
    "params": params,
    "check": check,
    "convert": convert,
    "compare": compare,
    "search": search,
    "predict": predict,
    "export": export,
    "serve": serve,
    "verify": verify,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name; without one, show what there is.

    Args:
        arguments: Of the command line; the program's own where None.

    Raises:
        SystemExit: With the command's exit code; 2 for a wrong argument or anything else that a user can mend.
    """
    parser = argparse.ArgumentParser(
        prog="humbleyolo", description=metadata.metadata("humbleyolo")["Summary"]
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {metadata.version('humbleyolo')}")
    commands = parser.add_subparsers(metavar="command", title="commands")
    for name, module in COMMANDS.items():
        purpose = summary(module.__doc__ or "")
        command = commands.add_parser(name, help=purpose, description=purpose)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    parsed = parser.parse_args(arguments)
    if hasattr(parsed, "run"):
        exit_with(lambda: sys.exit(parsed.run(parsed)))
    parser.print_help()


def summary(documentation: str) -> str:
    """Return what a command is for: the first line of its module, without how to call it."""
    return documentation.partition("\n")[0].partition(": ")[2]
