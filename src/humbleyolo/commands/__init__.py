"""The commands of `humbleyolo`, a module each: `add_arguments(parser)` and `run(parsed) -> exit code`.

The first line of a module is "`how to call it`: what it is for". What is slow to import is imported in `run`.
"""
