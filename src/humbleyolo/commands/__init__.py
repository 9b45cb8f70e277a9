"""The commands of `humbleyolo`, a module each: `add_arguments(parser)` and `run(parsed) -> exit code`."""
