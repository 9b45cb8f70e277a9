"""The mistakes in the section `dataset` that only its inputs can show, for every source."""

from pathlib import Path

from humbleyolo.params.keys import Key
from humbleyolo.params.loader import Check
from humbleyolo.params.sections import Dataset
from humbleyolo.synthetic import drawable_words


def find_problems(dataset: Dataset, inputs: Path) -> list[tuple[Key, str]]:
    """Return the key, from the top of `params.yaml`, and a text for each mistake that only the inputs can show.

    Inputs are the folder of fonts, or the labelled folder or archive.
    """
    if dataset.source == "synthetic":
        return drawable_words.find_problems(dataset.synthetic, inputs)
    try:
        inputs.stat()
    except (OSError, ValueError):
        fix = "allowed: a folder, or a zip archive, with images and labels; put it there or correct the path"
        return [(("dataset", "inputs"), f"'{inputs}' does not exist; {fix}")]
    return []


def inputs_beside(file: Path) -> Check:
    """Return a check for `load_params` that looks for the inputs from the parameter file's folder on."""
    return lambda dataset: find_problems(dataset, file.parent / dataset.inputs)
