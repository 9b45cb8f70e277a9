"""The pretrained weights of a backbone, which come with the package."""

import hashlib
import io
from pathlib import Path

import keras
import numpy as np

from humbleyolo.errors import UserError
from humbleyolo.models.lite import BACKBONE, backbone_block

FILE = Path(__file__).with_name("efficientnet_lite0.npz")
"""Half precision, batch normalization folded in, by benchmarks/pretrained_weights.py; NOTICE tells their origin."""

SHA256 = "46738d2acc12690e34f460840d9d2162c9102acfcba82826a5c91e9de2fb930c"
"""Hash of the file. It stands in the code, so that a change of the file is a change of code for checkpoints too."""

STARTS = {
    "scratch": "scratch",
    "pretrained": f"pretrained: EfficientNet-Lite0 of ImageNet, sha256 {SHA256}",
    "own": "own",
}
"""The values of `train.start` -> the words for them in `model.json`; those of `own` go on with its model."""

_FIX = "install the package again, or `git checkout` the file; train.start: scratch needs none"


def load_pretrained(network: keras.Model, file: Path = FILE) -> None:
    """Give the backbone of `lite` the weights of ImageNet.

    Raises:
        UserError: The file is missing, or not the one that this version came with; nothing is loaded then.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: the pretrained weights cannot be read ({error.strerror}); {_FIX}") from None
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        raise UserError(f"{file}: the pretrained weights are damaged (sha256 {found}, expected {SHA256}); {_FIX}")
    with np.load(io.BytesIO(content), allow_pickle=False) as weights:
        for variable in network.weights:
            if variable.path.startswith(BACKBONE):
                variable.assign(weights[variable.path.removeprefix(BACKBONE)].astype(np.float32))


def freeze(network: keras.Model, blocks: int) -> None:
    """Keep the first blocks of the backbone as they are; the first is its first convolution."""
    for layer in network.layers:
        block = backbone_block(layer.name)
        layer.trainable = block is None or block >= blocks
