"""Labels that detections are scored against: anybody's, in any format that the library reads."""

import posixpath
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from humbleyolo.dataset.archive import ANNOTATIONS, SPLITS, ArchivedImage
from humbleyolo.dataset.coco_json import CocoWriter
from humbleyolo.errors import UserError
from humbleyolo.inputs.folder import IMAGE_BYTES, Source
from humbleyolo.inputs.ledger import BadInput, Ledger, grouped
from humbleyolo.labels.formats.coco import ImageId, flag_fields, read_ids
from humbleyolo.labels.formats.registry import collect
from humbleyolo.labels.labelled_image import LabelledImage, ReadOptions
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.metrics.tables import TruthTable
from humbleyolo.process.terminal import counted
from humbleyolo.scoring.labels_alone import LabelsAlone
from humbleyolo.splits.write_dataset import short_names
from humbleyolo.storage.atomic import atomic_write

_FLAGS = ("crowd", "difficult")  # that scores depend on
_DIGITS = 9  # of a pixel: left + width - left is width again, to the digits that labels have


@dataclass(frozen=True, eq=False)
class Ids:
    """Ids that the labels' own COCO files give.

    Attributes:
        files: Names of these files.
        images: Image index by id; empty if two files give one id to different images.
        categories: Class name by id, likewise.
        others: Ids of images that are not scored.
    """

    files: tuple[str, ...]
    images: dict[ImageId, int]
    categories: dict[int, str]
    others: frozenset[ImageId]


@dataclass(frozen=True, eq=False)
class ScoredLabels:
    """N labelled images of C classes.

    Attributes:
        source: The folder or archive, open; also the `path` of its images in messages.
        items: The images, by id if a COCO file gives each one, as pycocotools takes them; else by path.
        names: (N,) paths without the folders that all share.
        others: Paths of images in the source that are not scored.
        classes: C names.
        truths: Ground truth; `ids`: the labels' own numbers.
        told: Lines about what was read.
    """

    source: Source
    items: Sequence[LabelledImage]
    names: tuple[str, ...]
    others: frozenset[str]
    classes: tuple[str, ...]
    truths: TruthTable
    ids: Ids
    told: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Place of the images, for messages."""
        return Path(self.source.name)

    def only(self, classes: Sequence[str]) -> "ScoredLabels":
        """Return the same images with these of the classes alone, in the labels' order."""
        kept = tuple(name for name in self.classes if name in set(classes))
        label_of = np.array([kept.index(name) if name in kept else -1 for name in self.classes], np.int64)
        labels = label_of[self.truths.labels]
        truths = replace(self.truths, labels=labels).take(labels >= 0)
        return replace(self, classes=kept, truths=truths)

    def images(self, start: int, stop: int) -> Iterator[ArchivedImage]:
        """Yield images number `start` (from 0) to `stop`, as an archive does.

        Raises:
            UserError: If one cannot be read any more.
        """
        for number in range(start, stop):
            image = self.items[number]
            own = self._rows_of(number)
            yield ArchivedImage(
                number + 1, self.names[number], image.height, image.width,
                self.truths.boxes_ltwh[own], self.truths.labels[own], [], self.read(number),
            )  # fmt: skip

    def _rows_of(self, number: int) -> slice:
        """Return the rows of an image's ground truths, which lie together."""
        return slice(*np.searchsorted(self.truths.images, [number, number + 1]).tolist())

    def read(self, number: int) -> bytes:
        """Return the bytes of an image file.

        Raises:
            UserError: If it cannot be read any more.
        """
        name = self.items[number].path
        try:
            return self.source.read(name, IMAGE_BYTES)
        except BadInput as error:
            raise UserError(f"{self.source.name}/{name}: {error.what}: {error.why}") from None

    def write(self, path: Path) -> None:
        """Write the ground truth as a COCO dataset, without the image files; ids count from 1.

        Raises:
            UserError: If it cannot be written.
        """
        truths = self.truths
        with atomic_write(path) as file, tempfile.TemporaryFile() as annotations:
            coco = CocoWriter(self.classes, {"description": "humbleyolo score"}, file, annotations)
            for number, image in enumerate(self.items):
                own = self._rows_of(number)
                flags = zip(truths.crowd[own].tolist(), truths.difficult[own].tolist(), strict=True)
                fields = [
                    flag_fields(frozenset(name for name, on in zip(_FLAGS, some, strict=True) if on)) | {"area": area}
                    for some, area in zip(flags, truths.areas[own].tolist(), strict=True)
                ]
                boxes, labels = truths.boxes_ltwh[own].tolist(), truths.labels[own].tolist()
                coco.add(self.names[number], boxes, labels, fields, height=image.height, width=image.width)
            coco.end()
            annotations.seek(0)
            shutil.copyfileobj(annotations, file)


def read_labels(source: Source, options: ReadOptions, split: str | None) -> ScoredLabels:
    """Read the labels of an open folder or archive, or of one of its own splits.

    Raises:
        ProblemsError: For mistakes in the labels, with all of them, if `on_problem` is `error`.
        UserError: If there are no labels, or no such split.
    """
    ledger = Ledger(options.on_problem)
    alone = source if isinstance(source, LabelsAlone) else None
    labelled = alone.collect(options, ledger) if alone else collect(source, options, ledger)
    if options.on_problem == "error" and ledger.errors:
        ledger.stop_on_errors(f"{source.name}: leave out what is wrong with --on-problem skip, or mend it")
    images = [image for image in labelled.images if split is None or split in image.splits]
    counts = Counter(one for image in labelled.images for one in image.splits)
    lists = ", ".join(f"{one} {counts[one]}" for one in SPLITS if counts[one]) or "none"
    if not images:
        what = f"no image of the split {split}; its lists: {lists}" if split else "nothing left to score"
        if split and not counts:
            what += f"; if `dvc repro` divided it, score data/dataset/{split}"
        raise UserError(f"{source.name}: {what}")
    ids = _read_ids(source, options, images, {image.label_file for image in labelled.images})
    if len(ids.images) == len(images):
        numbers = sorted(key for key in ids.images if isinstance(key, int))
        order: list[ImageId] = [*numbers, *sorted(key for key in ids.images if isinstance(key, str))]
        images = [images[ids.images[key]] for key in order]
        ids = replace(ids, images={key: at for at, key in enumerate(order)})
    label_of = {name: label for label, name in enumerate(labelled.classes)}
    truths = TruthTable.gather(
        (
            np.round(image.boxes_ltwh, _DIGITS),
            [label_of[name] for name in image.labels],
            *([flag in flags for flags in image.flags] for flag in _FLAGS),
            image.areas or [np.nan] * len(image.labels),
        )
        for image in images
    )
    if not len(truths):
        none = f"{counted(len(images), 'image')} without an object"
        raise UserError(f"{source.name}: {none}, so that nothing can be found")
    names = short_names(images)
    part = f"split {split}" if split else "all splits" if counts else "no lists of splits"
    told = [
        f"{counted(len(images), 'image')}, {counted(int(np.count_nonzero(~truths.crowd)), 'object')}, "
        f"{counted(len(labelled.classes), 'class', 'classes')}; {labelled.format}; {part}"
    ]
    if alone:
        told.append("note: labels without images: sizes as they state; the report shows boxes on grey")
        others = grouped(row for row in ledger.rows if row.severity != "error")  # `check` cannot list them
        told += [f"{severity}: {first}" for (severity, _), [first, *_] in others.items()]
    gone = [splits for splits in labelled.left_out.values() if split is None or split in splits]
    if errors := len(ledger.errors):
        listed = "" if alone else "; `humbleyolo check` lists them"
        lost = f", and {len(gone):,} of {counted(len(images) + len(gone), 'image')}" if gone else ""
        told.append(f"note: {counted(errors, 'mistake')} in the labels left out{lost}{listed}")
    return ScoredLabels(
        source, images, tuple(names[image.path] for image in images),
        frozenset(source.images()) - {image.path for image in images},
        labelled.classes, truths, ids, tuple(told),
    )  # fmt: skip


def _read_ids(
    source: Source, options: ReadOptions, images: Sequence[LabelledImage], label_files: Iterable[str]
) -> Ids:
    """Read the ids in the COCO files among the images' label files, and in all others of the labels."""
    index_of = {image.path: number for number, image in enumerate(images)}
    ledger = Ledger("skip")
    reader = (source.reader if isinstance(source, LabelsAlone) else partial(SourceReader, source))(options, ledger)
    by_image: dict[ImageId, set[int]] = {}
    by_category: dict[int, set[str]] = {}
    others: set[ImageId] = set()
    before: Counter[str] = Counter()  # ids in the files that a file counts on from, by their folder
    files = []
    of_images = {image.label_file for image in images if image.label_file.endswith(".json")}
    of_others = {name for name in label_files if name.endswith(".json")} - of_images
    every = {name for name in source.names if posixpath.basename(name) == ANNOTATIONS and source.ids_continue}
    for name in sorted(of_images | every | of_others):  # an archive whose images are all left out counts, too
        with suppress(BadInput):  # LabelMe's JSON; COCO's was read without a mistake before
            paths, categories = read_ids(reader, name)
            if name not in of_images | every:
                others.update(paths)
                continue
            files.append(name)
            split = posixpath.dirname(posixpath.dirname(name))
            for key, path in paths.items():
                key = before[split] + key if isinstance(key, int) else key
                if path in index_of:
                    by_image.setdefault(key, set()).add(index_of[path])
                else:
                    others.add(key)
            if source.ids_continue:
                before[split] += max((key for key in paths if isinstance(key, int)), default=0)
            for key, category in categories.items():
                by_category.setdefault(key, set()).add(category)
    once = all(len(some) == 1 for some in by_image.values())
    alike = all(len(some) == 1 for some in by_category.values())
    return Ids(
        tuple(files),
        {key: some.pop() for key, some in by_image.items()} if once else {},
        {key: some.pop() for key, some in by_category.items()} if alike else {},
        frozenset(others),
    )
