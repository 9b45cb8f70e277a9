"""Options of commands that train: how long, and the refusal of numbers beyond their limits."""

import argparse

_MINUTES = 20.0
_MOST = 100_000


def add_length(parser: argparse.ArgumentParser, each: str) -> None:
    """Add the options of the length of several trainings; `each` is the word for what is trained."""
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--minutes", type=float, metavar="M", default=_MINUTES,
        help="longest training in all, by a step measured here; default: %(default)g, or train.epochs if less",
    )  # fmt: skip
    length.add_argument("--epochs", type=int, metavar="N", help=f"epochs for each {each}; nothing is measured then")


def check_numbers(parsed: argparse.Namespace, **limits: tuple[float, float]) -> None:
    """Refuse the length of a training, and other numbers of the arguments, beyond their least and most."""
    from humbleyolo.errors import UserError

    for name, (least, most) in (limits | {"minutes": (0.1, _MOST), "epochs": (1, _MOST)}).items():
        value = getattr(parsed, name, None)
        if value is not None and not least <= value <= most:
            raise UserError(f"--{name} {value} is not allowed; allowed: {least} to {most}")
