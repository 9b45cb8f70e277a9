"""Networks of the article, whose last layer has an activation, in 8 bits."""

from pathlib import Path

import numpy as np
import pytest
from sections import model_section
from stub_models import facts

from humbleyolo.detection.backends.metadata import Metadata
from humbleyolo.detection.backends.open_model import open_exported
from humbleyolo.detection.graph import detection_model
from humbleyolo.export.targets import silence, write_litert
from humbleyolo.geometry.grid import Grid
from humbleyolo.models.build import build_model
from humbleyolo.models.selection import DEFAULT


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the converter
@pytest.mark.parametrize("head", ["dense", "convolutional"])
def test_the_activation_of_the_last_layer_is_not_rounded(head: str, tmp_path: Path) -> None:
    grid = Grid(height=64, width=64, rows=2, cols=2, boxes=1, classes=2)
    network = build_model(model_section("humble", head=head, scale_pixels=True), grid, seed=1)
    images = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8)
    told = Metadata.of(facts(64, 64), version="0", precision="int8", weights_sha256="0" * 64)
    with silence():
        write_litert(detection_model(network, grid, DEFAULT), told, tmp_path / "m.tflite", images)
    found = open_exported(tmp_path / "m.tflite", None).run(images)["grid"]
    expected = np.asarray(network(images))
    np.testing.assert_allclose(found, expected, atol=0.05)
    assert np.abs(found - expected).max() > 1e-5
    steps = 256 * found  # of a sigmoid in 8 bits
    assert np.abs(steps - np.round(steps)).max() > 0.1
