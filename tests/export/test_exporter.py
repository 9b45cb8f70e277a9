"""Every format answers as the model does, or is not written."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from exports import NAMES, make_data, settings
from repository import ROOT
from small_disk import small_disk
from stub_models import save_network

from humbleyolo import Detector, UserError
from humbleyolo.detection.backends.metadata import METADATA
from humbleyolo.detection.backends.open_model import open_exported
from humbleyolo.export import exporter as export_run
from humbleyolo.export.export_formats import SUFFIX, Precision
from humbleyolo.export.exporter import Settings, export
from humbleyolo.export.targets import WRITE
from humbleyolo.models.artifact import BEGAN
from humbleyolo.storage.hashes import sha256_of
from humbleyolo.training.pretrained import STARTS

EVERY: list[tuple[str, Precision]] = [  # a page holds the ONNX file; test_model_page.py has its tests
    ("litert", "float32"),
    ("litert", "float16"),
    ("litert", "int8"),
    ("savedmodel", "float32"),
    ("keras", "float32"),
    ("onnx", "float32"),
]
# Of `lite`, whose layers are others, one of each kind is enough.
LITE: list[tuple[str, Precision]] = [("litert", "int8"), ("keras", "float32"), ("onnx", "float32")]
USED = [("exports", *one) for one in EVERY] + [("lite_exports", *one) for one in LITE]
PAGESIZE = os.sysconf("SC_PAGESIZE")
BESIDE = ("md", "json", "labels.txt")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the converters


class Exports(dict[tuple[str, str], Path]):
    """Every export, by format and precision, written when it is first asked for."""

    def __init__(self, data: Path, folder: Path) -> None:
        super().__init__()
        self.data, self.folder = data, folder

    def __missing__(self, key: tuple[str, Precision]) -> Path:
        to, precision = key
        path = self.folder / f"{to}-{precision}{SUFFIX[to]}"
        with pytest.MonkeyPatch.context() as patch:
            if precision == "int8":  # weights of chance, which nobody trained, do not bear rounding
                patch.setattr("humbleyolo.export.parity.ROUNDED_AP", 1.0)
            parity = export(self.data / "model", path, self.data, settings(to, precision))
        assert parity.images == 40
        assert parity.ap is not None
        assert parity.ap > 0.5
        assert parity.export_ap is not None
        if precision == "float32":
            assert parity.difference < 1e-4
            assert parity.export_ap == pytest.approx(parity.ap, abs=1e-4)
        elif precision == "float16":
            assert parity.difference > 1e-4
            assert parity.export_ap > parity.ap - 0.005
        self[key] = path
        written = sorted(one.name for one in self.folder.iterdir())
        assert written == sorted(
            name for one in self.values() for name in (one.name, *(f"{one.name}.{end}" for end in BESIDE))
        )
        return path


@pytest.fixture(scope="module")
def exports(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """Every export, by format and precision."""
    return Exports(data, tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="module")
def lite_exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """Those of a network with a pretrained backbone."""
    data = tmp_path_factory.mktemp("lite") / "data"
    data.mkdir()
    make_data(save_network(tmp_path_factory.mktemp("network") / "model", boxes=1, name="lite"), data)
    return Exports(data, tmp_path_factory.mktemp("lite_exports"))


@pytest.mark.slow
@pytest.mark.parametrize(("which", "to", "precision"), USED)
def test_an_export_is_used_as_the_model_is(
    which: str, to: str, precision: str, request: pytest.FixtureRequest
) -> None:
    exports: Exports = request.getfixturevalue(which)
    data = exports.data
    model = Detector.load(data / "model", threshold=0.05)
    detector = Detector.load(exports[to, precision], threshold=0.05)
    assert detector.names == NAMES
    assert Detector.load(exports[to, precision]).threshold == 0.2
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in rng.integers(20, 120, (12, 2)).tolist()]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(detector, images))
    for expected, found, again in zip(model(images), detector(images), threaded, strict=True):
        np.testing.assert_allclose(again.boxes, found.boxes, atol=1e-3)
        if precision == "float32":
            np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.01)
            np.testing.assert_array_equal(found.labels, expected.labels)
            np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
        assert found.boxes.dtype == np.float64


@pytest.mark.slow
@pytest.mark.parametrize(("to", "precision"), [("litert", "float32"), ("litert", "int8"), ("onnx", "float32")])
def test_an_export_sees_mirror_images_and_averages_boxes_where_the_evaluation_did(
    to: str, precision: Precision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, alone = tmp_path / "data", save_network(tmp_path / "alone/model", boxes=1)
    data.mkdir()
    make_data(alone, data)
    evaluated = {"format": 3, "mirrored": "both", "weights_sha256": sha256_of(data / "model/weights.npz")}
    evaluated |= {"threshold": 0.2, "vote_iou": 0.6, "min_score": 0.01, "nms_iou": 0.5, "max_detections": 100}
    (data / "model/selection.json").write_text(json.dumps(evaluated | {"whole_pixels": False}))
    path = tmp_path / f"mirrored{SUFFIX[to]}"
    monkeypatch.setattr("humbleyolo.export.parity.ROUNDED_AP", 1.0)  # untrained weights do not bear rounding
    parity = export(data / "model", path, data, settings(to, precision))
    assert parity.difference < (1e-4 if precision == "float32" else 0.2)
    image = np.random.default_rng(3).integers(0, 256, (48, 80, 3), np.uint8)
    once, measured, exported = (
        Detector.load(one, threshold=0.05)(image).scores for one in (alone, data / "model", path)
    )
    if precision == "float32":
        np.testing.assert_allclose(exported, measured, atol=1e-4)
    assert once.shape != measured.shape or not np.allclose(once, measured, atol=1e-3)


@pytest.mark.slow
def test_litert_says_that_it_takes_one_image(exports: Exports) -> None:
    """LiteRT.js and LiteRT's CompiledModel run no open size; the tests above give the interpreter more than one."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=exports["litert", "float32"].read_bytes())
    told = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    assert [one["shape_signature"][0] for one in told] == [1] * 6


@pytest.mark.slow
def test_rounded_exports_are_smaller(exports: Exports) -> None:
    whole, half, quarter = (
        exports["litert", precision].stat().st_size for precision in ("float32", "float16", "int8")
    )
    assert half < 0.7 * whole
    assert quarter < 0.55 * whole


@pytest.mark.slow
def test_every_export_knows_what_it_is(exports: Exports, data: Path) -> None:
    found = {path: open_exported(path).metadata for path in [exports[one] for one in EVERY]}
    for (_, precision), path in exports.items():
        assert found[path].precision == precision
        assert (found[path].nms_iou, found[path].min_score) == (0.5, 0.01)
        beside = Path(f"{path}.json").read_text()
        assert json.loads(beside) == json.loads(found[path].model_dump_json())
        assert "RGB" in beside
        assert Path(f"{path}.labels.txt").read_text() == "chat\nrat\n"
    assert len(found) == 6
    assert {Detector.load(path).exported_from for path in found} == {sha256_of(data / "model/weights.npz")}


@pytest.mark.slow
def test_the_card_says_what_is_known(exports: Exports, data: Path, tmp_path: Path) -> None:
    card = Path(f"{exports['litert', 'int8']}.md").read_text()
    for says in ("# litert-int8.tflite", "Finds chat, rat", "int8", "weights.npz", "Not measured", "MIT"):
        assert says in card
    rich = tmp_path / "data"
    shutil.copytree(data, rich)
    (rich / "evaluation").mkdir()
    (rich / "evaluation/metrics.json").write_text(
        json.dumps({"ap": 0.9123, "ap_large": None, "per_class": {"ch|at": {"ap": 0.5}}})
    )
    evaluated = {
        "format": 2,
        "mirrored": "none",
        "weights_sha256": sha256_of(data / "model/weights.npz"),
        "threshold": 0.41,
    }
    evaluated |= {"min_score": 0.02, "nms_iou": 0.4, "max_detections": 60, "whole_pixels": True}
    (rich / "model/selection.json").write_text(json.dumps(evaluated))
    (rich / "evaluation/intervals.csv").write_text("metric,value,low,high\nap,0.9123,0.9,0.925\n")
    (rich / "dataset/summary.json").write_text(
        json.dumps({"train": {"images": 7, "objects": 9, "classes": {"chat": 4, "rat": 5}}})
    )
    (rich / "dataset/ledger.csv").write_text("file,kind\na,zero-area\nb,zero-area\nc,crossed\n")
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    began = f"own: 12 of 12 arrays{BEGAN}{STARTS['pretrained']}"
    info = json.loads((rich / "model/model.json").read_text()) | {"start": began}
    (rich / "model/model.json").write_text(json.dumps(info))
    export(rich / "model", tmp_path / "m.keras", rich, Settings("keras", "float32", None, None, None))
    card = (tmp_path / "m.keras.md").read_text()
    for line in (
        "| ap | 0.9123 | 0.9 to 0.925 |",
        "| ap_large | none |  |",
        "| ch\\|at | 0.5 |",
        "| train | 7 | 9 | 4 | 5 |",
        "| zero-area | 2 |",
        "seed: 1",
        "| params.yaml | ",
        f"| {rich.name}/dataset/test/all.zip | ",
        f"Training began from {began}.",
        "The weights that training first began with are under the Apache License 2.0.",
        "to show a box: 0.41 (the best on val",
        "overlap by more than 0.4, one; at most 60 stay. Edges are then rounded to whole pixels",
    ):
        assert line in card, line
    ours, exported = Detector.load(rich / "model"), Detector.load(tmp_path / "m.keras")
    assert exported.facts == ours.facts
    image = np.random.default_rng(0).integers(0, 256, (70, 60, 3), np.uint8)
    found, expected = exported(image, threshold=0.05), ours(image, threshold=0.05)
    assert len(found) == len(expected) > 0
    np.testing.assert_array_equal(found.boxes, np.round(found.boxes))
    np.testing.assert_array_equal(found.boxes, expected.boxes)


@pytest.mark.parametrize(
    "to", ["keras", *(pytest.param(one, marks=pytest.mark.slow) for one in ("savedmodel", "litert", "onnx"))]
)
def test_what_answers_otherwise_is_not_written(
    to: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_other(model, metadata, path, calibration):  # type: ignore[no-untyped-def]
        (bias,) = (one for one in model.weights if "head_conv" in one.path and "bias" in one.path)
        bias.assign(bias + 1e-2)
        WRITE_BEFORE(model, metadata, path, calibration)
        bias.assign(bias - 1e-2)  # it is the model's own

    WRITE_BEFORE = WRITE[to]  # noqa: N806
    monkeypatch.setitem(export_run.WRITE, to, write_other)
    output = tmp_path / f"model{SUFFIX[to]}"
    if SUFFIX[to]:
        output.write_text("the one before")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match=r"not written: the largest difference is \S+, more than 0\.0001"):
        export(data / "model", output, data, settings(to))
    assert sorted(tmp_path.iterdir()) == before
    if SUFFIX[to]:
        assert output.read_text() == "the one before"


@pytest.mark.slow
@pytest.mark.parametrize("to", SUFFIX)
@pytest.mark.parametrize("precision", get_args(Precision))
def test_the_default_model_passes_in_every_format(to: str, precision: Precision, tmp_path: Path) -> None:
    if not (ROOT / "data/model/model.json").is_file():
        pytest.skip("no model is trained: dvc repro")
    if precision != "float32" and to != "litert":
        pytest.skip("is LiteRT's alone")
    given = Settings(to, precision, None, 0.5, None)
    path = tmp_path / f"m{SUFFIX[to]}"
    parity = export(ROOT / "data/model", path, ROOT / "data", given)
    assert parity.ap is not None
    assert parity.ap > 0.8
    assert path.is_dir() or path.stat().st_size < 10e6


@pytest.mark.slow
def test_eight_bits_that_cost_too_much_are_not_written(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not written: AP falls by 0\.\d+, more than 0\.005"):
        export(data / "model", tmp_path / "model.tflite", data, settings("litert", "int8"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("to", "change", "name", "says"),
    [
        ("onnx", {"precision": "int8"}, "m.onnx", "int8 is for litert, not for onnx"),
        ("litert", {}, "m.onnx", r"must end in \.tflite"),
        ("litert", {"nms_iou": 1.5}, "m.tflite", "nms_iou is 1.5"),
        ("litert", {"threshold": -1.0}, "m.tflite", "threshold is -1.0"),
        ("litert", {"threads": 0}, "m.tflite", "threads is 0"),
        ("litert", {"max_detections": 0}, "m.tflite", "max_detections is 0; it must be 1 to 10,000"),
        ("savedmodel", {}, "there", "there: is already there|there: is there already"),
        ("keras", {}, "folder.keras", "a folder stands where the file is needed"),
        ("keras", {}, "file/m.keras", "a file stands where a folder is needed"),
        ("keras", {}, "pipe.keras", "is a device or a pipe"),
        ("keras", {}, "m.keras", r"m\.keras\.json: cannot be written: a folder stands where the file is needed"),
    ],
)
def test_mistakes_are_told_before_any_work(
    to: str, change: dict[str, object], name: str, says: str, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "m.keras.json").mkdir()
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    fields = {"to": to, "precision": "float32", "threshold": None, "nms_iou": 0.5, "threads": None} | change
    with pytest.raises(UserError, match=says):
        export(data / "model", tmp_path / name, data, Settings(**fields))  # type: ignore[arg-type]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_files_beside_an_export_go_through_links(data: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    links = [tmp_path / f"m.keras.{end}" for end in BESIDE]
    for link in links:
        link.symlink_to(tmp_path / "far" / link.name)
    links[0].write_text("old")
    export(data / "model", tmp_path / "m.keras", data, settings("keras"))
    assert all(link.is_symlink() for link in links)
    assert links[0].read_text() != "old"
    assert links[2].read_bytes() == "".join(f"{name}\n" for name in NAMES).encode()
    assert {path.name for path in (tmp_path / "far").iterdir()} == {link.name for link in links}
    assert {path.name for path in tmp_path.iterdir()} == {"far", "m.keras", *(link.name for link in links)}


@pytest.mark.slow
def test_a_disk_that_is_too_small_by_a_page_holds_nothing(exports: Exports) -> None:
    """Neither a model without its card nor a card without its model."""
    made = exports[("keras", "float32")]
    files = [made, *(made.with_name(f"{made.name}.{end}") for end in BESIDE)]
    pages = sum(-(-path.stat().st_size // PAGESIZE) for path in files)
    with small_disk(size=str((pages - 1) * PAGESIZE)) as disk:
        with pytest.raises(UserError, match="cannot be written: the disk is full"):
            export(exports.data / "model", disk.path / made.name, exports.data, settings("keras"))
        assert not [*disk.path.iterdir()]


def test_what_is_missing_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.json: no such file"):
        export(tmp_path / "none", tmp_path / "m.keras", data, settings("keras"))
    with pytest.raises(UserError, match=r"grid/test"):
        export(data / "model", tmp_path / "m.keras", tmp_path, settings("keras"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("to", "module", "package"),
    [
        ("litert", "ai_edge_litert", "ai-edge-litert"),
        ("onnx", "onnxruntime", "onnxruntime"),
        ("onnx", "tf2onnx", "tf2onnx"),
    ],
)
def test_without_an_extra_the_command_that_installs_it_is_named(
    to: str, module: str, package: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == module else real(name, *rest))
    with pytest.raises(UserError, match=rf"needs the package {package}; install it with `uv sync --extra {to}`"):
        export(data / "model", tmp_path / f"m{SUFFIX[to]}", data, settings(to))


@pytest.mark.slow
@pytest.mark.parametrize(("to", "module"), [("litert", "ai_edge_litert.interpreter"), ("onnx", "onnxruntime")])
def test_without_its_runtime_an_export_says_what_to_install(
    to: str, module: str, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"uv sync --extra {to}"):
        Detector.load(exports[to, "float32"])


@pytest.mark.slow
@pytest.mark.parametrize("to", ["litert", "onnx", "keras"])
def test_damaged_files_are_refused(to: str, exports: Exports, tmp_path: Path) -> None:
    whole = exports[to, "float32"].read_bytes()
    path = tmp_path / f"m{SUFFIX[to]}"
    for data in (b"", b"text", whole[: len(whole) // 2], whole[len(whole) // 2 :], whole[100:-100]):
        path.write_bytes(data)
        with pytest.raises(UserError, match=rf"m{SUFFIX[to]}: .*humbleyolo export"):
            Detector.load(path)


@pytest.mark.slow
def test_damaged_folders_are_refused(exports: Exports, tmp_path: Path) -> None:
    for name in ("assets.extra", "variables"):
        shutil.copytree(exports["savedmodel", "float32"], tmp_path / name)
        shutil.rmtree(tmp_path / name / name)
        with pytest.raises(UserError, match="humbleyolo export"):
            Detector.load(tmp_path / name)


@pytest.mark.slow
def test_files_of_others_and_of_newer_versions_are_refused(exports: Exports, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(exports["savedmodel", "float32"], newer)
    file = newer / "assets.extra" / METADATA
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 5}))
    with pytest.raises(UserError, match=r"format 5 is not 4, .*use the version of humbleyolo that wrote it"):
        Detector.load(newer)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 4, "names": 7}))
    with pytest.raises(UserError, match=r"humbleyolo\.json is damaged"):
        Detector.load(newer)
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(UserError, match="not written by `humbleyolo export`"):
        Detector.load(tmp_path / "other.keras")


@pytest.mark.slow
@pytest.mark.parametrize("to", ["litert", "onnx"])
def test_it_runs_without_tensorflow(to: str, exports: Exports, tmp_path: Path) -> None:
    code = """
import sys
import numpy as np
from humbleyolo import Detector
Detector.load(sys.argv[1])(np.zeros((9, 9, 3), np.uint8))
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(exports[to, "float32"])], capture_output=True, text=True, check=True
    )
    assert not set(done.stdout.split()) & {"tensorflow", "keras", "dvc", "pandas"}
    assert done.stderr == ""


@pytest.mark.slow
def test_the_card_names_the_weights_that_training_began_with(exports: Exports, lite_exports: Exports) -> None:
    plain, pretrained = (Path(f"{one['keras', 'float32']}.md").read_text() for one in (exports, lite_exports))
    assert "Training began from scratch." in plain
    assert "ImageNet" not in plain
    assert f"Training began from {STARTS['pretrained']}." in pretrained
    assert "under the Apache License 2.0" in pretrained


@pytest.mark.slow
def test_the_overlap_of_an_export_is_built_in(exports: Exports) -> None:
    with pytest.raises(UserError, match="is built in; export it with another"):
        Detector.load(exports["onnx", "float32"], nms_iou=0.3)


@pytest.mark.slow
def test_the_command(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "humbleyolo", "export", "--to", "litert"]
    arguments = ["--model", data / "model", "--data", data, "--threads", "1"]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("exports/model.tflite, card exports/model.tflite.md; 40 test images: largest")
    assert done.stderr == ""
    assert {path.name for path in (tmp_path / "exports").iterdir()} == {
        "model.tflite", *(f"model.tflite.{end}" for end in BESIDE)
    }  # fmt: skip


@pytest.mark.slow
def test_an_export_goes_through_links_and_never_replaces_a_device_or_a_pipe(data: Path, tmp_path: Path) -> None:
    code = """
import sys
from humbleyolo.cli import main
_, data, *outputs = sys.argv
for output in outputs:
    try:
        main(["export", "--to", "keras", "--model", f"{data}/model", "--data", data, "--output", output])
    except SystemExit as ended:
        print(ended.code, file=sys.stderr)
"""
    (tmp_path / "far").mkdir()
    (tmp_path / "far/there.keras").write_bytes(b"old")
    (tmp_path / "far/note").write_bytes(b"old")
    (tmp_path / "far/new.keras.md").symlink_to("note")
    for name, target in (("link", "far/there"), ("dangling", "far/new"), ("loop", "loop")):
        (tmp_path / f"{name}.keras").symlink_to(f"{target}.keras")
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "null.keras").symlink_to(os.devnull)
    outputs = [f"{name}.keras" for name in ("link", "dangling", "pipe", "loop")] + ["null.keras", os.devnull]
    done = subprocess.run(
        [sys.executable, "-c", code, str(data), *outputs], capture_output=True, text=True, cwd=tmp_path
    )
    is_no_file = "is a device or a pipe; an export is read again to be compared, so name a file"
    assert done.stderr.splitlines() == [
        "0", "0", f"error: pipe.keras: {is_no_file}", "2",
        "error: loop.keras: cannot be written: a link leads to itself", "2",
        *[f"error: {os.devnull}: the name of a file for keras must end in .keras", "2"] * 2,
    ]  # fmt: skip
    for name in ("link", "dangling"):
        assert (tmp_path / f"{name}.keras").is_symlink()
        assert (tmp_path / f"{name}.keras").read_bytes().startswith(b"PK")
    assert (tmp_path / "far/new.keras.md").is_symlink()
    assert "new.keras" in (tmp_path / "far/note").read_text()
    assert (tmp_path / "pipe.keras").is_fifo()
    assert Path(os.devnull).is_char_device()
