"""Mistakes in the section `dataset` that only its inputs can show, whatever its source."""

from pathlib import Path

from humbleyolo.labels import write_dataset
from humbleyolo.params.keys import Key
from humbleyolo.params.sections import Dataset
from humbleyolo.synthetic import drawable_words


def find_problems(dataset: Dataset, inputs: Path) -> list[tuple[Key, str]]:
    """Find the mistakes in the section `dataset` that only its inputs can show.

    Args:
        dataset: The section.
        inputs: The folder of fonts, or the labelled folder or archive.

    Returns:
        For each mistake its key, from the top of `params.yaml`, and a text.
    """
    if dataset.source == "labelled":
        return write_dataset.find_problems(inputs)
    return drawable_words.find_problems(dataset.synthetic, inputs)
