"""An export from beginning to end: written, run in its own runtime, compared, and only then put in place."""

import importlib.util
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import get_args

from humbleyolo.models.tensorflow_setup import set_threads  # before all else that imports TensorFlow

# isort: split

from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.dataset.encoded_split import open_encoded
from humbleyolo.detection.backends.metadata import Metadata, runtime_missing
from humbleyolo.detection.backends.open_model import open_exported
from humbleyolo.detection.backends.trained_model import facts_of
from humbleyolo.detection.graph import detection_model
from humbleyolo.errors import UserError
from humbleyolo.export.card import model_card
from humbleyolo.export.export_formats import SUFFIX, Precision
from humbleyolo.export.parity import Parity, compare
from humbleyolo.export.targets import WRITE, silence
from humbleyolo.models.selection import selection_of
from humbleyolo.models.trained_network import Network
from humbleyolo.storage.atomic import make_folder, partial_folder, require_output, write_output
from humbleyolo.storage.hashes import sha256_of

# Packages of a target, as they are imported and as they are installed; the extra has the target's name.
_NEEDS = {
    "litert": (("ai_edge_litert", "ai-edge-litert"),),
    "onnx": (("tf2onnx", "tf2onnx"), ("onnxruntime", "onnxruntime")),
}
_NEEDS["html"] = _NEEDS["onnx"]


@dataclass(frozen=True)
class Settings:
    """Choices of the user.

    Attributes:
        to: Target, one of `SUFFIX`.
        precision: Precision of the weights; float16 and int8 are LiteRT's alone.
        threshold: Threshold in the metadata; None: the best on val if the evaluation says so, else 0.5.
        nms_iou: Highest overlap of two detections of one class, built in; None: as evaluated, else 0.5.
        threads: Threads that compute; None: the runtimes' choice.
        max_detections: Largest number of detections on an image, built in; None: as evaluated, else 100.
    """

    to: str
    precision: Precision
    threshold: float | None
    nms_iou: float | None
    threads: int | None
    max_detections: int | None = None


def export(model: Path, output: Path, data: Path, settings: Settings) -> Parity:
    """Write a model in another format. Beside it lie `<output>.md`, `<output>.json` and `<output>.labels.txt`.

    They are its card, its metadata and its class names, a line each, for runtimes that cannot read metadata.

    Args:
        model: The folder that `train` wrote.
        output: A file, replaced if it is there; for SavedModel a folder that is not there yet.
        data: The folder with `grid/test`, `grid/val` (int8) and `dataset/test`.
        settings: Choices of the user.

    Returns:
        The difference between export and model.

    Raises:
        UserError: If something is missing or out of range, or the export does not answer as the model does.
            Nothing is written then.
    """
    _check(output, settings)
    given = {name: getattr(settings, name) for name in ("threshold", "nms_iou", "max_detections")}
    selection = selection_of(model).override(**given)
    if settings.threshold is not None:
        selection = replace(selection, threshold_from="as told when it was exported")
    if settings.threads is not None:
        set_threads(settings.threads)
    network = Network.load(model, selection.mirrored)
    info = network.info
    calibration = open_encoded(data / "grid" / "val").images if settings.precision == "int8" else None
    split = open_encoded(data / "grid" / "test")
    facts = Metadata.of(
        facts_of(info, selection),
        version=metadata.version("humbleyolo"),
        precision=settings.precision,
        weights_sha256=sha256_of(model / "weights.npz"),
    )
    with ArchivedSplit(data / "dataset" / "test") as archive, partial_folder(output) as folder:
        written = folder / output.name
        with silence():
            WRITE[settings.to](detection_model(network.model, info.grid, selection), facts, written, calibration)
        parity = compare(network, open_exported(written, settings.threads), split, archive)
        if parity.problem:
            raise UserError(
                f"{output}: not written: {parity.problem}. {parity}; try another precision or format, or a model "
                "trained longer"
            )
        card = model_card(info, model, written, output.name, facts, parity)
        texts = card, f"{facts.model_dump_json(indent=2)}\n", "".join(f"{name}\n" for name in facts.names)
        with ExitStack() as beside:  # all are whole before the first takes its name; the model is the last
            for path, text in zip(_beside(output), texts, strict=True):
                file = beside.enter_context(write_output(path))
                file.write(text.encode())
                file.flush()
        written.replace(output)
    return parity


def _beside(output: Path) -> list[Path]:
    """Return the places of the card, the metadata and the class names."""
    return [output.with_name(f"{output.name}.{ending}") for ending in ("md", "json", "labels.txt")]


def _check(output: Path, settings: Settings) -> None:
    suffix = SUFFIX[settings.to]
    if suffix and output.suffix != suffix:
        raise UserError(f"{output}: the name of a file for {settings.to} must end in {suffix}")
    if not suffix and output.exists():
        raise UserError(f"{output}: is there already; give a folder that does not exist, or remove it")
    if output.is_dir():
        raise UserError(f"{output}: a folder stands where the file is needed")
    if output.exists() and not output.is_file():
        raise UserError(f"{output}: is a device or a pipe; an export is read again to be compared, so name a file")
    if settings.precision != "float32" and settings.to != "litert":
        raise UserError(f"precision {settings.precision} is for litert, not for {settings.to}")
    if settings.precision not in get_args(Precision):
        raise UserError(f"precision {settings.precision!r} must be one of {', '.join(get_args(Precision))}")
    if settings.threads is not None and settings.threads < 1:
        raise UserError(f"threads is {settings.threads}; it must be 1 or more")
    for module, package in _NEEDS.get(settings.to, ()):
        if importlib.util.find_spec(module) is None:
            raise runtime_missing(output, package, "litert" if settings.to == "litert" else "onnx")
    make_folder(output.parent)
    for path in _beside(output):
        require_output(path)
