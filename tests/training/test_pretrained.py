"""The pretrained weights: no file but the one of this version is taken, and it is taken exactly."""

import hashlib
import io
from collections.abc import Callable
from typing import Any, get_args

import keras
import numpy as np
import pytest
from repository import ROOT
from sections import PARAMS, loss_section, model_section
from small_training import ODD, PLAIN

from humbleyolo.dataset.encoded_split import EncodedSplit
from humbleyolo.errors import UserError
from humbleyolo.models.build import build_model
from humbleyolo.models.lite import BACKBONE, backbone_block
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Train
from humbleyolo.training.pretrained import FILE, SHA256, STARTS, freeze, load_pretrained
from humbleyolo.training.trainer import build_trainer

MODEL = model_section("lite", width=0.1, depth=0.1)
WEIGHTS = np.load(FILE, allow_pickle=False)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return build_model(MODEL, ODD, 1)


def values(network: keras.Model) -> dict[str, np.ndarray]:
    return {variable.path: np.asarray(variable).copy() for variable in network.weights}


def assert_loaded(network: keras.Model) -> None:
    for name, found in values(network).items():
        if name.startswith(BACKBONE):
            np.testing.assert_array_equal(found, WEIGHTS[name.removeprefix(BACKBONE)].astype(np.float32))


def test_the_file_holds_the_backbone_and_nothing_else(network: keras.Model) -> None:
    own = {name: found.shape for name, found in values(network).items() if name.startswith(BACKBONE)}
    assert own == {f"{BACKBONE}{name}": WEIGHTS[name].shape for name in WEIGHTS.files}
    assert WEIGHTS.files == sorted(WEIGHTS.files)
    assert {WEIGHTS[name].dtype for name in WEIGHTS.files} == {np.dtype(np.float16)}
    assert all(np.isfinite(WEIGHTS[name]).all() for name in WEIGHTS.files)


def test_loading_gives_the_numbers_of_the_file_and_leaves_the_rest() -> None:
    network = build_model(MODEL, ODD, 2)
    before = values(network)
    load_pretrained(network)
    assert_loaded(network)
    for name, found in values(network).items():
        if not name.startswith(BACKBONE):
            np.testing.assert_array_equal(found, before[name])


def rewrite(change: Callable[[dict[str, Any]], Any]) -> bytes:
    arrays = {name: WEIGHTS[name] for name in WEIGHTS.files}
    change(arrays)
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        FILE.read_bytes()[:-1],
        FILE.read_bytes()[:100_000],
        FILE.read_bytes()[:7000] + b"\0" + FILE.read_bytes()[7001:],
        rewrite(lambda arrays: arrays.pop("stem/bias")),
        rewrite(lambda arrays: arrays.update({"more": np.zeros(1)})),
        rewrite(lambda arrays: arrays.update({"stem/bias": np.zeros(31, np.float16)})),
        rewrite(lambda arrays: arrays.update({"stem/bias": np.array([{}], object)})),
    ],
    ids=["empty", "text", "truncated", "half", "damaged", "one missing", "one more", "other shape", "pickled"],
)
def test_another_file_is_refused_and_nothing_is_loaded(content: bytes, network: keras.Model, tmp_path: Any) -> None:
    file, before = tmp_path / "weights.npz", values(network)
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_pretrained(network, file)
    found = hashlib.sha256(content).hexdigest()
    assert str(caught.value).startswith(
        f"{file}: the pretrained weights are damaged (sha256 {found}, expected {SHA256}); install the package again"
    )
    assert "train.start: scratch needs none" in str(caught.value)
    for name, now in values(network).items():
        np.testing.assert_array_equal(now, before[name])


def test_a_file_that_cannot_be_read_is_named(network: keras.Model, tmp_path: Any) -> None:
    for file, why in ((tmp_path / "none.npz", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(UserError, match=rf"{file}: the pretrained weights cannot be read \({why}\); install"):
            load_pretrained(network, file)


@pytest.mark.parametrize("blocks", [0, 4, *(pytest.param(blocks, marks=pytest.mark.slow) for blocks in (1, 12))])
def test_the_first_blocks_are_frozen(blocks: int) -> None:
    network = build_model(MODEL, ODD, 1)
    freeze(network, blocks)
    trained = {variable.path for variable in network.trainable_variables}
    for variable in network.weights:
        block = backbone_block(variable.path.split("/")[0])
        statistics = "moving" in variable.path
        assert (variable.path in trained) == (not statistics and (block is None or block >= blocks)), variable.path
    held = [name for name in WEIGHTS.files if f"{BACKBONE}{name}" not in trained]
    assert len(held) == {0: 0, 1: 2, 4: 2 + 4 + 2 * 6, 12: len(WEIGHTS.files)}[blocks]
    freeze(network, 0)
    assert all(f"{BACKBONE}{name}" in {one.path for one in network.trainable_variables} for name in WEIGHTS.files)


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_training_starts_from_the_file_if_asked_to(odd: EncodedSplit) -> None:
    (runtime,) = load_params(PARAMS, "runtime")
    loss = loss_section("aligned")
    backbone = PLAIN.backbone.model_copy(update={"frozen_blocks": 2, "frozen_part": 0.5})
    train = PLAIN.model_copy(update={"start": "pretrained", "backbone": backbone, "epochs": 1})
    trainer = build_trainer(1, runtime, MODEL, loss, train, odd)
    assert_loaded(trainer._network)
    assert_loaded(trainer._average)
    steps = trainer.run_epoch(0)
    for _ in range(2):  # of four
        assert np.isfinite(next(steps)).all()
    assert_loaded(trainer._network)
    next(steps)
    for name, now in values(trainer._network).items():
        if name.startswith(BACKBONE) and name.endswith("kernel"):  # a bias in front of a norm hardly moves
            held = backbone_block(name.split("/")[0]) < 2  # type: ignore[operator]
            assert (now == WEIGHTS[name.removeprefix(BACKBONE)]).all() == held, name


def test_each_start_has_words_in_model_json() -> None:
    assert set(STARTS) == set(get_args(Train.model_fields["start"].annotation))
    assert SHA256 in STARTS["pretrained"]


def test_the_notice_names_the_hashes_and_the_licence_lies_beside_the_file() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    tool = (ROOT / "benchmarks/pretrained_weights.py").read_text(encoding="utf-8")
    found = hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert notice.split(FILE.name, 1)[1].split()[:2] == ["sha256", found]
    assert found == SHA256
    (source,) = (line.split('"')[1] for line in tool.splitlines() if line.startswith("SOURCE_SHA256"))
    assert f"sha256 {source}" in notice
    licence = FILE.with_name("efficientnet_lite0.LICENSE.txt")
    assert str(licence.relative_to(ROOT)) in notice
    assert "Apache License\n                           Version 2.0" in licence.read_text(encoding="utf-8")
