"""The page: what the server answers, and what a person sees in a browser."""

import base64
import io
import json
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from repository import ROOT
from split_writer import write_split
from stub_models import RedFinder
from waitress.task import ThreadedTaskDispatcher

from humbleyolo import Detector, UserError
from humbleyolo.cli import main
from humbleyolo.commands.serve import _is_of_words as is_of_words
from humbleyolo.commands.serve import _sample as own_sample
from humbleyolo.drawing.palette import class_colours, css_properties
from humbleyolo.geometry.detections import Detections
from humbleyolo.serve.app import create_app
from humbleyolo.serve.limits import IDLE_S, MOST_UPLOAD_MIB
from humbleyolo.serve.paced_channel import PacedChannel
from humbleyolo.serve.server import make_server, run_server
from humbleyolo.storage.png import encode_png


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
    cells = answer["grid"].pop("confidence")
    assert cells == [0.75, *[0.0] * 14]  # row by row
    assert answer["grid"] == {"rows": 3, "cols": 5, "extent": [-16.0, 0.0, 112.0, 64.0]}


def test_a_limit_and_further_frames_are_told() -> None:
    finder = RedFinder()
    finder.facts = replace(finder.facts, max_detections=1)
    one = create_app(Detector(finder), max_bytes=100_000, max_pixels=1_000_000).test_client()
    frames = [Image.open(io.BytesIO(picture(box=(20, 10, 60, place)))) for place in (40, 30)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    notes = one.post("/detect", data=file.getvalue()).get_json()["notes"]
    assert notes[0].startswith(
        "the image: 1 box found on it, or on a tile of it, which is the most; there may be more"
    )
    assert notes[1:] == ["the image: has 2 pages or frames; only the first is looked at"]


def test_classes_have_the_colours_that_pictures_give_them(client: Any) -> None:
    model = client.get("/model").get_json()
    assert model["colours"] == class_colours(len(model["names"]))
    assert css_properties() in client.get("/page.css").get_data(as_text=True)


def test_the_page_opens_on_a_picture_of_the_model_s_kind(client: Any) -> None:
    own = create_app(Detector(RedFinder()), max_bytes=1000, max_pixels=1000, sample=picture()).test_client()
    assert own.get("/model").get_json()["has_sample"]
    assert own.get("/sample").data == picture()
    assert not client.get("/model").get_json()["has_sample"]


def test_words_are_drawn_for_a_model_of_words_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not is_of_words(("chat", "rat"))  # no params.yaml
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text)
    assert is_of_words(("rat", "chat"))
    assert not is_of_words(("cell", "platelet"))
    (tmp_path / "params.yaml").write_text(text.replace("source: synthetic", "source: labelled"))
    assert not is_of_words(("chat", "rat"))


def test_the_first_test_image_with_objects_is_opened_on_smaller_than_an_upload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert own_sample(("chat", "rat")) is None
    Path("data/dataset").mkdir(parents=True)
    with write_split(Path("data/dataset/test"), ["chat", "rat"]) as archive:
        for number, boxes in enumerate(([], [[1.0, 2, 30, 40]])):
            pixels = np.full((600, 2600, 3), 100 * number, np.uint8)
            archive.add(f"{number}.png", encode_png(pixels), 600, 2600, boxes, [0] * len(boxes))
    assert own_sample(("rat", "chat")) is None
    sample = Image.open(io.BytesIO(own_sample(("chat", "rat")) or b""))
    assert (sample.size, sample.getpixel((5, 5))) == ((1280, 295), (100, 100, 100))


def test_the_page_loads_nothing_from_elsewhere(client: Any) -> None:
    for name in ("/", "/page.js", "/page.css"):
        response = client.get(name)
        assert response.status_code == 200
        assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w", response.get_data(as_text=True))
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert client.get("/").content_type == "text/html; charset=utf-8"
    assert {path.name for path in resources.files("humbleyolo.detection").iterdir()} >= {"page.js", "page.css"}


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
    assert client.post("/detect", data=picture(), headers={"Origin": "http://127.0.0.1:8000"}).status_code == 200


@pytest.mark.parametrize("headers", [{"Origin": "http://["}, {"Origin": "http://[::1"}])
def test_malformed_names_are_no_fault_of_the_server(headers: dict[str, str], client: Any) -> None:
    response = client.post("/detect", data=picture(), headers=headers)
    assert response.status_code == 400
    assert "error" in response.get_json()


@contextmanager
def running(finder: RedFinder | None = None, sample: bytes | None = None, *, draws: bool = True) -> Iterator[str]:
    """Run a server until the block ends, and yield its URL."""
    server = make_server(Detector(finder or RedFinder(), threshold=0.3), 0, 1, sample, draws=draws)
    with run_in_thread(server) as interrupt:
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.task_dispatcher.shutdown(timeout=60)  # Ctrl-C gives the threads 5 s, too few where others compute
        interrupt()


@contextmanager
def run_in_thread(server: Any) -> Iterator[Callable[[], None]]:
    """Run a server in a thread, and yield a function that is Ctrl-C to it; the block ends when the server has."""
    interrupted, readable = threading.Event(), server.readable

    def raise_or_ask() -> bool:
        if interrupted.is_set():
            raise KeyboardInterrupt
        return bool(readable())

    server.readable = raise_or_ask
    server.adj.asyncore_loop_timeout = 0.05  # seconds until it asks again, if nothing comes
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_server, server)
        try:
            yield interrupted.set
        finally:
            interrupted.set()
        running.result(60)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A running server."""
    with running() as address:
        yield address


def post(url: str, data: bytes, timeout: float = 60) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"{url}/detect", data=data, timeout=timeout) as response:
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


def test_requests_that_wait_and_browsers_that_went_away_are_no_news(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("humbleyolo.serve.server.THREADS", 1)
    all_wait, add, added = threading.Event(), ThreadedTaskDispatcher.add_task, []

    class Waiting(RedFinder):
        def detect(self, images: np.ndarray, min_score: float) -> list[Detections]:
            assert all_wait.wait(60)
            return super().detect(images, min_score)

    def add_and_count(dispatcher: ThreadedTaskDispatcher, task: object) -> None:
        add(dispatcher, task)
        added.append(task)
        if len(added) == 3:
            all_wait.set()

    monkeypatch.setattr(ThreadedTaskDispatcher, "add_task", add_and_count)
    with running(Waiting()) as url, ThreadPoolExecutor(3) as pool:
        assert [status for status, _ in pool.map(lambda _: post(url, picture()), range(3))] == [200] * 3
    server = make_server(Detector(RedFinder()), 0, 1)
    monkeypatch.setattr(server, "accept", lambda: (_ for _ in ()).throw(ConnectionAbortedError()))
    server.handle_accept()
    with run_in_thread(server) as interrupt:
        interrupt()
    assert caplog.text == ""


def test_a_thread_that_answers_longer_than_ctrl_c_waits_writes_to_nothing_that_is_closed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked, goes_on, shutdown = threading.Event(), threading.Event(), ThreadedTaskDispatcher.shutdown

    class Slow(RedFinder):
        def detect(self, images: np.ndarray, min_score: float) -> list[Detections]:
            asked.set()
            assert goes_on.wait(60)
            return super().detect(images, min_score)

    monkeypatch.setattr("humbleyolo.serve.server.THREADS", 1)
    monkeypatch.setattr(ThreadedTaskDispatcher, "shutdown", lambda one: shutdown(one, timeout=0.1))
    server = make_server(Detector(Slow()), 0, 1)
    port = server.socket.getsockname()[1]
    with ThreadPoolExecutor(1) as pool:
        with run_in_thread(server) as interrupt:
            answer = pool.submit(post, f"http://127.0.0.1:{port}", picture())
            assert asked.wait(60)
            interrupt()
        goes_on.set()
        assert answer.result(60)[0] == 200
    shutdown(server.task_dispatcher, timeout=60)
    assert caplog.messages == ["1 thread(s) still running"]
    with run_in_thread(server) as interrupt:  # which closes it, now that no thread answers
        interrupt()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))


HEAD = b"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"


@pytest.mark.parametrize(
    ("half", "drip"),
    [(HEAD + b"half", b""), (HEAD + b"half", b"x"), (HEAD[:30], b"x"), (b"\r\n", b"\r\n")],
    ids=["stops", "body", "head", "empty lines"],
)
def test_half_open_uploads_lock_nobody_out(half: bytes, drip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humbleyolo.serve.server.CONNECTIONS", 4)
    monkeypatch.setattr("humbleyolo.serve.server.IDLE_S", 1)
    done = threading.Event()

    def keep_open(one: socket.socket) -> None:
        with one, suppress(OSError):  # it is closed
            one.sendall(half)
            while not done.wait(0.1):
                one.sendall(drip)

    with running() as url, ThreadPoolExecutor(3) as pool:
        port = int(url.rpartition(":")[2])
        for _ in range(3):  # one more than are held, beside the server's own two
            pool.submit(keep_open, socket.create_connection(("127.0.0.1", port)))
        try:
            assert post(url, picture())[0] == 200
        finally:
            done.set()


def test_a_slow_upload_that_goes_on_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humbleyolo.serve.paced_channel.BYTES_PER_S", 10)
    now, arrived, receive = [0.0], queue.SimpleQueue(), PacedChannel.received
    monkeypatch.setattr("humbleyolo.serve.paced_channel.time", SimpleNamespace(monotonic=lambda: now[0]))

    def receive_and_tell(channel: PacedChannel, data: bytes) -> bool:
        more = receive(channel, data)
        arrived.put(len(data))
        return more

    monkeypatch.setattr(PacedChannel, "received", receive_and_tell)
    data = picture()
    head, size = HEAD.replace(b"1000", str(len(data)).encode()), len(data) // 7
    pieces = [head, *(data[start : start + size] for start in range(0, len(data), size))]

    with running() as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as one:
        for piece in pieces:
            one.sendall(piece)
            assert arrived.get(timeout=60) == len(piece)
            now[0] += IDLE_S / 5
        assert now[0] > IDLE_S
        assert one.recv(100).startswith(b"HTTP/1.1 200")


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


@pytest.mark.parametrize(("option", "most"), [("--port", 65_535), ("--max-upload-mib", MOST_UPLOAD_MIB)])
def test_a_number_beyond_its_limit_is_refused_by_its_option(
    option: str, most: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["serve", option, str(most + 1)])
    assert f"error: {option} {most + 1} is not allowed; allowed: " in capsys.readouterr().err


def test_a_taken_port_and_a_missing_package_are_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Detector(RedFinder())
    with pytest.raises(UserError, match="cannot be had: Address already in use; give another with --port"):
        make_server(detector, int(url.rpartition(":")[2]), 1)
    monkeypatch.setitem(sys.modules, "waitress", None)
    with pytest.raises(UserError, match=r"serve needs the package waitress; install it with `uv sync --extra serve`"):
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
        assert server.wait(60) == 0
        assert server.stderr.read() == ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    pytest.importorskip("playwright", reason="needs playwright, of the group dev")
    import browser as chrome

    if chrome.CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with chrome.chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Any, url: str) -> Any:
    """The page, ready. Its console tells of refused uploads, and of `orange` reading the canvas; of nothing else."""
    import browser as chrome

    window = chrome.window(browser, width=1200)
    page = window.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(url)
    page.wait_for_function("() => document.body.dataset.ready === 'yes'")
    yield page
    window.close()
    expected = ("Failed to load resource", "Multiple readback operations")
    assert [text for text in told if not any(part in text for part in expected)] == []


def rows(page: Any) -> list[str]:
    return [" ".join(row.inner_text().split()) for row in page.locator("#found tr").all()]


def wait_for_rows(page: Any, count: int) -> None:
    page.wait_for_function("count => document.querySelectorAll('#found tr').length === count", arg=count)


def slide(page: Any, value: float) -> None:
    page.locator("#threshold").evaluate(
        "(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }", value
    )


def orange(page: Any) -> int:
    """Return how many pixels of the picture have the second class's colour."""
    return int(
        page.locator("#canvas").evaluate(
            "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;"
            " for (let i = 0; i < d.length; i += 4)"
            " if (d[i] === 0x56 && d[i + 1] === 0xb4 && d[i + 2] === 0xe9) n++; return n; }"
        )
    )


@pytest.mark.slow
def test_a_picture_is_uploaded_and_its_boxes_follow_the_slider(page: Any, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    page.locator("#file").set_input_files(tmp_path / "a.png")
    wait_for_rows(page, 1)
    (row,) = rows(page)
    assert row.startswith("rat 0.784 2")
    assert orange(page) > 300
    slide(page, 0.9)  # higher than the score, 200 / 255
    assert rows(page) == []
    assert orange(page) == 0
    assert "0 shown, 1 of lower score" in page.locator("#count").inner_text()
    slide(page, 0.5)
    assert len(rows(page)) == 1
    before = page.locator("#canvas").evaluate("c => c.toDataURL()")
    page.locator("#grid").click()
    assert page.locator("#canvas").evaluate("c => c.toDataURL()") != before


@pytest.mark.slow
def test_a_broken_file_is_answered_with_a_message(page: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(picture()[:80])
    page.locator("#file").set_input_files(tmp_path / "broken.png")
    page.wait_for_function("() => document.getElementById('message').classList.contains('wrong')")
    assert page.locator("#message").inner_text().startswith("the picture: ")
    (tmp_path / "large.png").write_bytes(bytes(2**20 + 1))
    page.locator("#file").set_input_files(tmp_path / "large.png")
    page.wait_for_function("() => document.getElementById('message').textContent.includes('more than 1 MiB')")
    (tmp_path / "a.png").write_bytes(picture())
    page.locator("#file").set_input_files(tmp_path / "a.png")
    wait_for_rows(page, 1)
    assert page.locator("#message").inner_text() == ""


@pytest.mark.slow
def test_a_word_and_a_stroke_are_drawn_and_looked_at(page: Any) -> None:
    def white() -> int:
        return int(
            page.evaluate(
                "() => { const d = picture.getContext('2d').getImageData(0, 0, picture.width, picture.height).data;"
                " let n = 0; for (let i = 0; i < d.length; i += 4) if (d[i] > 128) n++; return n; }"
            )
        )

    canvas = page.locator("#canvas")
    assert white() == 0
    page.locator("#word").fill("chat")
    canvas.click()
    page.wait_for_function("() => answer !== null")
    word = white()
    assert word > 20
    page.locator("#word").fill("")
    box = canvas.bounding_box()
    left, top = box["x"] + box["width"] / 2 - 100, box["y"] + box["height"] / 2 - 80
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + 150, top + 20)
    page.mouse.up()
    page.wait_for_function("() => answer !== null")
    assert white() > word + 10
    page.locator("#blank").click()
    assert white() == 0


@pytest.mark.slow
def test_nothing_is_drawn_for_a_model_of_photographs(page: Any) -> None:
    assert page.locator(".drawing:visible").count() == 4
    page.route("**/model", lambda route: route.fulfill(json=route.fetch().json() | {"draws": False}))
    page.reload()
    page.wait_for_function("() => document.body.dataset.ready === 'yes'")
    assert page.locator(".drawing:visible").count() == 0
    page.locator("#canvas").click()
    assert page.evaluate("() => last === null && asked") == 1


class Reddish(RedFinder):
    """Is as sure of each cell as its image is red."""

    def confidence(self, images: np.ndarray) -> np.ndarray:
        """Return the part that is red in each cell."""
        red = (images[..., 0] > 150).mean(axis=(1, 2), dtype=np.float32)
        return np.tile(red[:, None, None], (1, 3, 5))


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_a_photograph_is_opened_on_with_numbers_that_can_be_read_and_follow_the_picture(
    browser: Any, width: int, tmp_path: Path
) -> None:
    (tmp_path / "b.png").write_bytes(picture(box=(0, 0, 96, 64)))
    import browser as chrome

    with running(Reddish(), picture(800, 1600, (200, 100, 900, 700)), draws=False) as url:
        window = chrome.window(browser, width=width, height=800)
        page = window.new_page()
        page.add_init_script(
            "globalThis.texts = []; const made = CanvasRenderingContext2D.prototype, { fillText, clearRect } = made;"
            "made.fillText = function (text, x, y) { fillText.call(this, text, x, y);"
            " texts.push([text, parseFloat(this.font) * this.canvas.clientWidth / this.canvas.width, x, y]); };"
            "made.clearRect = function (...all) { texts.length = 0; clearRect.apply(this, all); };"
        )
        page.goto(url)
        page.wait_for_function("() => document.body.dataset.ready === 'yes'")
        (row,) = rows(page)
        assert row.startswith("rat 0.784 ")
        *cells, name = page.evaluate("texts")
        assert name[0] == "rat 0.78"
        assert [text for text, *_ in cells] == [cells[0][0]] * 15
        assert abs(float(cells[0][0]) - 700 * 600 / (800 * 1600)) < 0.03
        assert len({(x, y) for _, _, x, y in cells}) == 15
        assert min(high for _, high, *_ in [*cells, name]) > 10.5  # pixels of the screen
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("#file").set_input_files(tmp_path / "b.png")
        page.wait_for_function("() => Number(texts[0]?.[0]) > 0.7")
        page.locator("#grid").click()
        assert [text for text, *_ in page.evaluate("texts")] == ["rat 0.78"]
        window.close()


@pytest.mark.slow
def test_black_has_no_boxes_of_the_picture_before(page: Any, tmp_path: Path) -> None:
    page.evaluate("() => { source.detect = () => new Promise((done) => { globalThis.finish = done; }); }")
    (tmp_path / "a.png").write_bytes(picture())
    page.locator("#file").set_input_files(tmp_path / "a.png")
    page.wait_for_function("() => globalThis.finish")
    page.locator("#blank").click()
    box = {"label": "rat", "score": 0.9, "box": [1, 2, 30, 40]}
    page.evaluate(
        "told => finish(told)", {"detections": [box], "grid": {"extent": [0, 0, 64, 32], "rows": 1, "cols": 1}}
    )
    assert page.evaluate("() => answer") is None
    assert rows(page) == []
    assert page.locator("#message").inner_text() == ""


@pytest.mark.slow
def test_a_dropped_picture_is_looked_at(page: Any) -> None:
    page.evaluate(
        "text => { const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));"
        " const data = new DataTransfer(); data.items.add(new File([bytes], 'a.png', {type: 'image/png'}));"
        " document.body.dispatchEvent("
        "new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true})); }",
        base64.b64encode(picture()).decode(),
    )
    wait_for_rows(page, 1)
