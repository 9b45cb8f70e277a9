"""The pretrained weights of a backbone, which come with the package."""

import zipfile
from pathlib import Path

import keras
import numpy as np

from humbleyolo.errors import UserError
from humbleyolo.models.lite import BACKBONE, backbone_block

FILE = Path(__file__).with_name("efficientnet_lite0.npz")
"""Half precision, batch normalization folded in; tools/pretrained_weights.py makes it, NOTICE tells its origin."""

_FIX = "install the package again, or `git checkout` the file; train.start: scratch needs none"


def load_pretrained(network: keras.Model, file: Path = FILE) -> None:
    """Give the backbone of `lite` the weights of ImageNet.

    Raises:
        UserError: The file is missing, damaged, or of another network.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            weights = {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        raise UserError(f"{file}: the pretrained weights are missing; {_FIX}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{file}: the pretrained weights are damaged ({error}); {_FIX}") from None
    own = {one.path.removeprefix(BACKBONE): one for one in network.weights if one.path.startswith(BACKBONE)}
    wrong = sorted(own.keys() ^ weights.keys()) or [
        name for name, one in own.items() if weights[name].shape != tuple(one.shape)
    ]
    if wrong:
        raise UserError(f"{file}: holds other weights than the backbone's, such as {wrong[0]}; {_FIX}")
    for name, variable in own.items():
        variable.assign(weights[name].astype(np.float32))


def freeze(network: keras.Model, blocks: int) -> None:
    """Keep the first blocks of the backbone as they are; the first is its first convolution."""
    for layer in network.layers:
        block = backbone_block(layer.name)
        layer.trainable = block is None or block >= blocks
