"""Class numbers that count from 1 where names are counted from 0: all but the last would get a neighbour's name."""

from collections.abc import Collection

from humbleyolo.labels.ledger import BadInput


def find_count_from_one(numbers: Collection[int], names: int) -> BadInput | None:
    """Return the mistake that numbers of classes count from 1, if so many names are counted from 0; None if not.

    None is 0 then, and the highest is the number of names. The highest alone gets no name, and so no wrong one.
    """
    if len(numbers) < 2 or min(numbers) < 1 or max(numbers) != names:
        return None
    why = "names are counted from 0, and no number is 0: take 1 off each, or put a name before the first"
    return BadInput("class-numbers", f"class numbers {min(numbers)} to {names} of {names} names", why)
