"""The page of an export answers in a browser, from a file and without a network, as the same file does in Python."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import CHROMIUM, chromium, offline
from exports import settings
from PIL import Image

from humbleyolo import Detector
from humbleyolo.detection.backends.page_file import onnx_in
from humbleyolo.detection.image_input import UserError
from humbleyolo.export import model_page

SHAPES = [(48, 80), (31, 30), (20, 93), (400, 300)]


def test_the_runtime_is_the_one_that_was_vendored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(model_page.RUNTIME, "wasm", ("onnxruntime_web.wasm.gz", "0" * 64))
    with pytest.raises(RuntimeError, match="its hash is"):
        model_page.html_page(b"model", stub_metadata())


def test_the_model_comes_back_out_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "model.html"
    page.write_text(model_page.html_page(b"a model", stub_metadata()), encoding="utf-8")
    assert onnx_in(page) == b"a model"
    assert "</script><script>" not in page.read_text("utf-8").split('id="facts">')[1].split("</script>")[0]
    page.write_text("<html></html>")
    with pytest.raises(UserError, match="there is no model in it"):
        onnx_in(page)


def stub_metadata() -> Any:
    from stub_models import facts

    from humbleyolo.detection.backends.metadata import Metadata

    return Metadata.of(facts(), version="0", precision="float32", weights_sha256="0" * 64)


def drop(page: Any, picture: Path) -> None:
    """Drop a picture on the page as a person does with the mouse."""
    page.evaluate(
        """async bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
            document.body.dispatchEvent(
                new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        list(picture.read_bytes()),
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_finds_what_python_finds(data: Path, tmp_path: Path) -> None:
    from humbleyolo.export.exporter import export

    page_file = tmp_path / "model.html"
    export(data / "model", page_file, data, settings("html"))
    detector = Detector.load(page_file)
    random, told = np.random.default_rng(4), []
    with chromium() as browser:
        page = offline(browser).new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto(page_file.as_uri())
        page.wait_for_function("() => document.body.dataset.ready === 'yes'")
        for number, (height, width) in enumerate(SHAPES):
            blocks = random.integers(0, 256, (height // 10 + 1, width // 10 + 1, 3), np.uint8)
            picture = tmp_path / f"{number}.png"
            Image.fromarray(np.kron(blocks, np.ones((10, 10, 1), np.uint8))[:height, :width]).save(picture)
            page.locator("#file").set_input_files(picture)
            page.wait_for_function("w => answer && answer.width === w", arg=width)
            answer = json.loads(page.evaluate("() => JSON.stringify(answer)"))
            own = detector(picture, threshold=detector.facts.min_score)
            assert len(own) > 0
            assert [one["label"] for one in answer["detections"]] == own.class_names.tolist()
            np.testing.assert_allclose([one["score"] for one in answer["detections"]], own.scores, atol=1e-4)
            np.testing.assert_allclose([one["box"] for one in answer["detections"]], own.boxes, atol=0.01)
            assert len(answer["grid"]["confidence"]) == detector.facts.rows * detector.facts.cols
        for least, count in ((1, 0), (detector.facts.min_score, len(own))):
            page.locator("#threshold").evaluate(
                "(slider, to) => { slider.value = to; slider.dispatchEvent(new Event('input')); }", str(least)
            )
            assert page.locator("#found tr").count() == count
        with_grid = page.locator("#canvas").evaluate("canvas => canvas.toDataURL()")
        page.locator("#grid").uncheck()
        assert page.locator("#canvas").evaluate("canvas => canvas.toDataURL()") != with_grid
        drop(page, tmp_path / "0.png")
        page.wait_for_function("w => answer && answer.width === w", arg=SHAPES[0][1])
        (tmp_path / "broken.png").write_bytes(b"no picture")
        page.locator("#file").set_input_files(tmp_path / "broken.png")
        page.wait_for_function("() => document.getElementById('message').classList.contains('wrong')")
        assert page.locator("#message").inner_text().startswith("the picture: cannot be read")
    assert told == []
