"""Lists of the images of train, val and test as text files, wherever they lie beside labels of any format."""

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from humbleyolo.inputs.file_names import (
    LISTS,
    WORD_ENDS,
    is_image,
    is_label,
    is_labelled,
    split_of_list,
    splits_of_folder,
    stem_of,
    suffix,
    telling_words,
)
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.text import numbered_lines
from humbleyolo.labels.image_names import without_parents
from humbleyolo.labels.labelled_image import UncheckedImage
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.process.terminal import counted, first_few

ONE_LIST = "an image is in one list; correct the lists"

_KEEP = ("test", "val", "train")  # the first of these that name an image, or one of its near-duplicates, stays
_WHOLE = re.compile(r"[+-]?\d+")
_MAIN = "ImageSets/Main"
NO_SPLIT = "default"  # the name of the list of images in no split, as CVAT writes it


@dataclass(frozen=True, slots=True)
class ImageList:
    """A text file whose lines name images.

    Attributes:
        file: Its path; `split`: the split that its name says.
        paths: Images that its lines name.
        strange: Lines that name no image here: (number, text).
    """

    file: str
    split: str
    paths: tuple[str, ...]
    strange: tuple[tuple[int, str], ...]


def first_split(splits: Sequence[str]) -> str | None:
    """Return the first of test, val, train that is among some; None if none is."""
    return next((split for split in _KEEP if split in splits), None)


def mark_listed(
    reader: SourceReader, images: list[UncheckedImage], unlabelled: Sequence[UncheckedImage] = ()
) -> None:
    """Note in each image, be it `unlabelled`, the lists that hold it, if its format's own reader found no lists.

    A line names an image, or its label file, by path, by name, or by name without extension. Whole numbers or the
    path of a label may follow. An image in no such list is of the split that its folders say.
    Lists in `ImageSets/Main` are the only ones if there are some, and `trainval` counts without a `train` alone.

    A list that is not read gets a warning. It contradicts the format's own lists, its name says no split where none
    is known, or most of its lines name no image.
    """
    every = [*images, *unlabelled]
    lists, doubtful = _find_lists(reader, every)
    told = [one for one in images if one.splits and one.splits != _of_folders(one)]
    for each in doubtful:
        why = f"{len(each.strange)} of its lines name no image here, such as {shorten(each.strange[0][1])}; mend it"
        reader.ledger.warn(each.file, BadInput("list-not-read", "a list of images", why), "not read")
    if told:
        endings = {suffix(one.label_file) for one in told}
        _mark(lists, [one for one in every if suffix(one.label_file) not in endings])
        _warn_of_others(reader, lists, images)
        return
    lists = [one for one in lists if posixpath.dirname(one.file).endswith(_MAIN)] or lists
    stems = {stem_of(one.file).lower() for one in lists if one.split == "train"}
    lists = [one for one in lists if stem_of(one.file).lower() != "trainval" or len(stems) == 1]
    for each in lists:
        if each.split and each.strange:
            number, line = each.strange[0]
            what = first_few([shorten(line)], 1, count=len(each.strange))
            why = "no image here has that name; add the image, or take it off the list"
            error = BadInput("list-points-nowhere", what, why, f"line {number}")
            reader.ledger.problem(each.file, error, "lines dropped")
    _mark(lists, every)
    if not any(image.splits for image in images):
        _warn_of_no_split(reader, lists, images)


def _mark(lists: Iterable[ImageList], images: Iterable[UncheckedImage]) -> None:
    """Note in each image the lists that hold it; one in none keeps the splits that it has."""
    found: dict[str, set[str]] = defaultdict(set)
    for each in lists:
        for path in each.paths if each.split else ():
            found[path].add(each.split)
    for image in images:
        image.splits = tuple(sorted(found.get(image.path, ()))) or image.splits


def _of_folders(image: UncheckedImage) -> tuple[str, ...]:
    return splits_of_folder(image.path) or splits_of_folder(image.label_file)


def _warn_of_others(reader: SourceReader, lists: Iterable[ImageList], images: Iterable[UncheckedImage]) -> None:
    """Warn of each list that puts an image into another split than the format's own lists do."""
    splits = {one.path: one.splits for one in images}
    for each in lists:
        other = [path for path in each.paths if each.split and each.split not in splits.get(path, each.split)]
        if other and stem_of(each.file).lower() != "trainval":
            found = f"{counted(len(other), 'image')} of {each.split}"
            says = f"the labels' own lists say {' and '.join(splits[other[0]]) or 'none'} of {other[0]}"
            reader.ledger.warn(each.file, BadInput("list-not-read", found, f"{says}; correct one"), "not read")


def _warn_of_no_split(reader: SourceReader, lists: Iterable[ImageList], images: Iterable[UncheckedImage]) -> None:
    """Warn of each list of some of the images whose name says no split; CVAT's `default` says that there is none."""
    known, every = {row.file for row in reader.ledger.rows}, {one.path for one in images}
    for each in lists:
        of_none = stem_of(each.file).lower() == NO_SPLIT
        if not each.split and not of_none and each.file not in known and set(each.paths) < every:
            why = "its name says no split; if it is the list of one, call it train.txt, val.txt or test.txt"
            found = f"a list of {counted(len(set(each.paths)), 'image')}"
            reader.ledger.warn(each.file, BadInput("list-not-read", found, why), "not read")


def _find_lists(reader: SourceReader, images: list[UncheckedImage]) -> tuple[list[ImageList], list[ImageList]]:
    """Return the files whose lines name images; apart from them those that only seem to."""
    used = {one.label_file for one in images} | {row.file for row in reader.ledger.errors}
    names = _ImageNames(images)
    lists, doubtful = [], []
    for file in reader.source.ending(*LISTS):
        if file in used or not (is_labelled(file) or not is_label(file)):
            continue
        with suppress(BadInput):  # what cannot be read as text is no list
            each = _read(reader, file, names)
            if each is None:
                continue
            if each.split and each.strange and 2 * len(each.strange) > len(each.paths) + len(each.strange):
                doubtful.append(each)
            else:
                lists.append(each)
    return lists, doubtful


def _read(reader: SourceReader, file: str, names: "_ImageNames") -> ImageList | None:
    """Return a file as a list of images; None if it is none.

    Of a file whose name says a split, one line names an image, or all look like names of image files. Of another, all
    lines name images, and nothing else.
    """
    split, folder = _split_of(file), posixpath.dirname(file)
    if not split:
        head = numbered_lines(reader.source.head(file).decode("utf-8-sig", "replace"))
        if not head or not names.find(head[0][1], folder):
            return None
    rows = [(number, row) for number, row in numbered_lines(reader.text(file)) if not row.startswith("#")]
    found = [(number, row, names.named(row, folder) if split else names.find(row, folder)) for number, row in rows]
    paths = tuple(path for _, _, path in found if path)
    strange = tuple((number, row) for number, row, path in found if not path)
    listed = bool(paths) or (bool(rows) and all(is_image(row) for _, row in rows))
    if not (listed if split else len(paths) > 1 and not strange):
        return None
    return ImageList(file, split, paths, strange)


def _split_of(file: str) -> str:
    """Return the split that a list's name says, also `train_list.txt` and `list-test.lst`; empty if it says none."""
    stem, ending = posixpath.splitext(posixpath.basename(file).lower())
    words = telling_words(WORD_ENDS.split(stem))
    return split_of_list(words[0] + ending) if len(words) == 1 else ""


class _ImageNames:
    """Images by their paths and those of the label files about one image, with and without extension."""

    def __init__(self, images: Iterable[UncheckedImage]) -> None:
        pairs = {(one.label_file, one.path) for one in images}
        users = Counter(label_file for label_file, _ in pairs)
        self._by_name: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for label_file, path in sorted(pairs):
            files = [path, label_file] if users[label_file] == 1 else [path]
            for key in {one for file in files for one in (file, posixpath.splitext(file)[0])}:
                self._by_name[posixpath.basename(key)].append((key, path))

    def find(self, line: str, folder: str) -> str:
        """Return the one image whose path ends like a line, nearest to a folder; empty if none or several do."""
        tail = without_parents(posixpath.normpath(line.replace("\\", "/"))).lstrip("/")
        named = self._by_name.get(posixpath.basename(tail), [])
        while named and tail:
            if fits := {path for key, path in named if key == tail or key.endswith(f"/{tail}")}:
                near = next(filter(None, ({path for path in fits if path.startswith(top)} for top in _tops(folder))))
                return near.pop() if len(near) == 1 else ""
            tail = tail.partition("/")[2]
        return ""

    def named(self, line: str, folder: str) -> str:
        """Return the image of a line that may have whole numbers, or the path of a label, behind the name."""
        if (found := self.find(line, folder)) or len(columns := line.split()) < 2:
            return found
        numbers = all(map(_WHOLE.fullmatch, columns[1:]))
        beside = len(columns) == 2 and is_label(columns[1])
        return self.find(columns[0], folder) if numbers or beside else ""


def _tops(folder: str) -> Iterator[str]:
    """Yield a folder and those around it, as beginnings of paths; the last is empty."""
    while folder:
        yield f"{folder}/"
        folder = posixpath.dirname(folder)
    yield ""
