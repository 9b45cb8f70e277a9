"""Networks that learned from a quarter, half and all of the images, for as many steps: a learning curve.

The smaller parts lie in the larger ones. An epoch of a part is as long as one of all images, since each of its images
comes several times, augmented anew. So steps, learning rates and batches are those of all images; the images differ.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.errors import UserError
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.process.terminal import counted
from humbleyolo.storage.array_types import Ints
from humbleyolo.training.planned_runs import Length, PlannedNetwork, RunSettings, plan_run

_PARTS = (4, 2, 1)  # of the images: a quarter, half, all
_USE = {"train": "learned", "val": "scored"}


class Learned(NamedTuple):
    """Networks by the images that they learned.

    Attributes:
        found: (images, detections on val) of each network, the fewest images first.
        epochs: Epochs of each network, counted in all images.
        steps: Steps of each network.
        why: Reason for that number, in words.
    """

    found: list[tuple[int, DetectionTable]]
    epochs: int
    steps: int
    why: str


def nested_parts(images: int, seed: int) -> list[Ints]:
    """Return a quarter, half and all of the images by chance, as indices; each part lies in the next."""
    order = np.random.Generator(np.random.Philox(key=[seed, images])).permutation(images)
    return [order[: images // part] for part in _PARTS]


def learn_parts(
    settings: RunSettings,
    train: EncodedSplit,
    val: EncodedSplit,
    length: Length,
    folder: Path,
    earlier: Sequence[str] = (),
) -> Learned:
    """Train a network on each part of `train`, and detect on `val`.

    Results of an `earlier` run, by their names in the folder, are removed once nothing refuses this one.

    Raises:
        UserError: If there are too few images, or no boxes; and as for training.
        KeyboardInterrupt: If it was asked to stop; it resumes the next time.
    """
    settings = settings.begin_unseeing("curve")
    batch, parts = settings.train.batch, nested_parts(len(train), settings.seed)
    for name, split in (("train", train), ("val", val)):
        if not len(split.labels):
            raise UserError(f"{name} holds no boxes, so that nothing can be {_USE[name]}; label some of its images")
    if len(parts[0]) < batch:
        fewest = len(parts[0])
        lower = f"lower train.batch to {fewest} or less, or " if fewest else ""
        raise UserError(
            f"a quarter of the {counted(len(train), 'image')} of train is {fewest}, fewer than train.batch {batch}; "
            f"{lower}label more images"
        )
    shown = len(train) + np.arange(len(val))
    networks = [
        PlannedNetwork(f"part-{number}", np.resize(part, len(train)), shown) for number, part in enumerate(parts, 1)
    ]
    run = plan_run(settings, [train, val], networks, length, folder, "curve")
    run.remove(earlier)
    found = [one.of_images(len(train), len(train) + len(val)) for one in run.detect()]
    steps = run.epochs * (len(train) // batch)
    return Learned(list(zip(map(len, parts), found, strict=True)), run.epochs, steps, run.why)
