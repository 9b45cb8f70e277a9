"""The model's files: equal models are equal bytes, and what is not a whole model of ours is refused."""

import json
import os
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sections import model_section

from humbleyolo.errors import UserError
from humbleyolo.geometry.grid import Grid
from humbleyolo.models.artifact import ModelInfo, Weights, read_info, read_weights, save_model

INFO = ModelInfo(
    model_section("compact", width=0.25, depth=1.0, stride=4),
    Grid(48, 80, 3, 5, 2, 2),
    ("chat", "日本"),
    114,
    "pretrained: weights of others",
)
WEIGHTS: Weights = {
    "trunk/kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
    "trunk/bias": np.array([-0.0, 1e-45, 3e38], np.float32),
    "scale": np.float32(2).reshape(()),
}
SHAPES = {name: values.shape for name, values in WEIGHTS.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(tmp_path, INFO, WEIGHTS)
    return tmp_path


def test_what_is_saved_is_read(folder: Path) -> None:
    assert read_info(folder) == INFO
    found = read_weights(folder, SHAPES)
    assert list(found) == sorted(WEIGHTS)
    for name, values in WEIGHTS.items():
        assert found[name].tobytes() == values.tobytes()
        assert found[name].dtype == np.float32


def test_equal_models_are_equal_bytes_whenever_they_are_written(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    backwards = dict(reversed(WEIGHTS.items()))
    os.environ["SOURCE_DATE_EPOCH"] = "1"  # nothing of the kind is looked at
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda: 2_000_000_000.0)
            patch.setattr(time, "localtime", lambda *_: time.gmtime(2_000_000_000))
            save_model(other, INFO, backwards)
    finally:
        del os.environ["SOURCE_DATE_EPOCH"]
    for name in ("weights.npz", "model.json"):
        assert (folder / name).read_bytes() == (other / name).read_bytes()
    with zipfile.ZipFile(folder / "weights.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_numpy_alone_reads_the_weights(folder: Path) -> None:
    with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
        assert sorted(arrays.files) == sorted(WEIGHTS)


def test_an_old_model_json_does_not_stand_for_weights_that_failed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(RuntimeError):
        save_model(folder, INFO, WEIGHTS)
    with pytest.raises(UserError, match=r"model\.json: no such file"):
        read_info(folder)


@pytest.mark.parametrize("name", ["weights.npz", "model.json"])
def test_a_missing_file_says_what_to_run(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(UserError, match=rf"{name}: no such file.*`dvc repro train`.*`dvc pull`"):
        read_info(folder) if name == "model.json" else read_weights(folder, SHAPES)


def test_a_file_in_place_of_a_model_s_folder_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").touch()
    with pytest.raises(UserError, match=r"m\.onnx: is a file; a model that `train` wrote, a folder, is needed here"):
        read_info(tmp_path / "m.onnx")


def test_weights_cut_short_or_changed_anywhere_are_refused_or_the_same(folder: Path) -> None:
    path = folder / "weights.npz"
    whole = path.read_bytes()
    for cut in (0, 1, 30, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"weights\.npz: .*dvc repro train"):
            read_weights(folder, SHAPES)
    refused = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            found = read_weights(folder, SHAPES)
        except UserError:
            refused += 1
        else:  # a date, an attribute: nothing that matters
            assert all(found[name].tobytes() == values.tobytes() for name, values in WEIGHTS.items()), place
    assert refused > len(whole) // 2


def write(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def npy(values: np.ndarray, shape: object = None, dtype: str = "<f4") -> bytes:
    """An .npy file whose header may say another shape than the values have."""
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape or values.shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + values.tobytes()


GOOD = {f"{name}.npy": npy(values) for name, values in WEIGHTS.items()}


def test_the_entries_written_here_are_good(folder: Path) -> None:
    write(folder / "weights.npz", GOOD)
    assert set(read_weights(folder, SHAPES)) == set(WEIGHTS)


@pytest.mark.parametrize(
    "scale",
    [
        npy(np.ones(0, np.float32), (10**13,)),  # promises 40 TB
        npy(np.ones(0, np.float32), (500_000_000,)),
        npy(np.ones(5, np.float32), ()),
        npy(np.ones(5_000_000, np.float32)),
        npy(np.ones((), np.float32), "(1,)"),
        npy(np.ones((), np.float64), dtype="<f8"),
        npy(np.ones((), ">f4"), dtype=">f4"),
        npy(np.ones((), np.float32), dtype="|O"),
        npy(np.array(np.nan, np.float32)),
        npy(np.array(-np.inf, np.float32)),
        npy(np.ones((), np.float32)) + b"more",
        b"not an array",
        b"",
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"\x93NUMPY\x09\x00\x10\x00{}" + b" " * 30,
        b"\x93NUMPY\x01\x00\x29\x23" + b"-" * 9000 + b"1",
    ],
    ids=range(16),
)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_entry_that_is_no_weight_of_ours_is_refused_before_it_is_held(
    scale: bytes, method: int, folder: Path
) -> None:
    write(folder / "weights.npz", GOOD | {"scale.npy": scale}, method)
    tracemalloc.start()
    with pytest.raises(UserError, match=r"weights\.npz: .*; train it with `dvc repro train`"):
        read_weights(folder, SHAPES)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("damage", [False, True])
def test_compression_is_refused_without_a_look_at_it(method: int, damage: bool, folder: Path) -> None:
    path = folder / "weights.npz"
    write(path, GOOD, method)
    if damage:
        with zipfile.ZipFile(path) as archive:
            start = archive.getinfo("trunk/kernel.npy").header_offset + 30 + len("trunk/kernel.npy")
        damaged = bytearray(path.read_bytes())
        damaged[start : start + 20] = b"\xff" * 20
        path.write_bytes(damaged)
    with pytest.raises(UserError, match=r"weights\.npz: is damaged .* is compressed"):
        read_weights(folder, SHAPES)


def test_a_file_larger_than_its_weights_is_refused_unread(folder: Path) -> None:
    write(folder / "weights.npz", GOOD | {f"{number}.npy": b"" for number in range(5_000)})
    tracemalloc.start()
    with pytest.raises(UserError, match=r"weights\.npz: holds other weights than model\.json asks for: \d+ bytes"):
        read_weights(folder, SHAPES)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize(
    "change",
    [
        lambda entries: entries.pop("scale.npy"),
        lambda entries: entries.update({"more.npy": npy(np.ones(3, np.float32))}),
        lambda entries: entries.update({"trunk/kernel2.npy": entries.pop("trunk/kernel.npy")}),
        lambda entries: entries.update({"scale": entries.pop("scale.npy")}),
        lambda entries: entries.update({"../scale.npy": entries.pop("scale.npy")}),
        lambda entries: entries.clear(),
    ],
)
def test_other_weights_are_refused_by_name(change: Callable[[dict[str, bytes]], object], folder: Path) -> None:
    entries = dict(GOOD)
    change(entries)
    write(folder / "weights.npz", entries)
    with pytest.raises(UserError, match=r"weights\.npz: holds other weights than model\.json asks for: "):
        read_weights(folder, SHAPES)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_given_twice_is_refused(folder: Path) -> None:
    with zipfile.ZipFile(folder / "weights.npz", "a") as archive:
        archive.writestr("scale.npy", GOOD["scale.npy"])
    with pytest.raises(UserError, match=r"weights\.npz: "):
        read_weights(folder, SHAPES)


def change_info(folder: Path, edit: Callable[[dict[str, object]], object]) -> None:
    content = json.loads((folder / "model.json").read_text())
    edit(content)
    (folder / "model.json").write_text(json.dumps(content))


@pytest.mark.parametrize("number", [2, 4])
def test_another_format_asks_for_its_version_or_to_train_again(number: int, folder: Path) -> None:
    change_info(folder, lambda content: content.update(format=number, model="unknown"))
    said = rf"model\.json: format {number} is not 3.*use the version .* that wrote it, or train it with"
    with pytest.raises(UserError, match=said):
        read_info(folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "7", '"x"', "{}", '{"format": 3}', "\xff\xfe", "[" * 100_000]
)
def test_a_file_that_is_no_model_json_is_refused(text: str, folder: Path) -> None:
    (folder / "model.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"model\.json: .*; train it"):
        read_info(folder)


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content.pop("grid"),
        lambda content: content["grid"].update(rows=0),
        lambda content: content["grid"].update(cols=-5),
        lambda content: content["grid"].update(cols=10**9),
        lambda content: content["grid"].update(height=10**9),
        lambda content: content["grid"].update(rows=513),
        lambda content: content["grid"].update(boxes=65),
        lambda content: content["grid"].update(boxes="two"),
        lambda content: content["grid"].update(boxes=2.5),
        lambda content: content["grid"].update(depth=1),
        lambda content: content["grid"].update(classes=3),
        lambda content: content.update(grid=[1, 2]),
        lambda content: content.update(categories=["chat"]),
        lambda content: content.update(categories="ab"),
        lambda content: content.update(categories=["chat", 7]),
        lambda content: content.update(fill=256),
        lambda content: content.update(fill=-1),
        lambda content: content.update(fill="black"),
        lambda content: content.pop("start"),
        lambda content: content.update(start="elsewhere"),
        lambda content: content.update(start="pretrained: a\n# b"),
        lambda content: content.update(start="own: a; it began from own"),
        lambda content: content.update(start="own: a\n; it began from scratch"),
        lambda content: content["model"].update(name="resnet"),
        lambda content: content["model"].update(width=1000.0),
        lambda content: content["model"].pop("depth"),
    ],
)
def test_a_model_json_that_cannot_be_is_refused(edit: Callable[[dict[str, object]], object], folder: Path) -> None:
    change_info(folder, edit)
    with pytest.raises(UserError, match=r"model\.json: is damaged .*; train it"):
        read_info(folder)
