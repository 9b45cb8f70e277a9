"""Label files about one image that name another one inside than their own name does."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import PurePosixPath

from humbleyolo.inputs.folder import IMAGE_BYTES
from humbleyolo.inputs.image_info import upright_size
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.labels.image_lookup import Misnamed
from humbleyolo.labels.labelled_image import UncheckedImage
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.process.terminal import counted


def settle_misnamed(reader: SourceReader, images: Sequence[UncheckedImage]) -> list[UncheckedImage]:
    """Return the images of label files, each of which has been read as the image of its file's name.

    Files that are renamed together with their images keep the old names inside, and LabelImg goes by a file's name
    itself. A note tells that of all. Where the names inside lead to as many images, both can be right. Then the sizes
    in the labels decide; if these tell nothing, each is a mistake. So is a file with the very boxes of
    the image that it names, which may be a copy of that one's.
    """
    told = reader.images.misnamed
    mine = {one.label_file: one for one in images if one.label_file in told}
    if not mine:
        return list(images)
    steps = {told[file].own: told[file].named for file in mine}
    doubtful = _on_circles(steps) | _on_ways_to(steps, {one.path for one in images})
    mixed = [one for file, one in mine.items() if told[file].own in doubtful]
    own, named = (_sizes_fit(reader, mixed, [side(told[one.label_file]) for one in mixed]) for side in (_own, _named))
    if named and not own:
        for one in mixed:
            one.path = told[one.label_file].named
            del mine[one.label_file]
    wrong = {one.label_file for one in mixed if own == named}
    by_path = {one.path: one for one in images}
    wrong |= {file for file, one in mine.items() if _is_copy(one, by_path.get(told[file].named))}
    for file in sorted(wrong):
        reader.ledger.problem(file, told[file].mistake(), "file dropped")
    if read := [file for file in mine if file not in wrong]:
        found = f"{counted(len(read), 'label file')} with another image's name inside, such as {read[0]} with "
        found += shorten(told[read[0]].wanted)
        why = f"{told[read[0]].own} has the file's own name, and no other image fits"
        reader.ledger.note(".", BadInput("image-differs", found, why), "read by the files' names")
    return [one for one in images if one.label_file not in wrong]


def _own(one: Misnamed) -> str:
    return one.own


def _named(one: Misnamed) -> str:
    return one.named


def _on_circles(steps: Mapping[str, str]) -> set[str]:
    """Return the images from which the steps, from one to the one named in its file, lead back to it."""
    result: set[str] = set()
    done: set[str] = set()
    for start in steps:
        way: dict[str, int] = {}
        at = start
        while at in steps and at not in done and at not in way:
            way[at] = len(way)
            at = steps[at]
        result |= {one for one, place in way.items() if at in way and place >= way[at]}
        done |= way.keys()
    return result


def _on_ways_to(steps: Mapping[str, str], labelled: Set[str]) -> set[str]:
    """Return the images whose steps lead to one that exists and has no label file, and that no two steps lead to."""
    namers = Counter(steps.values())
    back = {named: own for own, named in steps.items() if named and namers[named] == 1}
    result: set[str] = set()
    for at in [named for named in back if named not in labelled]:
        while at in back and back[at] not in result:
            at = back[at]
            result.add(at)
    return result


def _sizes_fit(reader: SourceReader, images: Iterable[UncheckedImage], paths: Iterable[str]) -> bool:
    """Tell if the sizes that labels say are those of some images."""
    for image, path in zip(images, paths, strict=True):
        try:
            size = upright_size(reader.source.read(path, IMAGE_BYTES), reader.options.exif)
        except BadInput:
            continue
        if any(said and said != side for said, side in zip((image.height, image.width), size, strict=True)):
            return False
    return True


def _is_copy(one: UncheckedImage, other: UncheckedImage | None) -> bool:
    """Tell if two files have the same boxes, so that one may be a copy of the other's."""
    boxes = [[(box.label, box.corners) for box in image.boxes] for image in (one, other) if image]
    return len(boxes) == 2 and bool(boxes[0]) and boxes[0] == boxes[1]


def is_of_another_format(reader: SourceReader, file: str) -> bool:
    """Tell if a file has no image's name, so that it may be about something else than one image."""
    return not reader.images.has_stem(PurePosixPath(file).stem)
