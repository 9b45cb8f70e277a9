"""Class numbers that count from 1 where names are counted from 0: all but the last would get a neighbour's name."""

from collections import Counter
from collections.abc import Collection, Sequence

from humbleyolo.inputs.ledger import BadInput
from humbleyolo.labels.labelled_image import UncheckedImage
from humbleyolo.labels.source_reader import SourceReader

_GAPS = 0.2  # of the numbers from 1 on, or one of them, that may have no box
_FEWEST = 3  # boxes of the highest number; fewer, if it has as many as others
_RARE = 0.05  # of the mean of all numbers, that the highest one has at least


def find_count_from_one(numbers: Collection[int], names: int) -> BadInput | None:
    """Return the mistake that numbers of classes count from 1, if so many names are counted from 0; None if not.

    None is 0 then, the highest is the number of names, and nearly all between occur. The highest alone gets no name,
    and so no wrong one. Of numbers that occur once per box, such as a Counter, a few slips are not enough.
    """
    if not _may_count_from_one(numbers, names):
        return None
    counts = Counter(numbers)
    mean = counts.total() / len(counts)
    if len(counts) < names - max(1, _GAPS * names) or counts[names] < min(mean, max(_FEWEST, _RARE * mean)):
        return None
    return _mistake(numbers, "names are counted from 0, and no number is 0", names)


def doubt_count_from_one(numbers: Collection[int], names: int) -> BadInput | None:
    """Return a warning that numbers may count from 1, if none is 0 and the highest is the number of names."""
    why = "no number is 0, so that they may count from 1, or the highest is a slip; if they do"
    return _mistake(numbers, why, names) if _may_count_from_one(numbers, names) else None


def settle_count(
    reader: SourceReader, format_: str, numbers: Collection[int], names: int, images: Sequence[UncheckedImage]
) -> None:
    """Drop the boxes of images whose class numbers count from 1, with one mistake; warn if they may.

    Under a format given by name they are read as they are, with that warning.
    """
    mistake = find_count_from_one(numbers, names)
    if mistake and reader.options.format == "auto":
        mistake.why += f"; to read them as they are, name the format, `--format {format_}`"
        drop_all(reader, mistake, images, f"class {names}")
    elif doubt := doubt_count_from_one(numbers, names):
        reader.ledger.warn(".", doubt, "read as they are")


def drop_all(reader: SourceReader, mistake: BadInput, images: Sequence[UncheckedImage], number: str = "") -> None:
    """Report a mistake of all boxes of images, and drop them. Mistakes of a number without a name are part of it."""
    files = {image.label_file for image in images}
    rows = reader.ledger.rows
    rows[:] = [one for one in rows if (one.kind, one.what) != ("unknown-class", number) or one.file not in files]
    reader.ledger.problem(".", mistake, "all boxes dropped")
    for image in images:
        image.lost += len(image.boxes)
        image.boxes = []


def _may_count_from_one(numbers: Collection[int], names: int) -> bool:
    return len({*numbers}) > 1 and min(numbers) > 0 and max(numbers) == names


def _mistake(numbers: Collection[int], why: str, names: int) -> BadInput:
    found = f"class numbers {min(numbers)} to {names} of {names} names"
    return BadInput("class-numbers", found, f"{why}: take 1 off each, or put a name before the first")
