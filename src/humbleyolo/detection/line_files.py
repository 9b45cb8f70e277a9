"""Results of very many images as files of JSON lines, which a second run goes on with.

    run.json               the model, the options and the images of the run
    part-000000.jsonl      results of the first 10,240 images, a line each; whole, or not there

A line is as `jsonl` of `predict` has it, or `{"file", "error"}`. The next run makes parts with such errors anew: a
disk may be back, or a picture mended.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from humbleyolo.dataset.coco_json import to_json
from humbleyolo.detection.backend import BATCH
from humbleyolo.detection.image_paths import NamedImage
from humbleyolo.detection.result import Result
from humbleyolo.detection.writers import line_of
from humbleyolo.errors import UserError
from humbleyolo.storage.atomic import atomic_write, make_folder
from humbleyolo.storage.json import read_json, write_json
from humbleyolo.storage.partial_files import finished_path, remove_former

PART_IMAGES = 320 * BATCH
"""Images of a file: whole batches, so that the bytes do not depend on where a run was stopped."""

Outcomes = Iterator[tuple[NamedImage, Result | UserError]]
Detect = Callable[[Iterable[NamedImage]], Outcomes]


class LineFiles:
    """The files of a run in a folder, which is made; those that are there without an error count as done.

    Args:
        folder: The folder.
        items: The images.
        head: Facts on which the results depend, for `run.json`.

    Attributes:
        total: Number of images.
        done: Number of images whose results were there.

    Raises:
        UserError: If the folder holds another run, or something else, or cannot be written.
    """

    def __init__(self, folder: Path, items: Sequence[NamedImage], head: dict[str, Any]) -> None:
        self._folder, self._items = folder, items
        run = {**head, "images": len(items), "names_sha256": _hash_names(items), "images_per_file": PART_IMAGES}
        make_folder(folder)
        facts = folder / "run.json"
        if facts.exists():
            _refuse_other_run(folder, run)
        elif any(finished_path(path) != facts for path in folder.iterdir()):  # unfinished: of a run that was killed
            raise UserError(f"{folder}: holds other files; give a new folder, or that of a run to go on with")
        else:
            write_json(facts, run)
        starts = range(0, len(items), PART_IMAGES)
        remove_former(folder, {facts.name, *(self._path(start).name for start in starts)})
        self._missing = [start for start in starts if not _is_done(self._path(start))]
        self.total = len(items)
        self.done = len(items) - sum(len(self._range(start)) for start in self._missing)

    def write(self, detect: Detect) -> Outcomes:
        """Write what is missing, and yield each outcome once it is in its file's line.

        Raises:
            UserError: If a file cannot be written.
        """
        wanted = chain.from_iterable(map(self._range, self._missing))
        outcomes = detect(self._items[index] for index in wanted)
        for start in self._missing:
            with atomic_write(self._path(start)) as file:
                for item, outcome in islice(outcomes, len(self._range(start))):
                    failed = {"file": item.shown, "error": str(outcome)}
                    line = failed if isinstance(outcome, UserError) else line_of(item, outcome)
                    file.write(to_json(line) + b"\n")
                    yield item, outcome

    def _path(self, start: int) -> Path:
        return self._folder / f"part-{start // PART_IMAGES:06}.jsonl"

    def _range(self, start: int) -> range:
        return range(start, min(start + PART_IMAGES, len(self._items)))


def _is_done(path: Path) -> bool:
    """Tell if a part is there, and each of its images has a result."""
    try:
        with path.open("rb") as file:
            return not any("error" in json.loads(line) for line in file if b'"error"' in line)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); remove it, and it is made anew") from None


def _refuse_other_run(folder: Path, run: dict[str, Any]) -> None:
    try:
        there = read_json(folder / "run.json")
        differing = [name for name, value in run.items() if there.get(name) != value]
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{folder / 'run.json'}: cannot be read ({error}); give a new folder") from None
    if differing:
        told = ", ".join(f"{name} was {there.get(name)!r} and is {run[name]!r}" for name in differing)
        raise UserError(
            f"{folder}: holds results of another run: {told}; go on with what it was, or give a new folder"
        )


def _hash_names(items: Sequence[NamedImage]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.shown.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()
