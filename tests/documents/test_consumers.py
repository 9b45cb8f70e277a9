"""The programs of docs/use.md that use an export without this package, beside the detector.

The one in JavaScript needs Node.js and onnxruntime-web, by `npm install --no-save onnxruntime-web` in the clone.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exports import make_data, settings
from PIL import Image
from repository import ROOT
from stub_models import save_network

from humbleyolo import Detector, Result
from humbleyolo.detection.backends.open_model import open_exported
from humbleyolo.detection.image_input import read_image
from humbleyolo.export.exporter import export
from humbleyolo.geometry.letterbox import Letterbox

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # of the converters
SIZES = [(80, 48), (30, 30), (333, 71), (20, 190), (7, 5)]  # of pictures: the input's own, larger, smaller
Found = list[tuple[str, float, list[float]]]
RUN = """
import fs from "node:fs";
import * as ort from "onnxruntime-web";
import { detect, letterbox } from "./consumer.mjs";
ort.env.wasm.numThreads = 1;
const [model, ...images] = process.argv.slice(2);
const about = JSON.parse(fs.readFileSync(`${model}.json`));
const session = await ort.InferenceSession.create(fs.readFileSync(model), { executionProviders: ["wasm"] });
for (const path of images) {
  const [width, height] = path.match(/\\d+/g).slice(-2).map(Number);
  const image = { width, height, data: fs.readFileSync(path) };
  const input = new ort.Tensor("uint8", letterbox(image, about).pixels, [1, about.height, about.width, 3]);
  const grid = Array.from((await session.run({ pixels: input })).grid.data);
  console.log(JSON.stringify({ pixels: Array.from(input.data), grid, found: await detect(session, about, image) }));
}
"""


def code(language: str) -> str:
    text = (ROOT / "docs/use.md").read_text(encoding="utf-8")
    (block,) = (one for one in re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S) if "letterbox(" in one)
    return str(block)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file of a small network."""
    folder = tmp_path_factory.mktemp("consumers")
    (folder / "data").mkdir()
    make_data(save_network(folder / "network"), folder / "data")
    export(folder / "data/model", folder / "m.onnx", folder / "data", settings("onnx"))
    return folder / "m.onnx"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """PNG pictures, the first with pixels of any transparency, and their RGBA bytes beside them."""
    rng = np.random.default_rng(0)
    paths = []
    for width, height in SIZES:
        blocks = rng.integers(0, 256, (height // 10 + 1, width // 10 + 1, 3), np.uint8)
        image = Image.fromarray(np.kron(blocks, np.ones((10, 10, 1), np.uint8))[:height, :width])
        if not paths:
            image.putalpha(Image.fromarray(rng.integers(0, 256, (height, width), np.uint8)))
        image.save(path := tmp_path_factory.mktemp("pictures") / f"{width}x{height}.png")
        path.with_suffix(".rgba").write_bytes(image.convert("RGBA").tobytes())
        paths.append(path)
    return paths


def agree(found: Found, expected: Result) -> None:
    assert [name for name, _, _ in found] == expected.class_names.tolist()
    np.testing.assert_allclose([score for _, score, _ in found], expected.scores, atol=1e-3)
    np.testing.assert_allclose(np.reshape([box for _, _, box in found], (-1, 4)), expected.boxes, atol=0.5)


def test_the_consumer_in_python_finds_what_the_detector_finds(
    model: Path, pictures: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "consumer.py").write_text(code("python"))
    blocked = "import sys; sys.modules['humbleyolo'] = None; sys.argv = sys.argv[1:]; import runpy"
    command = [sys.executable, "-c", f"{blocked}; runpy.run_path(sys.argv[0], run_name='__main__')", "consumer.py"]
    done = subprocess.run([*map(str, [*command, model, *pictures])], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Found] = {str(path): [] for path in pictures}
    for path, *one in map(json.loads, done.stdout.splitlines()):
        found[path].append(tuple(one))
    detector = Detector.load(model)
    assert sum(map(len, found.values())) > len(pictures)
    for path in pictures:
        agree(found[str(path)], detector(path))


def test_the_consumer_in_javascript_finds_what_the_detector_finds(
    model: Path, pictures: list[Path], tmp_path: Path
) -> None:
    if not (node := shutil.which("node")):
        pytest.skip("needs Node.js")
    packages = next((one for one in (ROOT / "node_modules", *_global()) if (one / "onnxruntime-web").is_dir()), None)
    if packages is None:
        pytest.skip("needs `npm install --no-save onnxruntime-web`")
    (tmp_path / "node_modules").symlink_to(packages)
    (tmp_path / "consumer.mjs").write_text(code("javascript"))
    (tmp_path / "run.mjs").write_text(RUN)
    raw = [path.with_suffix(".rgba") for path in pictures]
    done = subprocess.run([node, "run.mjs", str(model), *map(str, raw)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    detector, run = Detector.load(model), open_exported(model).run
    for path, line in zip(pictures, done.stdout.splitlines(), strict=True):
        told = json.loads(line)
        image = read_image(path, 10**6).pixels
        own = Letterbox(*image.shape[:2], 48, 80).apply(image, 114)
        pixels = np.reshape(told["pixels"], own.shape).astype(np.uint8)
        np.testing.assert_allclose(pixels.astype(int), own, atol=1)  # Pillow may scale lines before columns
        np.testing.assert_allclose(told["grid"], run(pixels[None])["grid"].ravel(), atol=1e-4)
        agree([(one["name"], one["score"], one["box"]) for one in told["found"]], detector(path))


def _global() -> list[Path]:
    npm = shutil.which("npm")
    done = subprocess.run([npm, "root", "-g"], capture_output=True, text=True) if npm else None
    return [Path(done.stdout.strip())] if done and done.returncode == 0 else []
