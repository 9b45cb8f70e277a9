"""The commands of `humbleyolo`, a module each: `add_arguments(parser)` and `run(parsed) -> exit code`.

The first line of a module is "`how to call it`: purpose". Examples follow, which `--help` shows. Slow imports stand
in `run`.
"""
