"""The images of a pool that a model would learn most from, beside those that are labelled already."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from humbleyolo.audit.teaching_value import choose, group_of
from humbleyolo.dataset.archive import SPLITS
from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.detection.detector import Detector
from humbleyolo.detection.image_paths import NamedImage
from humbleyolo.detection.predict_images import detect_all
from humbleyolo.detection.result import Result
from humbleyolo.errors import UserError
from humbleyolo.geometry.image_decoder import MAX_PIXELS
from humbleyolo.inputs.image_info import ImageInfo, inspect_image
from humbleyolo.inputs.ledger import BadInput
from humbleyolo.inputs.near_duplicates import find_near_duplicates
from humbleyolo.metrics.tables import DetectionTable
from humbleyolo.storage.array_types import Ints


@dataclass
class LabelledImages:
    """The images of a dataset that are labelled already, of all splits.

    Attributes:
        infos: Facts about each image.
        places: Split and name of each image, by the hash of its bytes.
        boxes: Number of boxes of each class in train, by its name.
    """

    infos: list[ImageInfo] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "LabelledImages":
        """Read the splits of a dataset that are there.

        Raises:
            UserError: If one is damaged.
        """
        found = cls()
        for split in SPLITS:
            if (old := folder / f"{split}.zip").exists() and not (folder / split).exists():
                raise UserError(f"{old}: is of an earlier version; run `dvc repro generate`, and remove it")
            if not (folder / split).exists():
                continue
            with ArchivedSplit(folder / split) as archive:
                for image in tqdm(archive, desc=split, total=len(archive), unit=" images", disable=None, leave=False):
                    try:
                        info = inspect_image(image.image_bytes)
                    except BadInput as error:
                        raise UserError(f"{folder / split}: {image.file_name}: {error.what}: {error.why}") from None
                    found.infos.append(info)
                    found.places.setdefault(info.sha256, f"{split}: {image.file_name}")
                    for label in image.labels.tolist() if split == "train" else ():
                        name = archive.categories[label]
                        found.boxes[name] = found.boxes.get(name, 0) + 1
        return found

    def count(self, names: Sequence[str]) -> Ints:
        """Return the number of boxes of each class, (C,), in the order of the names."""
        return np.array([self.boxes.get(name, 0) for name in names], np.int64)


class ChosenImage(NamedTuple):
    """An image that was chosen.

    Attributes:
        item: The image.
        info: Facts about it.
        found: Detections from the threshold on.
        value: Value for teaching when it was chosen, a rank and no probability.
        alike: It resembles an image that is labelled, or was chosen before.
    """

    item: NamedImage
    info: ImageInfo
    found: Result
    value: float
    alike: bool


@dataclass(frozen=True)
class ChosenImages:
    """The outcome of a choice.

    Attributes:
        chosen: The images, the one that teaches most first.
        looked_at: Number of images that could be chosen.
        left_out: (image, reason) of those that could not, for people.
        failed: Number of these that cannot be read.
    """

    chosen: list[ChosenImage]
    looked_at: int
    left_out: list[tuple[str, str]]
    failed: int


def choose_images(
    detector: Detector, items: Sequence[NamedImage], labelled: LabelledImages, count: int
) -> ChosenImages:
    """Choose the images of a pool that teach most; copies, of each other or of what is labelled, are left out."""
    left_out: list[tuple[str, str]] = []
    usable: list[tuple[NamedImage, ImageInfo, Result]] = []
    seen: dict[str, str] = {}
    failed, facts = 0, detector.facts
    results = detect_all(detector, list(items), MAX_PIXELS, facts.min_score)
    for item, outcome in tqdm(results, total=len(items), unit=" images", disable=None, leave=False):
        try:
            if isinstance(outcome, UserError):
                raise outcome
            info = _inspect(item)
        except UserError as error:
            left_out.append((item.shown, str(error).removeprefix(f"{item.shown}: ")))
            failed += 1
            continue
        if place := labelled.places.get(info.sha256):
            left_out.append((item.shown, f"is labelled already ({place})"))
        elif twin := seen.get(info.sha256):
            left_out.append((item.shown, f"is the same as {twin}"))
        else:
            seen[info.sha256] = item.shown
            usable.append((item, info, outcome))
    groups = group_of(
        len(usable) + len(labelled.infos), find_near_duplicates([*(info for _, info, _ in usable), *labelled.infos])
    )
    own, others = groups[: len(usable)], groups[len(usable) :]
    table = DetectionTable.from_detections(result for _, _, result in usable)
    choices = choose(table, detector.threshold, labelled.count(facts.names), own, np.isin(own, others), count)
    chosen = [
        ChosenImage(*usable[one.image][:2], _shown(usable[one.image][2], detector.threshold), one.value, one.alike)
        for one in choices
    ]
    return ChosenImages(chosen, len(usable), left_out, failed)


def _inspect(item: NamedImage) -> ImageInfo:
    data = item.read()
    try:
        return inspect_image(data)
    except BadInput as error:
        raise UserError(f"{item.shown}: {error.what}: {error.why}") from None


def _shown(result: Result, threshold: float) -> Result:
    kept = result.scores >= threshold
    return replace(result, **{name: getattr(result, name)[kept] for name in ("boxes", "scores", "labels")})
