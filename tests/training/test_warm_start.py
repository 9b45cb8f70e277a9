"""The weights that training begins with: those of another model by name and shape, its classes by their names."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from sections import model_section
from small_training import PLAIN

from humbleyolo.errors import UserError
from humbleyolo.geometry.grid import Grid
from humbleyolo.models.artifact import ModelInfo, read_info, save_model
from humbleyolo.models.build import build_model
from humbleyolo.models.lite import backbone_block
from humbleyolo.params.sections import Model
from humbleyolo.training.pretrained import STARTS
from humbleyolo.training.warm_start import TakenOver, begin, take_over

COMPACT = model_section("compact", width=0.25, depth=0.3, stride=4)
DENSE = model_section("humble", head="dense")
CONVOLUTIONAL = model_section("humble", head="convolutional", batch_norm=True)
LITE = model_section("lite", width=0.25)
SLOW = [pytest.param(model, marks=pytest.mark.slow) for model in (DENSE, CONVOLUTIONAL, LITE)]
OWN = PLAIN.model_copy(update={"start": "own"})
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 48, 80, 3), np.uint8)


def info_of(model: Model, classes: Sequence[str], height: int = 48, start: str = "scratch") -> ModelInfo:
    return ModelInfo(model, Grid(height, 80, height // 16, 5, 1, len(classes)), tuple(classes), 0, start)


@cache
def trained(model: Model, grid: Grid) -> keras.Model:
    """A network with weights of a seed of its own, its normalization far from a new one's; do not change it."""
    network = build_model(model, grid, 9)
    for variable in network.weights:
        if "norm" in variable.path:
            variable.assign(np.asarray(variable) + 0.5)
    return network


@cache
def new(model: Model, grid: Grid) -> keras.Model:
    """A network for what ends before its weights change."""
    return build_model(model, grid, 1)


def saved(folder: Path, info: ModelInfo) -> keras.Model:
    """A trained network, written into `folder`."""
    network = trained(info.model, info.grid)
    folder.mkdir(exist_ok=True)
    save_model(folder, info, {one.path: np.asarray(one) for one in network.weights})
    return network


def taken_over(folder: Path, info: ModelInfo) -> tuple[keras.Model, TakenOver]:
    network = build_model(info.model, info.grid, 1)
    return network, take_over(network, info, folder)[0]


@pytest.mark.parametrize("model", [COMPACT, *SLOW])
def test_the_same_network_begins_as_the_other_ended(tmp_path: Path, model: Model) -> None:
    info = info_of(model, "ab")
    old = saved(tmp_path, info)
    network, taken = taken_over(tmp_path, info)
    assert (taken.arrays, taken.known, taken.new, taken.left) == (len(network.weights), ("a", "b"), (), ())
    np.testing.assert_array_equal(network(PIXELS), old(PIXELS))


@pytest.mark.parametrize("model", [COMPACT, DENSE, *SLOW[1:]])
def test_predictions_follow_the_names_of_classes(tmp_path: Path, model: Model) -> None:
    before = np.asarray(saved(tmp_path, info_of(model, "abc"))(PIXELS))
    network, taken = taken_over(tmp_path, info_of(model, "cab"))
    assert (taken.known, taken.left) == (("c", "a", "b"), ())
    np.testing.assert_allclose(network(PIXELS), before[..., [2, 0, 1, *range(3, before.shape[-1])]], rtol=1e-5)


@pytest.mark.parametrize("model", [COMPACT, DENSE, CONVOLUTIONAL, SLOW[-1]])
def test_a_new_class_begins_at_random_beside_those_that_are_known(tmp_path: Path, model: Model) -> None:
    before = np.asarray(saved(tmp_path, info_of(model, "abc"))(PIXELS))
    info = info_of(model, "cxa")
    network, taken = taken_over(tmp_path, info)
    assert (taken.known, taken.new, taken.left) == (("c", "a"), ("x",), ())
    assert str(taken).endswith(" arrays taken over; classes: c, a; new classes: x")
    after = np.asarray(network(PIXELS))
    np.testing.assert_allclose(after[..., 3:], before[..., 3:], rtol=1e-5)  # boxes and confidence
    ratio = (after[..., 0] / after[..., 2], before[..., 2] / before[..., 0])  # of c to a, whatever a softmax shares
    np.testing.assert_allclose(*ratio, rtol=1e-4)
    last = next(one for one in network.weights if one.path in ("head_conv/kernel", "grid/kernel", "dense2/kernel"))
    fresh = next(one for one in new(model, info.grid).weights if one.path == last.path)
    numbers = info.grid.shape[-1] if last.path != "head_conv/kernel" else last.shape[-1]
    cells = (*last.shape[:-1], -1, numbers)
    mine, random = np.asarray(last).reshape(cells), np.asarray(fresh).reshape(cells)
    np.testing.assert_array_equal(mine[..., 1], random[..., 1])
    assert (mine[..., 0] != random[..., 0]).all()


def test_of_many_classes_the_terminal_has_some_and_the_model_all(tmp_path: Path) -> None:
    many = [f"class {number:03}" for number in range(80)]
    taken = TakenOver(10, 12, tuple(many[:79]), (many[79],), ())
    assert all(name in str(taken) for name in many)
    assert len(taken.shortened()) < 300
    assert taken.shortened().endswith(f" ...; new classes: {many[79]}")


def test_another_input_size_keeps_what_fits_and_names_the_rest(tmp_path: Path) -> None:
    saved(tmp_path, info_of(COMPACT, "ab"))
    _, taken = taken_over(tmp_path, info_of(COMPACT, "ab", height=96))
    assert taken.arrays + len(taken.left) == taken.of
    assert not [name for name in taken.left if name.startswith(("head_conv", "trunk", "mix1"))]
    saved(tmp_path, info_of(DENSE, "ab"))  # whose last layers know one size
    network, taken = taken_over(tmp_path, info_of(DENSE, "ab", height=96))
    assert set(taken.left) == {one.path for one in network.weights if one.path.startswith("dense")}
    assert (taken.known, taken.new) == ((), ("a", "b"))
    assert str(taken).endswith(
        "; new classes: a, b; at random: dense1/kernel, dense1/bias, dense2/kernel, dense2/bias"
    )


def test_layers_are_taken_over_whole_or_not_at_all(tmp_path: Path) -> None:
    saved(tmp_path, info_of(COMPACT, "ab"))
    wider = model_section("compact", width=0.5, depth=0.3, stride=4)  # the head's bias alone would fit
    network = build_model(wider, info_of(wider, "ab").grid, 1)
    before = [np.asarray(one).copy() for one in network.weights]
    with pytest.raises(
        UserError, match=r"no layer of its model has the shape of one in params\.yaml; set the section"
    ):
        take_over(network, info_of(wider, "ab"), tmp_path)
    for now, then in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_words_are_kept_and_name_the_first_of_a_line_of_models(tmp_path: Path) -> None:
    names = ["日本", "long " * 100 + "name", *(f"class {number}" for number in range(300))]
    first = info_of(CONVOLUTIONAL, names, start=STARTS["pretrained"])
    saved(tmp_path, first)
    for _ in range(3):
        info = info_of(CONVOLUTIONAL, [*names[1:], "new"])
        words = begin(build_model(CONVOLUTIONAL, info.grid, 1), info, OWN, tmp_path)
        content = (tmp_path / "model.json").read_bytes() + (tmp_path / "weights.npz").read_bytes()
        assert words.startswith(f"own: model.json and weights.npz of sha256 {hashlib.sha256(content).hexdigest()}; ")
        saved(tmp_path, info_of(CONVOLUTIONAL, names, start=words))
        assert read_info(tmp_path).start == words
        assert read_info(tmp_path).origin == first.start == first.origin
    assert info_of(CONVOLUTIONAL, "ab").origin == "scratch"


def test_the_first_blocks_of_a_backbone_are_frozen(tmp_path: Path) -> None:
    info = info_of(LITE, "ab")
    network = trained(LITE, info.grid)
    saved(tmp_path, info)
    for start, frozen in (("scratch", 0), ("own", PLAIN.backbone.frozen_blocks)):
        begin(network, info, PLAIN.model_copy(update={"start": start}), tmp_path)
        blocks = {layer: backbone_block(layer.name) for layer in network.layers}
        assert all(layer.trainable == (block is None or block >= frozen) for layer, block in blocks.items())


@pytest.mark.parametrize(
    ("there", "asked", "told"),
    [
        (LITE, COMPACT, "holds model lite, but params.yaml asks for compact with edges: false, which shares no"),
        (
            model_section("compact", width=0.25, depth=0.3, stride=4, edges=True), COMPACT,
            "holds model compact with edges: true, but params.yaml asks for compact with edges: false",
        ),
        (model_section("humble", scale_pixels=False), DENSE, "holds model humble with scale_pixels: false, but"),
    ],
)  # fmt: skip
def test_a_model_of_another_kind_is_refused(tmp_path: Path, there: Model, asked: Model, told: str) -> None:
    saved(tmp_path, info_of(there, "ab"))
    info = info_of(asked, "ab")
    with pytest.raises(UserError) as caught:
        take_over(new(asked, info.grid), info, tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: {told}")


def damage(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "weights.npz").unlink(), r"weights\.npz: no such file; train it"),
        (damage("weights.npz", lambda content: content[:-9]), r"weights\.npz: is damaged"),
        (
            damage("weights.npz", lambda content: content[:5000] + b"\0\0\0\0" + content[5004:]),
            r"weights\.npz: is dam",
        ),
        (damage("model.json", lambda content: content[:-9]), r"model\.json: is damaged"),
        (damage("model.json", lambda content: content.replace(b"0.25", b"0.5")), r"weights\.npz: is damaged"),
    ],
)
def test_a_damaged_model_is_refused_with_the_way_to_another(
    tmp_path: Path, spoil: Callable[[Path], object], told: str
) -> None:
    info = info_of(COMPACT, "ab")
    saved(tmp_path, info)
    spoil(tmp_path)
    with pytest.raises(UserError, match=rf"train\.start is own: .*{told}.*; then `cp -r data/model/\. data/start/`"):
        begin(new(COMPACT, info.grid), info, OWN, tmp_path)


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    info = info_of(COMPACT, "ab")
    (tmp_path / "README.md").write_text("Nothing yet.")
    for folder, named in ((tmp_path, str(tmp_path)), (tmp_path / "none", "none"), (None, "no folder")):
        with pytest.raises(
            UserError, match=rf"train\.start is own, but .*{named} holds no model; put one there: `cp"
        ):
            begin(new(COMPACT, info.grid), info, OWN, folder)
