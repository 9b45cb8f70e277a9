"""JSON-MIN of Label Studio: a task's fields, and a list of records for each control.

    [{"image": "a.jpg", "annotation_id": 1, "label": [{x, y, width, height, "rectanglelabels": ["cat"],
        "original_width", "original_height"}]}]

The records do not say which image they lie in.
"""

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from humbleyolo.inputs.ledger import BadInput
from humbleyolo.labels.image_names import without_hash

PLACED = {"x", "y", "height", "radiusX", "points", "rle", "vertices"}
"""Fields of a region's place, of which it has one at least."""

_PLACE = PLACED | {"width", "rotation"}


def is_json_min(task: Any) -> bool:
    """Tell if a task is one of JSON-MIN, or a line of its CSV."""
    return isinstance(task, dict) and ("annotation_id" in task or "annotator" in task)


def place_of(value: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a key of the place in a result's value; empty if it has none."""
    return tuple(f"{key} {value[key]}" for key in sorted(_PLACE & value.keys())) if PLACED & value.keys() else ()


def results_of(task: Mapping[str, Any]) -> list[Any]:
    """Return the records of all controls as results: a place that several have is one region."""
    return [one for some in task.values() if isinstance(some, list) for one in _records(some)]


def _records(some: Sequence[Any]) -> Iterator[dict[str, Any]]:
    seen: Counter[Any] = Counter()
    for one in some:
        if isinstance(one, dict):
            place = place_of(one)
            seen[place] += 1
            key = {"id": f"{' '.join(place)} {seen[place]}"} if place else {}
            yield {**one, **key, "value": one}


def controls_in(tasks: Sequence[tuple[Any, str]]) -> set[str]:
    """Return the names of the controls that have regions of their own in any of some tasks.

    A control without is one whose regions another has too, such as classes beside the rectangles that they are of.
    """
    places: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for task, where in tasks:
        for key, some in task.items() if is_json_min(task) else ():
            if isinstance(some, list):
                found = [place_of(one) for one in some if isinstance(one, dict)]
                places[key] |= {(where, *place) for place in found if place}
    own: set[str] = set()
    for key in sorted(places, key=lambda key: -len(places[key])):
        if places[key] and not any(places[key] <= places[other] for other in own):
            own.add(key)
    return own


def refuse_several_images(
    task: Mapping[str, Any], names: Mapping[str, str], controls: Set[str], here: Set[str], where: str
) -> None:
    """Raise BadInput if regions of a task may lie in several images.

    Args:
        task: The task, where it is one of JSON-MIN.
        names: Names of its images, by their fields.
        controls: Names of the controls that have regions in any task.
        here: Names of the images that are here, without folders.
        where: Place of the task.
    """
    if len(names) < 2:
        return
    lists = [some for key in controls if isinstance(some := task.get(key), list)]
    records = [one for some in lists for one in some if isinstance(one, dict)]
    sizes = {(one["original_width"], one.get("original_height")) for one in records if "original_width" in one}
    found = {_bare(name) for name in names.values() if {posixpath.basename(name), _bare(name)} & here}
    if records and (len(sizes) > 1 or (len(found) > 1 and len(controls) > 1)):
        told = f"the task has several images, {', '.join(names)}, and JSON-MIN does not say in which a region lies"
        regions = f"regions of {', '.join(sorted(controls & task.keys()))}"
        raise BadInput("image-ambiguous", regions, f"{told}; export as JSON", where)


def _bare(name: str) -> str:
    return posixpath.basename(without_hash(name))
