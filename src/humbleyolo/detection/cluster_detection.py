"""A detector here or on the workers of a cluster: batches of images go there, results come back in order."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from humbleyolo.detection.backend import BATCH
from humbleyolo.detection.detector import Detector, PreparedImage
from humbleyolo.detection.image_input import decode_image, read_file
from humbleyolo.detection.image_paths import NamedImage
from humbleyolo.detection.line_files import Outcomes
from humbleyolo.detection.model_from_url import fetch_model, is_remote
from humbleyolo.detection.predict_images import detect_all
from humbleyolo.detection.result import Result
from humbleyolo.errors import UserError
from humbleyolo.inputs.folder import IMAGE_BYTES
from humbleyolo.models.selection import NAME as SELECTION
from humbleyolo.process.cluster import Cluster, find_cluster
from humbleyolo.process.terminal import tell

Outcome = Result | UserError
_SentImage = tuple[str, bytes | Path | UserError]  # shown name; a path where the worker sees the file


@dataclass(frozen=True)
class DetectorOptions:
    """Arguments of `Detector.load` besides the model."""

    threshold: float | None
    max_detections: int | None
    threads: int
    tile: int | None
    max_pixels: int

    def load(self, model: str) -> Detector:
        """Read a model."""
        return Detector.load(model, **asdict(self))


@dataclass(frozen=True)
class OpenDetector:
    """A detector, and where its model's files lie.

    Attributes:
        detector: The detector on this machine.
        model: The model's file or folder.
        options: The detector's options, for workers.
    """

    detector: Detector
    model: Path
    options: DetectorOptions

    def detect(self, items: Iterable[NamedImage]) -> Outcomes:
        """Yield each image with its result or its error, in order, computed on the cluster if there is one."""
        cluster = find_cluster()
        if cluster is None:
            return detect_all(self.detector, items, self.options.max_pixels)
        if cluster.unlike:
            text = f"note: {cluster.unlike} computes with other instructions; last digits may differ"
            tell(text, to=sys.stderr)
        return _detect_on(cluster, self.model, self.options, items)

    def model_hash(self) -> str:
        """Return the SHA-256 of the model's files and of its selection."""
        digest = hashlib.sha256()
        for name in _model_files(self.model):
            digest.update(f"{name}\0".encode() + (self.model.parent / name).read_bytes())
        return digest.hexdigest()


@contextmanager
def open_detector(model: str, revision: str | None, options: DetectorOptions) -> Iterator[OpenDetector]:
    """Open a model of any kind; one from a URL is fetched for as long as it is in use.

    Raises:
        UserError: As `Detector.load` does.
    """
    with tempfile.TemporaryDirectory(prefix="humbleyolo-") as folder:
        fetched = is_remote(model) or revision is not None
        path = fetch_model(model, revision, Path(folder)) if fetched else Path(model)
        yield OpenDetector(options.load(str(path)), Path.cwd() / path, options)


def _model_files(model: Path) -> list[str]:
    """Return the files of a model, relative to the folder above it."""
    above = model.parent
    files = [model] if model.is_file() else sorted(path for path in model.rglob("*") if path.is_file())
    if (model / "model.json").is_file():  # not the pictures and tables beside
        files = [path for name in ("model.json", "weights.npz", SELECTION) if (path := model / name).is_file()]
    return [path.relative_to(above).as_posix() for path in files]


def _detect_on(
    cluster: Cluster, model: Path, options: DetectorOptions, items: Iterable[NamedImage]
) -> Generator[tuple[NamedImage, Outcome]]:
    """Yield each image with its result or its error, in order: what `detect_all` yields, of the same batches."""
    waiting: list[list[NamedImage]] = []

    def batches() -> Iterator[tuple[str, DetectorOptions, list[_SentImage]]]:
        rest = iter(items)
        while batch := list(islice(rest, BATCH)):
            waiting.append(batch)
            yield model.name, options, [(item.shown, _to_send(item, cluster)) for item in batch]

    for outcomes in cluster.map_in_order(_detect_sent, batches(), model.parent, _model_files(model)):
        yield from zip(waiting.pop(0), outcomes, strict=True)


def _to_send(item: NamedImage, cluster: Cluster) -> bytes | Path | UserError:
    path = Path(item.shown)
    if cluster.shares(path) and os.access(path, os.R_OK) and path.is_file() and path.stat().st_size <= IMAGE_BYTES:
        return path.resolve()
    try:
        return item.read()
    except UserError as error:
        return error


def _detect_sent(folder: Path, sent: tuple[str, DetectorOptions, list[_SentImage]]) -> list[Outcome]:
    """Detect on a worker, in a batch of images."""
    name, options, images = sent
    detector = _detector(folder / name, options)

    def prepare(shown: str, file: bytes | Path | UserError) -> PreparedImage | UserError:
        try:
            if isinstance(file, UserError):
                raise file
            data = read_file(file) if isinstance(file, Path) else file
            return detector.prepare(decode_image(data, shown, options.max_pixels), shown)
        except UserError as error:
            return error

    return detector.detect_prepared([prepare(shown, file) for shown, file in images])


@lru_cache(2)
def _detector(model: Path, options: DetectorOptions) -> Detector:
    return options.load(str(model))
