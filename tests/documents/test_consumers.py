"""The programs of docs/export-without-this-package.md that use an export without this package, beside the detector.

That in JavaScript needs Node.js or Chromium, and `npm install --no-save onnxruntime-web @litertjs/core` in the clone.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import CHROMIUM, chromium, offline
from exports import make_data, settings
from PIL import Image
from playwright.sync_api import Route
from repository import ROOT
from stub_models import save_network

from humbleyolo import Detector, Result
from humbleyolo.detection.backends.open_model import open_exported
from humbleyolo.detection.image_input import read_image
from humbleyolo.export.exporter import export
from humbleyolo.geometry.letterbox import Letterbox
from humbleyolo.models.selection import Selection, write_selection

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # of the converters
SIZES = [(80, 48), (30, 30), (333, 71), (20, 190), (7, 5)]  # of pictures: the input's own, larger, smaller
Found = list[tuple[str, float, list[float]]]
LOOK = """
import { detect, letterbox } from "./consumer.mjs";

export async function look(run, about, image) {
  const { pixels } = letterbox(image, about);
  const grid = Array.from((await run(pixels)).grid);
  return JSON.stringify({ pixels: Array.from(pixels), grid, found: await detect(run, about, image) });
}
"""
IN_NODE = """
import fs from "node:fs";
import * as ort from "onnxruntime-web";
import { look } from "./look.mjs";
import { openOnnx } from "./openOnnx.mjs";

ort.env.wasm.numThreads = 1;
const [model, ...images] = process.argv.slice(2);
const about = JSON.parse(fs.readFileSync(`${model}.json`));
const run = await openOnnx(fs.readFileSync(model), about);
for (const path of images) {
  const [width, height] = path.match(/\\d+/g).slice(-2).map(Number);
  console.log(await look(run, about, { width, height, data: fs.readFileSync(path) }));
}
"""
IN_BROWSER = """async ([open, model, images]) => {
  const { look } = await import("/look.mjs");
  const about = await (await fetch(`/${model}.json`)).json();
  const run = await (await import(`/${open}.mjs`))[open](`/${model}`, about, "/node_modules/@litertjs/core/wasm/");
  const told = [];
  for (const path of images) {
    const picture = await createImageBitmap(await (await fetch(`/${path}`)).blob());
    const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
    canvas.drawImage(picture, 0, 0);
    told.push(await look(run, about, canvas.getImageData(0, 0, picture.width, picture.height)));
  }
  return told;
}"""
IMPORTS = {
    "onnxruntime-web": "/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs",
    "@litertjs/core": "/node_modules/@litertjs/core/dist/index.js",
    "@litertjs/wasm-utils": "/node_modules/@litertjs/wasm-utils/dist/bundle.js",
}
TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}


def blocks(language: str) -> list[str]:
    text = (ROOT / "docs/export-without-this-package.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def write_programs(folder: Path, package: str) -> None:
    """Write the programs in JavaScript, and beside them the npm package or a skip."""
    packages = next((one for one in (ROOT / "node_modules", *_global()) if (one / package).is_dir()), None)
    if packages is None:
        pytest.skip(f"needs `npm install --no-save {package}`")
    (folder / "node_modules").symlink_to(packages)
    (folder / "look.mjs").write_text(LOOK)
    for block in blocks("javascript"):
        opens = re.search(r"function (open\w+)", block)
        (folder / f"{opens[1] if opens else 'consumer'}.mjs").write_text(block)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a small network."""
    folder = tmp_path_factory.mktemp("consumers")
    (folder / "data").mkdir()
    make_data(save_network(folder / "network"), folder / "data")
    weights = folder / "data/model/weights.npz"
    voted = Selection(min_score=0.01, nms_iou=0.5, max_detections=100, vote_iou=0.6)
    write_selection(weights.with_name("selection.json"), voted, weights, 0.5)
    return folder / "data"


@pytest.fixture(scope="module")
def model(network: Path) -> Path:
    """Its ONNX file."""
    export(network / "model", network / "m.onnx", network, settings("onnx"))
    return network / "m.onnx"


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


@pytest.mark.parametrize("program", ["consumer.py", "of_opencv.py"])
def test_the_consumers_in_python_find_what_the_detector_finds(
    program: str, model: Path, pictures: list[Path], tmp_path: Path
) -> None:
    consumer, of_opencv = (one for one in blocks("python") if "def detect" in one or "import detect" in one)
    (tmp_path / "consumer.py").write_text(consumer)
    (tmp_path / "of_opencv.py").write_text(of_opencv)
    blocked = "import sys; sys.modules['humbleyolo'] = None; sys.argv = sys.argv[1:]; sys.path[0] = '.'; import runpy"
    command = [sys.executable, "-c", f"{blocked}; runpy.run_path(sys.argv[0], run_name='__main__')", program]
    done = subprocess.run([*map(str, [*command, model, *pictures])], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Found] = {str(path): [] for path in pictures}
    for path, *one in map(json.loads, done.stdout.splitlines()):
        found[path].append(tuple(one))
    detector = Detector.load(model)
    assert sum(map(len, found.values())) > len(pictures)
    for path in pictures:
        agree(found[str(path)], detector(path))


def test_tensorflow_serving_is_told_the_signature_that_the_savedmodel_has(network: Path) -> None:
    import tensorflow as tf

    path = network / "models/humbleyolo/1"
    path.parent.mkdir(parents=True)
    export(network / "model", path, network, settings("savedmodel"))
    signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    ((pixels, given),) = signature.structured_input_signature[1].items()
    about = json.loads(path.with_name("1.json").read_text())
    assert (pixels, given.dtype, given.shape.as_list()) == (
        "pixels",
        tf.uint8,
        [None, about["height"], about["width"], 3],
    )
    text = (ROOT / "docs/export-without-this-package.md").read_text(encoding="utf-8")
    told = re.findall(r"^  \| `(\w+)` \| \((.*)\) \| `(\w+)` \|$", text, re.M)
    found = {name: (one.shape.as_list(), one.dtype.name) for name, one in signature.structured_outputs.items()}
    rows, cols, classes, numbers = about["rows"], about["cols"], len(about["names"]), found["grid"][0][-1]
    pairs = rows * cols * (numbers - classes) // 5 * classes
    most = min(about["max_detections"], pairs)
    sides = {"N": None, "D": most, "4": 4, "rows": rows, "cols": cols, "K": numbers}
    assert found == {name: ([sides[side] for side in shape.split(", ")], kind) for name, shape, kind in told}


def test_the_consumer_in_javascript_finds_what_the_detector_finds_in_node(
    model: Path, pictures: list[Path], tmp_path: Path
) -> None:
    if not (node := shutil.which("node")):
        pytest.skip("needs Node.js")
    write_programs(tmp_path, "onnxruntime-web")
    (tmp_path / "run.mjs").write_text(IN_NODE)
    raw = [path.with_suffix(".rgba") for path in pictures]
    done = subprocess.run([node, "run.mjs", str(model), *map(str, raw)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    compare(model, pictures, done.stdout.splitlines())


@pytest.mark.parametrize(
    ("package", "opens", "to", "name"),
    [("onnxruntime-web", "openOnnx", "onnx", "m.onnx"), ("@litertjs/core", "openLiteRt", "litert", "m.tflite")],
)
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_it_finds_the_same_in_a_browser(
    package: str, opens: str, to: str, name: str, network: Path, pictures: list[Path], tmp_path: Path
) -> None:
    write_programs(tmp_path, package)
    if not (network / name).exists():
        export(network / "model", network / name, network, settings(to))
    for path in (network / name, network / f"{name}.json", *pictures):
        (tmp_path / path.name).symlink_to(path)

    def serve(route: Route) -> None:
        asked = tmp_path / urlsplit(route.request.url).path[1:]
        if asked == tmp_path:
            route.fulfill(
                body=f'<script type="importmap">{json.dumps({"imports": IMPORTS})}</script>', content_type="text/html"
            )
        elif asked.is_file():
            route.fulfill(body=asked.read_bytes(), content_type=TYPES.get(asked.suffix, "application/octet-stream"))
        else:
            route.abort()

    with chromium() as browser:
        window = offline(browser)
        window.route("**", serve)
        page = window.new_page()
        page.goto("http://localhost/")
        told = page.evaluate(IN_BROWSER, [opens, name, [path.name for path in pictures]])
    compare(network / name, pictures, told)


def compare(model: Path, pictures: list[Path], answers: list[str]) -> None:
    """Compare what the program told of each picture with what the model and the detector tell."""
    detector, run = Detector.load(model), open_exported(model).run
    for path, line in zip(pictures, answers, strict=True):
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
