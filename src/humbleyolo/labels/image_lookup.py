"""Resolve the image names in label files."""

import difflib
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from humbleyolo.inputs.file_names import IMAGE_FORMATS, stem_of, suffix
from humbleyolo.inputs.ledger import BadInput, NoImage, shorten
from humbleyolo.labels.image_names import (
    cut_folder,
    ends_in,
    fold_name,
    fold_stem,
    in_other_split,
    is_absolute,
    path_in,
    without_parents,
)
from humbleyolo.process.terminal import first_few

_MOST_COMPARED = 3000  # names that a suggestion is picked from
_LIKE = 0.8  # ratio of difflib
_MOST_GUESSES = 200  # suggestions of similar names; each takes milliseconds


class Misnamed(NamedTuple):
    """A label file's image by its own name, and the one that it names inside: `wanted`, at the path `named`."""

    wanted: str
    own: str
    named: str = ""

    def mistake(self) -> BadInput:
        """Return the mistake that nothing tells which of the two images is meant."""
        why = f"the file is named after {self.own}, which is there too; if it is about that, write"
        why += f" {shorten(PurePosixPath(self.own).name)} here; if not, rename the file"
        return BadInput("image-differs", f"names {self.named}", why)


class ImageLookup:
    """Images by path, by name and by name without extension.

    Args:
        paths: Paths of images.
        others: Paths of files that are neither images nor labels, for hints.
        labels: Paths of label files. A hint names no image that one is named after.

    Attributes:
        doubted: Images that two different names claim.
        renamed: Names that differ from that of the image found by extension or case alone, with its path.
        misnamed: Label files about one image that name another than their own name does; see `find_own`.
        moved: Names that share with the path of the image found its end alone, with that path.
    """

    def __init__(self, paths: list[str], others: Iterable[str] = (), labels: Iterable[str] = ()) -> None:
        self.paths = paths
        self._others = {stem_of(path): path for path in others}
        self._labelled = {stem_of(path) for path in labels}
        self._refused: dict[str, str] = {}  # names of `moved`, with the image that another name is the path of
        self._forget()
        self._known = set(self.paths)
        self._guesses = 0
        self._composed = _unique_composed(self.paths)
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._by_folded: dict[str, list[str]] = defaultdict(list)
        self._by_folded_stem: dict[str, list[str]] = defaultdict(list)
        for path in self.paths:
            name = PurePosixPath(path).name
            self._by_name[name].append(path)
            self._by_stem[PurePosixPath(path).stem].append(path)
            self._by_folded[fold_name(name)].append(path)
            self._by_folded_stem[fold_name(stem_of(name))].append(path)

    def _forget(self) -> None:
        """Forget all names that were looked for, but those that are refused."""
        self.doubted: set[str] = set()
        self.renamed: dict[str, str] = {}
        self.moved: dict[str, str] = {}
        self.misnamed: dict[str, Misnamed] = {}
        self._exact: dict[str, str] = {}  # an image's longest name that is its path, or the path's end
        self._other_name: dict[str, str] = {}  # of an image, in `renamed`
        self._claims: dict[str, str] = {}  # the longest name of an image, in `moved`
        self._late: dict[str, str] = {}
        self._moved_to: dict[str, list[str]] = defaultdict(list)  # by image: its relative names in `moved`

    def settle(self) -> bool:
        """Refuse names found by the end of a path, if the image turned out to have one that fits better.

        Returns:
            True if there are such: then all names must be looked for again.
        """
        late = bool(self._late)
        self._refused |= self._late
        if late:
            self._forget()
        return late

    def find(self, wanted: str, *folders: str, anywhere: bool = False) -> str:
        """Return the path of the image that a label file names.

        Args:
            wanted: The name, path or address written there; a backslash is read as `/`.
            folders: Folders where it may lie, best first; `""` is the top.
            anywhere: The folders in a relative name may be others here, whatever they are called.

        Raises:
            BadInput: If no image or more than one fits, or one fits two paths of other machines or folders.
                Names that Unicode holds to be the same text fit. So does one that shares the end of its path with
                one image alone, if its other folders say nothing, as `images` does; see `moved`. So does one that
                differs by case or by the extension alone, if it is the only name of one image; see `renamed`.
        """
        if other := self._refused.get(wanted):
            raise NoImage("image-missing", wanted, f"{other} is an image of its own here; add this one too")
        texts = dict.fromkeys([wanted.replace("\\", "/"), path_in(wanted)])
        for last, path in zip(range(len(texts) - 1, -1, -1), texts, strict=True):
            try:
                served = path != wanted.replace("\\", "/")
                found = self._find(wanted, path, folders, anywhere=anywhere or served)
                break
            except BadInput as error:
                if not last or error.kind not in ("image-missing", "unsafe-path"):
                    raise
        if wanted in self.renamed:
            return found
        name = without_parents(posixpath.normpath(unicodedata.normalize("NFC", path)))
        if self.moved.get(wanted) == found:
            self._claim(found, wanted, name)
            return found
        self._exact[found] = max(name, self._exact.get(found, ""), key=len)
        if other := self._other_name.get(found):
            self.doubted.add(found)
            raise NoImage("image-ambiguous", wanted, f"{shorten(other)} is {found} already; correct one name")
        if (far := self._claims.get(found)) and not ends_in(far, name):
            self._late |= dict.fromkeys(self._moved_to.pop(found, []), found)
        return found

    def _claim(self, found: str, wanted: str, name: str) -> None:
        """Note that labels name an image by another path. An image of two different ones is `doubted`.

        Raises:
            NoImage: If neither path is the other, or its end. A path of another machine says nothing of one here.
        """
        here = not is_absolute(name)
        if here and (own := self._exact.get(found)) and not ends_in(name, own):
            raise NoImage("image-missing", wanted, f"{found} is an image of its own here; add this one too")
        short, long = sorted((name, self._claims.get(found, name)), key=len)
        if short != long and (is_absolute(short) or not ends_in(long, short)):
            self.doubted.add(found)
            why = f"{self._claims[found]} is {found} already; write paths inside the folder"
            raise NoImage("image-ambiguous", wanted, why)
        self._claims[found] = long
        if here:
            self._moved_to[found].append(wanted)

    def _find(self, wanted: str, path: str, folders: tuple[str, ...], *, anywhere: bool) -> str:
        if not path:
            raise BadInput("unsafe-path", shorten(wanted), "must be a name or a path inside the folder")
        if absolute := is_absolute(path):
            path = path.removeprefix(path[:2] if path[1:2] == ":" else "").lstrip("/")
        inside = [posixpath.normpath(posixpath.join(folder, path)) for folder in folders]
        for one in inside:
            found = one if one in self._known else self._composed.get(unicodedata.normalize("NFC", one))
            if found:
                self.moved |= {wanted: found} if absolute else {}
                return found
        leaves = not absolute and any(one == ".." or one.startswith("../") for one in inside)
        try:
            return self._find_end(wanted, path, far=absolute, anywhere=absolute or leaves or anywhere)
        except NoImage as error:
            if leaves and error.kind == "image-missing":
                raise BadInput(
                    "unsafe-path", shorten(wanted), "leaves the folder; must be a path inside it"
                ) from None
            raise

    def _find_end(self, wanted: str, path: str, *, far: bool, anywhere: bool) -> str:
        """Return the one image whose path ends like `path`, or like the rest after some folders.

        A name that is not `far`, of another machine, may not say another split than the image's folders do:
        `train/1.jpg` is none of `val/1.jpg`. The folders that are cut off must say nothing, unless it is `anywhere`.
        """
        whole = tail = without_parents(path)
        named = self._by_name.get(PurePosixPath(tail).name, [])
        named = named if far else [one for one in named if not in_other_split(one, whole)]
        while tail:
            fits = [one for one in named if ends_in(one, tail)]
            if len(fits) == 1:
                self.moved |= {wanted: fits[0]} if far or tail != whole else {}
                return fits[0]
            if fits:
                why = f"may be {first_few(fits, 3)}; write the path, not the name"
                raise NoImage("image-ambiguous", wanted, why)
            tail = cut_folder(tail, anywhere=anywhere)
        if found := self._find_renamed(whole, far=far, anywhere=anywhere):
            if (known := self._other_name.setdefault(found, wanted)) != wanted:
                self.doubted.add(found)
                raise NoImage("image-ambiguous", wanted, f"{shorten(known)} is {found} already; correct one name")
            self.renamed[wanted] = found
            return found
        raise self._missing(wanted, PurePosixPath(path).name)

    def _find_renamed(self, path: str, *, far: bool, anywhere: bool) -> str:
        """Return the one image that differs from a path by case, or by the extension, and has no other name."""
        named = [(fold_name, self._by_folded)]
        named += [(fold_stem, self._by_folded_stem)] if suffix(path) in IMAGE_FORMATS else []
        for fold, by_fold in named:
            whole = tail = fold(path)
            near = by_fold.get(posixpath.basename(tail), [])
            near = near if far else [one for one in near if not in_other_split(fold(one), whole)]
            while near and tail:
                fits = [one for one in near if ends_in(fold(one), tail)]
                if fits:
                    return "" if len(fits) > 1 or fits[0] in self._exact else fits[0]
                tail = cut_folder(tail, anywhere=anywhere)
        return ""

    def stem(self, stem: str, *folders: str) -> str:
        """Return the image of that name without extension: in the first folder that has it, else anywhere.

        Raises:
            BadInput: If none or several fit.
        """
        found = self._by_stem.get(stem, [])
        for folder in folders:
            here = [path for path in found if posixpath.dirname(path) == folder.strip("/")]
            if here:
                found = here
                break
        if len(found) > 1:
            raise NoImage("image-ambiguous", stem, f"may be {first_few(found, 3)}; one must go")
        if not found:
            raise self._missing(stem, stem)
        return found[0]

    def find_named(self, wanted: str, *folders: str) -> str:
        """Return the image of a name with or without its extension; see `find` and `stem`."""
        whole = "/" in wanted or "\\" in wanted or suffix(wanted) in IMAGE_FORMATS or not wanted
        return self.find(wanted, *folders) if whole else self.stem(wanted, *folders)

    def find_own(self, wanted: str, label_file: str, *folders: str) -> str:
        """Return the image that a label file about one image has the name of, or else the one that it names.

        If the two differ, `misnamed` has the file; see `misnamed_files`.

        Raises:
            BadInput: As `find_named`, if no image or several have the file's name.
        """
        stem = PurePosixPath(label_file).stem
        same = self._by_stem.get(stem, [])
        try:
            found = self.find_named(wanted, *folders)
        except BadInput as error:
            own = [path for path in same if posixpath.dirname(path) in folders]
            if error.kind not in ("image-missing", "unsafe-path") or len(own) != 1:
                raise
            self.misnamed[label_file] = Misnamed(wanted, own[0])
            return own[0]
        near = {*folders, posixpath.dirname(found)}
        own = [path for path in same if posixpath.dirname(path) in near]
        if not own or fold_name(PurePosixPath(found).stem) == fold_name(stem):
            return found
        self.moved.pop(wanted, None)
        if self.renamed.pop(wanted, None):
            self._other_name.pop(found)
        misnamed = Misnamed(wanted, own[0], found)
        if len(own) > 1:
            raise misnamed.mistake()
        self.misnamed[label_file] = misnamed
        return own[0]

    def has_stem(self, stem: str) -> bool:
        """Tell if an image has this name without extension."""
        return stem in self._by_stem

    def unread(self, stem: str) -> str:
        """Return a sentence about a file of that name that is no image here, such as `a.cr2`; empty without one."""
        other = self._others.get(stem)
        return f"{other} is there, but files that end so are not read as images; save it as PNG or JPEG" * bool(other)

    def _missing(self, wanted: str, name: str) -> NoImage:
        folded = self._by_folded.get(fold_name(name), [])
        stem = self._by_stem.get(stem_of(name), [])
        if not folded and not stem and (unread := self.unread(stem_of(name))):
            return NoImage("image-format", wanted, unread)
        if folded:
            hint = f"{folded[0]} differs by case or folder alone"
        elif stem:
            hint = f"did you mean {stem[0]}?"
        else:
            self._guesses += 1
            near = []
            if self._guesses <= _MOST_GUESSES:
                free = [
                    other
                    for other, paths in self._by_name.items()
                    if stem_of(other) not in self._labelled and not self._exact.keys() >= {*paths}
                ]
                near = difflib.get_close_matches(name[:200], free[:_MOST_COMPARED], n=1, cutoff=_LIKE)
            hint = f"did you mean {near[0]}?" if near else "no image has that name"
        return NoImage("image-missing", wanted, f"{hint}; add the image or correct the name")


def _unique_composed(paths: list[str]) -> dict[str, str]:
    """Return paths by composed form (NFC), if unique: archives made on a Mac hold decomposed names."""
    result: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        result[unicodedata.normalize("NFC", path)].append(path)
    return {composed: some[0] for composed, some in result.items() if len(some) == 1}
