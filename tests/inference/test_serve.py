"""The page: what the server answers, and what a person sees in a browser."""

import base64
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stub_models import RedFinder

from humbleyolo import Detector, UserError
from humbleyolo.serve.app import create_app
from humbleyolo.serve.server import make_server


def picture(height: int = 64, width: int = 96, box: tuple[int, int, int, int] = (20, 10, 60, 40)) -> bytes:
    """A PNG with a red box."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[box[1] : box[3], box[0] : box[2], 0] = 200
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def client() -> Any:
    app = create_app(Detector(RedFinder(), threshold=0.3), max_bytes=100_000, max_pixels=1_000_000)
    return app.test_client()


def test_boxes_come_in_the_picture_s_pixels_with_the_grid(client: Any) -> None:
    answer = client.post("/detect", data=picture()).get_json()
    assert (answer["width"], answer["height"]) == (96, 64)
    (one,) = answer["detections"]
    np.testing.assert_allclose(one["box"], (20, 10, 60, 40), atol=2)
    assert one["label"] == "rat"
    # 96 x 64 in 64 x 32 has bars at both sides: the grid reaches beyond the picture
    assert answer["grid"] == {"rows": 3, "cols": 5, "extent": [-16.0, 0.0, 112.0, 64.0]}


def test_the_page_loads_nothing_from_elsewhere(client: Any) -> None:
    for name in ("/", "/page.js", "/page.css"):
        response = client.get(name)
        assert response.status_code == 200
        assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w", response.get_data(as_text=True))
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert client.get("/").content_type == "text/html; charset=utf-8"
    assert {path.name for path in resources.files("humbleyolo.serve").iterdir()} >= {"page.js", "page.css"}


@pytest.mark.parametrize("data", [b"", b"text", picture()[:90], b"P6 1 1 255 abc", b"GIF89a"])
def test_a_broken_picture_is_answered_with_a_message(data: bytes, client: Any) -> None:
    response = client.post("/detect", data=data)
    assert response.status_code == 400
    assert response.get_json()["error"].startswith("the picture: ")


def test_what_is_too_large_is_refused(client: Any) -> None:
    response = client.post("/detect", data=bytes(100_001))
    assert response.status_code == 413
    assert response.get_json() == {"error": "the picture has more than 0.0953674 MiB"}
    response = client.post("/detect", data=picture(1001, 1000))
    assert response.status_code == 400
    assert "1000 x 1001 pixels, more than the 1,000,000 allowed" in response.get_json()["error"]


def test_unknown_pages_and_methods_are_refused(client: Any) -> None:
    for name in ("/other", "/app.py", "/../app.py", "/page.html/x"):
        assert client.get(name).status_code == 404
    assert client.get("/detect").status_code in (404, 405)
    assert "error" in client.post("/").get_json()


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
def test_other_sites_cannot_use_it(headers: dict[str, str], client: Any) -> None:
    assert client.post("/detect", data=picture(), headers=headers).status_code == 403
    assert (
        client.post("/detect", data=picture(), headers={"Origin": "http://127.0.0.1:8000"}).status_code == 200
    )


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A running server."""
    server = make_server(Detector(RedFinder(), threshold=0.3), 0, 1)

    def run() -> None:
        with suppress(OSError):  # its socket is closed under it at the end
            server.run()

    threading.Thread(target=run, daemon=True).start()
    yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    server.close()


def post(url: str, data: bytes) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"{url}/detect", data=data, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_fifty_requests_at_once_are_all_served_right(url: str) -> None:
    boxes = [(x, 5, x + 30, 30) for x in range(50)]
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda box: post(url, picture(box=box)), boxes))
    for box, (status, answer) in zip(boxes, answers, strict=True):
        assert status == 200
        np.testing.assert_allclose(answer["detections"][0]["box"], box, atol=2)


def test_an_oversized_upload_does_not_reach_the_application(url: str) -> None:
    for size in (2**20 + 1, 5 * 2**20):
        try:
            status, _ = post(url, bytes(size))
        except (urllib.error.URLError, ConnectionError):  # refused while it was still being sent
            continue
        assert status == 413
    assert post(url, picture())[0] == 200


def test_it_listens_on_this_machine_alone(url: str) -> None:
    port = int(url.rpartition(":")[2])
    other = socket.gethostbyname(socket.gethostname())
    if other.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((other, port), timeout=5)


def test_a_taken_port_and_wrong_numbers_are_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Detector(RedFinder())
    with pytest.raises(UserError, match="cannot be had: Address already in use; give another with --port"):
        make_server(detector, int(url.rpartition(":")[2]), 1)
    with pytest.raises(UserError, match="port is 70000"):
        make_server(detector, 70_000, 1)
    monkeypatch.setitem(sys.modules, "waitress", None)
    with pytest.raises(UserError, match=r"serve needs the package waitress; .*humbleyolo\[serve\]"):
        make_server(detector, 0, 1)


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted(network_folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "humbleyolo",
        "serve",
        "--model",
        str(network_folder),
        "--port",
        "0",
        "--no-open",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        url = server.stdout.readline().split()[0]
        assert post(url, picture())[0] == 200
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
        assert server.stderr.read() == ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=1200,900",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    with webdriver.Chrome(options=options, service=service) as chrome:
        yield chrome


@pytest.fixture
def page(browser: Any, url: str) -> Any:
    """The page, ready."""
    browser.get(url)
    until(browser, "return document.body.dataset.ready === 'yes'")
    yield browser
    for entry in browser.get_log("browser"):  # refused uploads are there, and nothing else that is wrong
        assert entry["level"] != "SEVERE" or "Failed to load resource" in entry["message"]


def until(page: Any, script: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(page, 20).until(lambda one: one.execute_script(script))


def rows(page: Any) -> list[str]:
    return [row.text for row in page.find_elements("css selector", "#found tr")]


def slide(page: Any, value: float) -> None:
    page.execute_script(
        "const s = document.getElementById('threshold'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))",
        value,
    )


def orange(page: Any) -> int:
    """Return how many pixels of the picture have the second class's colour."""
    return int(
        page.execute_script(
            "const c = document.getElementById('canvas');"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height)"
            ".data; let n = 0; for (let i = 0; i < d.length; i += 4)"
            " if (d[i] === 0x56 && d[i + 1] === 0xb4 && d[i + 2] === 0xe9) n++; return n"
        )
    )


@pytest.mark.slow
def test_a_picture_is_uploaded_and_its_boxes_follow_the_slider(page: Any, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    page.find_element("id", "file").send_keys(str(tmp_path / "a.png"))
    until(page, "return document.querySelectorAll('#found tr').length === 1")
    (row,) = rows(page)
    assert row.startswith("rat 0.784 2")
    assert orange(page) > 300
    slide(page, 0.9)  # higher than the score, 200 / 255
    assert rows(page) == []
    assert orange(page) == 0
    assert "0 shown, 1 of lower score" in page.find_element("id", "count").text
    slide(page, 0.5)
    assert len(rows(page)) == 1
    with_grid = page.execute_script("return document.getElementById('canvas').toDataURL()")
    page.find_element("id", "grid").click()
    assert page.execute_script("return document.getElementById('canvas').toDataURL()") != with_grid


@pytest.mark.slow
def test_a_broken_file_is_answered_with_a_message(page: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(picture()[:80])
    page.find_element("id", "file").send_keys(str(tmp_path / "broken.png"))
    until(page, "return document.getElementById('message').classList.contains('wrong')")
    assert page.find_element("id", "message").text.startswith("the picture: ")
    (tmp_path / "large.png").write_bytes(bytes(2**20 + 1))
    page.find_element("id", "file").send_keys(str(tmp_path / "large.png"))
    until(page, "return document.getElementById('message').textContent.includes('more than 1 MiB')")
    (tmp_path / "a.png").write_bytes(picture())
    page.find_element("id", "file").send_keys(str(tmp_path / "a.png"))
    until(page, "return document.querySelectorAll('#found tr').length === 1")
    assert page.find_element("id", "message").text == ""


@pytest.mark.slow
def test_a_word_and_a_stroke_are_drawn_and_looked_at(page: Any) -> None:
    from selenium.webdriver import ActionChains

    def white() -> int:
        return int(
            page.execute_script(
                "const d = picture.getContext('2d').getImageData(0, 0, picture.width, picture.height).data;"
                "let n = 0; for (let i = 0; i < d.length; i += 4) if (d[i] > 128) n++; return n"
            )
        )

    canvas = page.find_element("id", "canvas")
    assert white() == 0
    page.find_element("id", "word").send_keys("chat")
    ActionChains(page).move_to_element(canvas).click().perform()
    until(page, "return answer !== null")
    word = white()
    assert word > 20
    page.find_element("id", "word").clear()
    ActionChains(page).move_to_element_with_offset(canvas, -100, -80).click_and_hold().move_by_offset(
        150, 20
    ).release().perform()
    until(page, "return answer !== null")
    assert white() > word + 10
    page.find_element("id", "blank").click()
    assert white() == 0


@pytest.mark.slow
def test_a_dropped_picture_is_looked_at(page: Any) -> None:
    page.execute_script(
        "const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));"
        "const data = new DataTransfer(); data.items.add(new File([bytes], 'a.png', {type: 'image/png'}));"
        "document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}))",
        base64.b64encode(picture()).decode(),
    )
    until(page, "return document.querySelectorAll('#found tr').length === 1")
