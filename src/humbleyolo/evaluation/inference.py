"""Inference: a network run over splits, its detections beside their ground truths."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from humbleyolo.dataset.archive import Archive
from humbleyolo.dataset.encoded_split import EncodedSplit, open_encoded
from humbleyolo.errors import ProblemsError
from humbleyolo.geometry.grid import split_parts
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.models.selection import Selection
from humbleyolo.models.trained_network import Network, select_detections
from humbleyolo.storage.array_types import Floats32, Ints32

_BATCH = 128  # images that the network sees at a time, and all that is held of them


class DetectedBatch(NamedTuple):
    """Output of a network on a batch of n images."""

    detections: DetectionTable  # in pixels of the images as they were before the letterbox
    confidence: Floats32  # (n, R, S, B) the network's, in every box of the grid


def check_match(network: Network, split: EncodedSplit, archive: Archive) -> None:
    """Make sure that a network, an encoded split and an archive are of one dataset.

    Raises:
        ProblemsError: If they are not; it names each difference, and what to run.
    """
    info = network.info
    problems = []
    if info.categories != split.categories:
        problems.append(
            f"the model knows {_listed(info.categories)}, the encoded split has {_listed(split.categories)}; "
            "run `dvc repro train`"
        )
    if info.grid != split.grid:
        problems.append(f"the model's grid is {info.grid}, the split's {split.grid}; run `dvc repro train`")
    if split.categories != archive.categories:
        problems.append(
            f"the encoded split has {_listed(split.categories)}, the archive {_listed(archive.categories)}; "
            "run `dvc repro encode`"
        )
    if len(split) != len(archive):
        problems.append(
            f"the encoded split has {len(split)} images, the archive {len(archive)}; run `dvc repro encode`"
        )
    if problems:
        raise ProblemsError(f"{archive.path}: the model and the data do not belong together", problems)


def detect(network: Network, split: EncodedSplit, selection: Selection) -> Iterator[DetectedBatch]:
    """Yield a network's detections on a split, batch by batch, in pixels of the images before the letterbox.

    Boxes are clipped to the image; one that lies in the letterbox padding alone is dropped.
    """
    for start in range(0, len(split), _BATCH):
        predictions = network.predict(np.asarray(split.images[start : start + _BATCH]))
        selected = enumerate(select_detections(predictions, split.grid, selection), start)
        original = (split.letterbox(image).undo(one, selection.whole_pixels) for image, one in selected)
        confidence = split_parts(predictions, split.grid.classes).confidence.copy()  # not a view that holds the rest
        yield DetectedBatch(DetectionTable.from_detections(original), confidence)


@dataclass(frozen=True, eq=False)
class EvaluatedSplit:
    """Ground truths of a split, and a network's output on it.

    Attributes:
        truths: M rows.
        detections: D rows.
        confidence: (N, R, S, B) float32, the network's in each box of each cell.
        sizes: (N, 2) int32 height and width of each image, pixels.
    """

    truths: TruthTable
    detections: DetectionTable
    confidence: Floats32
    sizes: Ints32


def run_network(
    network: Network, selection: Selection, grid: Path, dataset: Path, splits: Sequence[str]
) -> list[EvaluatedSplit]:
    """Check all splits by name, then run a network over each with a progress bar.

    `grid` is the folder of the encoded splits, `dataset` that of their archives.

    Raises:
        UserError: If a split is missing or damaged.
        ProblemsError: If one does not belong to the model.
    """
    opened = [open_encoded(grid / name) for name in splits]
    truths = []
    for name, split in zip(splits, opened, strict=True):
        with Archive(dataset / f"{name}.zip") as archive:
            check_match(network, split, archive)
            truths.append(TruthTable.from_archive(archive))
    results = []
    for name, split, known in zip(splits, opened, truths, strict=True):
        batches = []
        with tqdm(desc=name, total=len(split), unit=" images", disable=None, leave=False) as bar:
            for batch in detect(network, split, selection):
                batches.append(batch)
                bar.update(len(batch.confidence))
        detections, confidence = zip(*batches, strict=True)
        found = DetectionTable.join(detections)
        results.append(EvaluatedSplit(known, found, np.concatenate(confidence), split.sizes))
    return results


def _listed(categories: tuple[str, ...]) -> str:
    few = ", ".join(repr(name) for name in categories[:10])
    return few if len(categories) <= 10 else f"{few} ... ({len(categories)} classes)"
