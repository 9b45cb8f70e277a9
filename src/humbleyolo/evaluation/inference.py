"""Inference: a network run over splits, its detections beside their ground truths."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from humbleyolo.models.tensorflow_setup import RuntimeInForce, adopt_runtime, runtime_in_force  # before TensorFlow

# isort: split
from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import (
    EncodedSplit,
    JoinedRows,
    check_split_fits_archive,
    list_classes,
    open_encoded,
)
from humbleyolo.dataset.jpeg_images import Images, JpegImages
from humbleyolo.errors import ProblemsError
from humbleyolo.geometry.grid import split_parts
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.models.selection import Selection
from humbleyolo.models.trained_network import Network, images_at_a_time, select_detections
from humbleyolo.params.value_types import Mirrored
from humbleyolo.process.cluster import Cluster, find_cluster
from humbleyolo.storage.array_types import Floats32, Ints32, Uint8s
from humbleyolo.storage.npy import open_array

_Sent = Images | tuple[Path, int, int]  # pixels or JPEGs, or rows of an array's file


@dataclass(frozen=True)
class _Batch:
    """A batch of n images for a worker of a cluster.

    Attributes:
        images: (n, H, W, 3) images in one part per archive; an array's file and rows where the worker sees it.
        sizes: (n, 2) height and width of each image before the letterbox.
    """

    images: list[_Sent]
    sizes: Ints32
    selection: Selection
    mirrored: Mirrored
    runtime: RuntimeInForce


class DetectedBatch(NamedTuple):
    """Output of a network on a batch of n images."""

    detections: DetectionTable  # in pixels of the images as they were before the letterbox
    confidence: Floats32  # (n, R, S, B) the network's, in every box of the grid


def check_match(network: Network, split: EncodedSplit, archive: ArchivedSplit) -> None:
    """Make sure that a network, an encoded split and its archives are of one dataset.

    Raises:
        ProblemsError: If they are not; it names each difference, and what to run.
    """
    check_split_fits_archive(split, archive)
    info = network.info
    problems = []
    if info.categories != split.categories:
        problems.append(
            f"the model knows {list_classes(info.categories)}, the encoded split has {list_classes(split.categories)}"
        )
    if info.grid != split.grid:
        problems.append(f"the model's grid is {info.grid}, the split's {split.grid}")
    if problems:
        head = f"{archive.path}: the model and the data do not belong together"
        raise ProblemsError(head, problems, fix="run `dvc repro train`")


def detect(network: Network, split: EncodedSplit, selection: Selection) -> Iterator[DetectedBatch]:
    """Yield a network's detections on a split, batch by batch, in pixels of the images before the letterbox."""
    most = images_at_a_time(split.grid)
    for start in range(0, len(split), most):
        rows = slice(start, start + most)
        yield _detect_batch(network, np.asarray(split.images[rows]), split.sizes[rows], selection)


def _detect_batch(network: Network, images: Uint8s, sizes: Ints32, selection: Selection) -> DetectedBatch:
    grid, predictions = network.info.grid, network.predict(images)
    selected = select_detections(predictions, grid, selection)
    found = DetectionTable.before_letterbox(selected, sizes, grid, whole_pixels=selection.whole_pixels)
    confidence = split_parts(predictions, grid.classes).confidence.copy()  # not a view that holds the rest
    return DetectedBatch(found, confidence)


def _detect_elsewhere(
    cluster: Cluster, model: Path, network: Network, selection: Selection, split: EncodedSplit
) -> Iterator[DetectedBatch]:
    """Yield what `detect` does, computed on a cluster whose workers get the model's files once."""

    def batches() -> Iterable[_Batch]:
        kept, runtime = JoinedRows([split.images]), runtime_in_force()
        most = images_at_a_time(split.grid)
        for start in range(0, len(split), most):
            stop = min(start + most, len(split))
            images = [_sent(cluster, *span) for span in kept.spans(start, stop)]
            yield _Batch(images, np.asarray(split.sizes[start:stop]), selection, network.mirrored, runtime)

    return cluster.map_in_order(_detect_sent, batches(), model, ("weights.npz", "model.json"))


def _sent(cluster: Cluster, images: Images, start: int, stop: int) -> _Sent:
    """Return some images of an archive's array as a worker gets them."""
    if isinstance(images, JpegImages):
        return images.part(start, stop)
    if isinstance(images, np.memmap) and images.filename and cluster.shares(file := Path(images.filename).resolve()):
        return file, start, stop
    return np.asarray(images[start:stop])


def _detect_sent(model: Path, batch: _Batch) -> DetectedBatch:
    """Detect on a worker, in images that came along or that it reads itself."""
    adopt_runtime(batch.runtime)
    images = np.concatenate([_read(part) for part in batch.images])
    return _detect_batch(_network(model, batch.mirrored), images, batch.sizes, batch.selection)


def _read(sent: _Sent) -> Uint8s:
    if isinstance(sent, tuple):
        path, start, stop = sent
        return np.asarray(open_array(path)[start:stop])
    return np.asarray(sent[:])


@lru_cache(2)
def _network(model: Path, mirrored: Mirrored) -> Network:
    return Network.load(model, mirrored)


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
    network: Network,
    selection: Selection,
    grid: Path,
    dataset: Path,
    splits: Sequence[str],
    model: Path | None = None,
) -> list[EvaluatedSplit]:
    """Check all splits by name, then run a network over each with a progress bar.

    `grid` is the folder of the encoded splits, `dataset` that of their archives; `model` is the network's own, for a
    cluster, if there is one.

    Raises:
        UserError: If a split is missing or damaged.
        ProblemsError: If one does not belong to the model.
    """
    opened = [open_encoded(grid / name) for name in splits]
    truths = []
    for name, split in zip(splits, opened, strict=True):
        with ArchivedSplit(dataset / name) as archive:
            check_match(network, split, archive)
            truths.append(TruthTable.from_archive(archive))
    results, cluster = [], find_cluster() if model else None
    for name, split, known in zip(splits, opened, truths, strict=True):
        batches = []
        if cluster and model:
            found_batches = _detect_elsewhere(cluster, model, network, selection, split)
        else:
            found_batches = detect(network, split, selection)
        with tqdm(desc=name, total=len(split), unit=" images", disable=None, leave=False) as bar:
            for batch in found_batches:
                batches.append(batch)
                bar.update(len(batch.confidence))
        detections, confidence = zip(*batches, strict=True)
        found = DetectionTable.join(detections)
        results.append(EvaluatedSplit(known, found, np.concatenate(confidence), split.sizes))
    return results
