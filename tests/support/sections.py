"""Sections of the project's own params.yaml, with some values changed."""

from typing import Any

from repository import ROOT

from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Loss, Model

PARAMS = ROOT / "params.yaml"


def model_section(name: str, **changes: Any) -> Model:
    """The section `model`, checked, with keys of its own or of `humble` changed."""
    (section,) = load_params(PARAMS, "model")
    values = section.model_dump() | {"name": name}
    for key, value in changes.items():
        (values["humble"] if key in values["humble"] else values)[key] = value
    return Model(**values)


def loss_section(name: str, **changes: Any) -> Loss:
    """The section `loss`, checked, with keys changed."""
    (section,) = load_params(PARAMS, "loss")
    return Loss(**(section.model_dump() | {"name": name} | changes))
