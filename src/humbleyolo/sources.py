"""What the sources of a dataset have in common: mistakes that only a look at their inputs can show."""

from pathlib import Path

from humbleyolo import legibility
from humbleyolo.labels import labelled
from humbleyolo.params import Dataset, Key


def find_problems(dataset: Dataset, inputs: Path) -> list[tuple[Key, str]]:
    """Find the mistakes in the section `dataset` that only its inputs can show.

    Args:
        dataset: The section.
        inputs: The folder of fonts, or the labelled folder or archive.

    Returns:
        For each mistake its key, from the top of `params.yaml`, and a text.
    """
    if dataset.source == "labelled":
        return labelled.find_problems(inputs)
    return legibility.find_problems(dataset.synthetic, inputs)
