"""Limits of the number of detections, beside the objects that images have."""

from collections.abc import Mapping

from humbleyolo.metrics.matching import COCO_DETECTIONS
from humbleyolo.params.value_types import MOST_DETECTIONS

VALIDATION_LIMIT, EVALUATION_LIMIT = "train.validation.max_detections", "evaluate.max_detections"  # of params.yaml


def limit_warnings(where: str, most: int, limits: Mapping[str, int] | None = None) -> list[str]:
    """Return a warning if an image has more objects than can be found on it, else none.

    `most` are the objects of the image that has most; `limits` are values of params.yaml by key. None: they are not
    known, and more than COCO's 100 objects are told.
    """
    if limits is None and most > COCO_DETECTIONS:
        both = f"{VALIDATION_LIMIT} and {EVALUATION_LIMIT}"
        if most > MOST_DETECTIONS:
            limit = f"{both} are {MOST_DETECTIONS} at most"
            return [f"{where}: an image has {most} objects, but {limit}; cut such images into smaller ones"]
        return [f"{where}: an image has {most} objects; so {both} must be {most} or more to find all"]
    if low := {key: value for key, value in (limits or {}).items() if value < most}:
        told = " and ".join(f"{key} is {value}" for key, value in low.items())
        fix = f"raise {'both' if len(low) > 1 else 'it'} to {most}"
        if most > MOST_DETECTIONS:
            fix = f"{MOST_DETECTIONS} is the most, so cut such images into smaller ones"
        return [f"{where}: an image has {most} objects, but {told}: the others cannot be found; {fix}"]
    return []
