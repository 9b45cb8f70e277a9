"""Any picture in, boxes in its own pixels out."""

import functools
import inspect
import json
import os
import pickle
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from stub_models import NAMES, RedFinder, facts, save_network

import humbleyolo
from humbleyolo import Detector, Result, UserError
from humbleyolo.detection.backend import Backend
from humbleyolo.detection.detector import remarks
from humbleyolo.geometry.detections import Detections


def scene(height: int, width: int, box: tuple[int, int, int, int]) -> np.ndarray:
    """Black, with one red box (left, top, right, bottom)."""
    image = np.zeros((height, width, 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2], 0] = 255
    return image


@given(st.data(), st.integers(1, 300), st.integers(1, 300))
def test_boxes_are_in_the_pixels_of_an_image_of_any_shape(data: st.DataObject, height: int, width: int) -> None:
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    result = Detector(RedFinder())(scene(height, width, (left, top, right, bottom)))
    assert (result.height, result.width) == (height, width)
    for box in result.boxes:
        unit = max(width / 64, height / 32, 1)  # a pixel of the network in pixels of the image
        assert np.abs(box - (left, top, right, bottom)).max() <= 2 * unit
        assert (box >= 0).all()
        assert (box <= (width, height, width, height)).all()
    if min(right - left, bottom - top) >= 4 * max(width / 64, height / 32):
        assert len(result) == 1


def test_a_picture_is_found_alike_in_every_form(tmp_path: Path) -> None:
    pixels = scene(60, 90, (10, 20, 50, 44))
    Image.fromarray(pixels).save(tmp_path / "a.png")
    detector = Detector(RedFinder())
    whole = detector(pixels)
    assert whole.file is None
    np.testing.assert_allclose(whole.boxes, [(10, 20, 50, 44)], atol=2)
    for form in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(pixels)):
        np.testing.assert_array_equal(detector(form).boxes, whole.boxes)
    assert detector(tmp_path / "a.png").file == str(tmp_path / "a.png")


def test_a_list_of_mixed_shapes_gives_what_each_alone_gives() -> None:
    rng = np.random.default_rng(0)
    model = RedFinder()
    detector = Detector(model)
    images = [scene(h, w, (0, 0, w // 2, h)) for h, w in rng.integers(20, 90, (70, 2)).tolist()]
    together = detector(images)
    assert model.batches == [32, 32, 6]
    assert len(together) == 70
    for image, result in zip(images, together, strict=True):
        np.testing.assert_array_equal(result.boxes, detector(image).boxes)
    assert detector([]) == []
    assert list(detector.stream(iter([]))) == []


@pytest.mark.parametrize("place", [0, 5, 32, 39])
def test_a_stream_gives_what_comes_before_a_broken_image(place: int, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    images: list[Any] = [scene(32, 64, (10, 4, 20, 12)) for _ in range(40)]
    images[place] = tmp_path / "broken.png"
    found = []
    with pytest.raises(UserError, match=r"broken\.png: cannot be read"):
        found.extend(Detector(RedFinder()).stream(images))
    assert [len(result) for result in found] == [1] * place


@pytest.mark.parametrize("places", [[0], [5, 31, 32], [39], range(40)])
def test_a_broken_image_costs_no_other_image(places: Sequence[int], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    good = scene(32, 64, (10, 4, 20, 12))
    images: list[Any] = [tmp_path / "broken.png" if number in places else good for number in range(40)]
    images[places[-1]] = np.zeros((3, 3, 7), np.uint8)
    detector = Detector(RedFinder())
    outcomes = list(detector.attempt(iter(images)))
    assert [number for number, one in enumerate(outcomes) if isinstance(one, UserError)] == list(places)
    assert [len(one) for one in outcomes if isinstance(one, Result)] == [1] * (40 - len(places))
    with pytest.raises(
        UserError, match=f"^{len(places)} of 40 images cannot be read; the others are in `results`"
    ) as raised:
        detector(images)
    kept = raised.value.results  # type: ignore[attr-defined]
    assert [str(one) for one in kept if isinstance(one, UserError)] == [
        str(one) for one in outcomes if isinstance(one, UserError)
    ]
    for one, expected in zip(kept, outcomes, strict=True):
        if isinstance(expected, Result):
            np.testing.assert_array_equal(one.boxes, expected.boxes)
    _, *told = raised.value.lines  # a line break inside one would be shown as an escape
    assert [line.split(":")[0].strip() for line in told[:12]] == [f"results[{place}]" for place in places[:12]]
    assert told[12:] == ["  and 28 more"] * (len(places) > 12)
    with pytest.raises(UserError, match="threshold"):
        next(detector.attempt(images, threshold=7))


@given(st.lists(st.booleans(), max_size=5))
@settings(max_examples=20)
def test_errors_keep_their_places_among_the_results_of_a_batch(read: list[bool]) -> None:
    detector = Detector(RedFinder())
    images = [detector.prepare(scene(32, 64, (4 * place, 4, 4 * place + 8, 12))) for place in range(len(read))]
    batch = [
        image if good else UserError(f"{place}") for place, (image, good) in enumerate(zip(images, read, strict=True))
    ]
    for one, outcome, alone in zip(batch, detector.detect_prepared(batch), detector.detect(images), strict=True):
        if isinstance(outcome, Result):
            np.testing.assert_array_equal(outcome.boxes, alone.boxes)
        assert isinstance(outcome, Result) or outcome is one
    assert [isinstance(one, Result) for one in detector.detect_prepared(batch)] == read


def test_a_result_as_arrays_and_as_a_table() -> None:
    result = Detector(RedFinder())(scene(32, 64, (10, 4, 20, 12)))
    assert result.boxes.dtype == result.scores.dtype == np.float64
    assert result.boxes.shape == (1, 4)
    assert result.class_names.tolist() == ["rat"]
    table = result.to_pandas()
    assert table.to_dict("records") == [{"label": "rat", "score": 1.0, "xmin": 10, "ymin": 4, "xmax": 20, "ymax": 12}]
    nothing = Detector(RedFinder())(np.zeros((32, 64, 3), np.uint8))
    assert len(nothing) == len(nothing.class_names) == len(nothing.to_pandas()) == 0
    assert list(nothing.to_pandas().columns) == list(table.columns)


def test_the_threshold_is_the_model_s_the_detector_s_or_the_call_s() -> None:
    image = scene(32, 64, (10, 4, 20, 12)) // 255 * 128  # a score of 0.502
    assert len(Detector(RedFinder(threshold=0.6))(image)) == 0
    assert len(Detector(RedFinder(threshold=0.6), threshold=0.5)(image)) == 1
    assert len(Detector(RedFinder(threshold=0.6))(image, threshold=0.5)) == 1
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(UserError, match=r"threshold is .*; it must be 0 to 1"):
            Detector(RedFinder(), threshold=wrong)
        with pytest.raises(UserError, match="threshold"):
            Detector(RedFinder())(image, threshold=wrong)


def test_tiles_find_what_is_too_small_in_the_whole() -> None:
    image = scene(600, 1000, (700, 300, 706, 304))
    image[100:110, 62:70, 0] = 255  # over an edge between tiles
    assert len(Detector(RedFinder())(image)) == 0
    found = Detector(RedFinder(64, 64), tile=64)(image)
    boxes = found.boxes[np.argsort(found.boxes[:, 0])]
    np.testing.assert_array_equal(boxes, [(62, 100, 70, 110), (700, 300, 706, 304)])
    with pytest.raises(UserError, match="tile is 3"):
        Detector(RedFinder(), tile=3)


class Dots:
    """Finds each red pixel, but no more than it has to: the first of them."""

    def __init__(self, most: int) -> None:
        self.facts = replace(facts(64, 64), max_detections=most)

    def detect(self, images: np.ndarray, min_score: float) -> list[Detections]:
        """Return a box of 2 x 2 pixels for each dot."""
        found = []
        for image in images:
            rows, cols = np.nonzero(image[..., 0] == 255)
            corners = np.stack([cols, rows, cols + 2, rows + 2], axis=1).astype(float)[: self.facts.max_detections]
            found.append(Detections(corners, np.full(len(corners), 0.9), np.zeros(len(corners), np.int64)))
        return found


def test_the_limit_is_of_each_tile_and_a_reached_one_is_told() -> None:
    image = np.zeros((256, 256, 3), np.uint8)
    image[5:250:10, 5:250:10, 0] = 255  # 25 x 25 dots, up to 49 on a tile
    found = Detector(Dots(50), tile=64)(image)
    assert len(found) == 625
    assert not found.limit_reached
    with pytest.warns(UserWarning, match="image: 20 boxes found on it, or on a tile of it, which is the most"):
        cut = Detector(Dots(20), tile=64)(image)
    assert cut.limit_reached
    assert 20 < len(cut) < 625


def test_further_pages_are_told(tmp_path: Path) -> None:
    page = Image.new("RGB", (64, 32))
    page.save(tmp_path / "a.tiff", save_all=True, append_images=[page] * 4)
    with pytest.warns(UserWarning, match=r"a\.tiff: has 5 pages or frames; only the first is looked at"):
        assert Detector(RedFinder())(tmp_path / "a.tiff").frames == 5


def test_a_detector_is_pickled_as_its_arguments(
    network_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(network_folder.parent)
    detector = Detector.load(network_folder.name, threshold=0.02, nms_iou=0.3, max_detections=61)
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(detector)
    assert len(data) < 1000  # no weights
    again = pickle.loads(data)
    assert again.facts == detector.facts
    assert (again.threshold, again.facts.max_detections) == (0.02, 61)
    image = np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)
    np.testing.assert_array_equal(again(image).boxes, detector(image).boxes)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_of_a_used_detector_says_what_to_do_and_does_not_hang(network_folder: Path) -> None:
    detector = Detector.load(network_folder)
    detector(image := np.zeros((48, 80, 3), np.uint8))
    model, batch = detector._model, np.zeros((1, detector.facts.height, detector.facts.width, 3), np.uint8)
    uses = [lambda: detector(image), lambda: Detector.load(network_folder)]
    arguments = {"detect": (batch, 0.5), "confidence": (batch,)}
    methods = {name for name, value in vars(Backend).items() if inspect.isfunction(value) and name[0] != "_"}
    assert methods == arguments.keys()
    uses += [functools.partial(getattr(model, name), *given) for name, given in arguments.items()]
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's own doubts about a fork with threads
        child = os.fork()
    if not child:
        signal.alarm(60)
        for use in uses:
            try:
                use()
            except UserError as error:
                os.write(writing, f"{error}\n".encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    lines = os.read(reading, 4096).decode().splitlines()
    os.close(reading)
    assert len(lines) == len(uses)
    assert all("was forked from one in which TensorFlow computes already" in line for line in lines)


def test_huge_images_are_refused_by_parameter() -> None:
    detector = Detector(RedFinder(), max_pixels=100)
    with pytest.raises(UserError, match="11 x 10 pixels, more than the 100 allowed"):
        detector(np.zeros((10, 11, 3), np.uint8))
    with pytest.raises(UserError, match="max_pixels is 0"):
        Detector(RedFinder(), max_pixels=0)


def test_the_network_itself_from_many_threads(network_folder: Path) -> None:
    detector = Detector.load(network_folder, threshold=0.0)
    assert detector.names == NAMES
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in rng.integers(20, 120, (24, 2)).tolist()]
    alone = [detector(image) for image in images]
    assert any(len(result) for result in alone)
    with ThreadPoolExecutor(8) as pool:
        for before, now in zip(alone, pool.map(detector, images), strict=True):
            np.testing.assert_allclose(now.boxes, before.boxes, atol=1e-3)
            np.testing.assert_allclose(now.scores, before.scores, atol=1e-5)


def test_it_finds_what_the_evaluation_finds(network_folder: Path) -> None:
    from humbleyolo.models.selection import Selection
    from humbleyolo.models.trained_network import Network

    image = np.random.default_rng(4).integers(0, 256, (48, 80, 3), np.uint8)
    (expected,) = Network.load(network_folder).detect_batch(image[None], Selection(0.01, 0.4, 100))
    found = Detector.load(network_folder, threshold=0.01, nms_iou=0.4)(image)
    np.testing.assert_allclose(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.labels, expected.labels)


def test_whole_pixels_are_the_picture_s() -> None:
    image = scene(51, 90, (10, 4, 31, 19))
    box = Detector(RedFinder())(image).boxes
    whole = Detector(RedFinder(), whole_pixels=True)(image).boxes
    np.testing.assert_array_equal(whole, np.round(box))
    assert not np.array_equal(whole, box)


def test_what_is_no_model_is_refused(network_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere: no such model; give a folder that `train` wrote"):
        Detector.load(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is no model; give a folder"):
        Detector.load(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UserError, match="is no model; give a folder"):
        Detector.load(tmp_path / "a.txt")
    for wrong in ({"nms_iou": 2}, {"threads": 0}, {"threshold": 7}, {"max_detections": 0}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            Detector.load(network_folder, **wrong)


def test_damaged_and_newer_models_are_refused(tmp_path: Path) -> None:
    folder = save_network(tmp_path / "model")
    data = (folder / "weights.npz").read_bytes()
    (folder / "weights.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"weights\.npz: is damaged"):
        Detector.load(folder)
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(UserError, match="use the version of humbleyolo that wrote it"):
        Detector.load(folder)


def test_the_package_offers_what_it_lists_and_imports_it_late() -> None:
    assert humbleyolo.Detector is Detector
    assert set(humbleyolo.__all__) <= set(dir(humbleyolo))
    assert Result.__module__ == "humbleyolo.detection.result"
    with pytest.raises(AttributeError, match="no attribute 'Detektor'"):
        humbleyolo.Detektor  # noqa: B018
    code = "import sys, humbleyolo; print(*sys.modules); humbleyolo.Detector; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = (set(line.split()) for line in done.stdout.splitlines())
    assert not before & {"numpy", "PIL", "humbleyolo.inference"}
    assert "humbleyolo.detection.detector" in after
    assert not after & {"tensorflow", "keras", "dvc", "pandas"}


def test_the_package_is_typed() -> None:
    assert (Path(humbleyolo.__file__).parent / "py.typed").is_file()


def test_facts_about_a_picture_show_what_its_name_holds() -> None:
    nothing = np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)
    result = Result(*nothing, ("cat",), 1, 1, "a\n\x1b[2J.gif", limit_reached=True, frames=2)
    assert [one.partition(":")[0] for one in remarks(result, 1)] == [r"a\n\x1b[2J.gif"] * 2


@pytest.mark.parametrize("wrong", [None, 7, b"bytes"])
def test_what_is_no_picture_and_no_list_of_them_is_refused_in_words(wrong: Any) -> None:
    with pytest.raises(UserError, match="a picture is given as"):
        Detector(RedFinder())(wrong)
    with pytest.raises(UserError, match=r"a picture is given as NoneType.*cv2\.imread gives None for a file"):
        Detector(RedFinder())(None)  # type: ignore[call-overload]
