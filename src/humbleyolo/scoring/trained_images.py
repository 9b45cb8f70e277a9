"""The images that a model was trained on, as far as the project that it lies in can tell."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.errors import UserError
from humbleyolo.experiments.dvc_lock import Stages, read_lock
from humbleyolo.pipeline.changed_dependencies import value_at
from humbleyolo.pipeline.project_folders import DATASET, GRID, MODEL
from humbleyolo.process.terminal import counted
from humbleyolo.storage.hashes import dvc_digest, sha256_of

_LOCK = "dvc.lock"


class TrainedImages(NamedTuple):
    """The images that a model was trained on.

    Attributes:
        dataset: The folder of the splits, as `generate` wrote it.
        split_of: Split of each image, by the SHA-256 of its bytes.
    """

    dataset: Path
    split_of: dict[str, str]

    def warn(self, model: str, scored: Iterable[str]) -> list[str]:
        """Return a warning if some of the scored images, given by their hashes, taught the model; else nothing."""
        splits = [self.split_of.get(digest) for digest in scored]
        seen = Counter(split for split in splits if split is not None)
        if not seen:
            return []
        parts = " and ".join(f"{count:,} of {split}" for split, count in seen.items())
        return [
            f"warning: {model} was trained on {seen.total():,} of these {counted(len(splits), 'image')} ({parts}), "
            f"so that the numbers are too good; it has not seen {self.dataset / 'test'}: score that"
        ]


def read_trained_images(model: Path, exported_from: str | None = None) -> TrainedImages | None:
    """Return the images that the model of a project was trained on; None if nothing here tells them.

    `dvc.lock` must have the model's weights, and its dataset must be the one at hand. Val counts if it was learned.

    Args:
        model: The folder that `train` wrote, or an export.
        exported_from: SHA-256 of the weights that an export was made from. They are looked for in the project around
            it, then in that of the working folder.
    """
    if exported_from is None:
        return next((_learned(root, model.resolve()) for root in _projects(model.resolve())), None)
    for root in (*_projects(model.resolve()), *_projects(Path.cwd() / _LOCK)):
        with suppress(OSError):
            if sha256_of(root / MODEL / "weights.npz") == exported_from:
                return _learned(root, root / MODEL)
    return None


def _projects(path: Path) -> Iterator[Path]:
    """Yield the folder of the project around a path, if there is one."""
    yield from [one for one in path.parents if (one / _LOCK).is_file()][:1]


def _learned(root: Path, folder: Path) -> TrainedImages | None:
    """Return the images that a model in a project was trained on; None if its lock does not tell."""
    if not (folder / "weights.npz").is_file():
        return None
    dataset = root / DATASET
    try:
        stages = read_lock((root / _LOCK).read_text(encoding="utf-8"), _LOCK)
        splits = _splits_learned(
            stages, folder.relative_to(root).as_posix(), dvc_digest(folder / "weights.npz", root)
        )
        same = [
            stages["encode"]["deps"].get(f"{DATASET}/{split}") == dvc_digest(dataset / split, root)
            for split in splits
        ]
        if not splits or not all(same):
            return None
        split_of: dict[str, str] = {}
        for split in splits:
            with ArchivedSplit(dataset / split) as images:
                split_of |= {hashlib.sha256(image.image_bytes).hexdigest(): split for image in images}
    except (UserError, OSError, ValueError):  # a lock of something else, or a dataset that is only half there
        return None
    here = Path.cwd()
    return TrainedImages(dataset.relative_to(here) if dataset.is_relative_to(here) else dataset, split_of)


def _splits_learned(stages: Stages, model: str, weights: str) -> list[str]:
    """Return the splits whose arrays, as they are now, taught the weights of this hash; none if others did."""
    train, encode = stages.get("train"), stages.get("encode")
    if train is None or encode is None or train["outs"].get(f"{model}/weights.npz") != weights:
        return []
    splits = ["train", "val"] if value_at(train["params"], "train.include_val") is True else ["train"]
    paths = [f"{GRID}/{split}" for split in splits]
    return splits if all(train["deps"].get(path) == encode["outs"].get(path) for path in paths) else []
