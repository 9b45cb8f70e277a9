"""`humbleyolo predict` of clips, streams and addresses, and of pictures beside them."""

import csv
import io
import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import FPS, damaged, frame, make_clip, sending, web
from PIL import Image
from stub_models import RedFinder

from humbleyolo.cli import main
from humbleyolo.detection.detector import Detector
from humbleyolo.detection.video.byte_stream import container_of
from humbleyolo.detection.video.predict_clips import SavedVideo, VideoStream

cv2 = pytest.importorskip("cv2", reason="needs the extra video")


@pytest.fixture(autouse=True)
def red_finder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humbleyolo.detection.detector.open_model", lambda *_: RedFinder())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4")


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["predict", *map(str, arguments)])
    return int(ended.value.code or 0)


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_per_frame(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(clip, "--every", 3) == 0
    out, err = capsys.readouterr()
    found, expected = lines(out), list(Detector(RedFinder()).stream(clip, every=3))
    assert [one["frame"] for one in found] == [0, 3, 6, 9, 12, 15, 18]
    for one, other in zip(found, expected, strict=True):
        assert one["seconds"] == pytest.approx(one["frame"] / FPS)
        assert (one["file"], one["width"], one["height"]) == (str(clip), other.width, other.height)
        np.testing.assert_allclose([box["box"] for box in one["detections"]], other.boxes, atol=6e-4)
    assert "7 frames, 7 detections from 0.5 on (a test)" in err


def test_csv_and_json_have_the_time_too(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(frame(0)).save(tmp_path / "picture.png")
    assert run(clip, tmp_path / "picture.png", "--every", 10, "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["image"], row["frame"], row["seconds"]) for row in rows] == [
        (str(tmp_path / "picture.png"), "", ""), (str(clip), "0", "0.0"), (str(clip), "10", "1.0"),
    ]  # fmt: skip
    assert run(clip, "--every", 10, "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["seconds"] for one in document["images"]] == [0.0, 1.0]
    assert run(tmp_path / "picture.png", "--format", "csv") == 0
    assert "seconds" not in capsys.readouterr().out


def test_a_folder_of_clips_and_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    make_clip(folder / "a.mp4", 4)
    make_clip(folder / "deep/a.avi", 4)
    assert run(folder, "--save-video", tmp_path / "drawn") == 0
    names = [
        (Path(one["file"]).relative_to(folder).as_posix(), one["frame"]) for one in lines(capsys.readouterr().out)
    ]
    assert names == [(name, number) for name in ("a.mp4", "deep/a.avi") for number in range(4)]
    assert sorted(path.relative_to(tmp_path / "drawn").as_posix() for path in (tmp_path / "drawn").rglob("*.*")) == [
        "a.mp4", "deep/a.mp4",
    ]  # fmt: skip
    Image.fromarray(frame(0)).save(folder / "picture.png")
    assert run(folder, folder / "a.mp4") == 0
    out, err = capsys.readouterr()
    assert [one["file"] for one in lines(out)][:2] == [str(folder / "picture.png"), str(folder / "a.mp4")]
    assert "1 image, 8 frames" in err
    assert "left out" not in err
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(folder / "a.mp4", "a.mp4")
        archive.write(folder / "picture.png", "picture.png")
    assert run(tmp_path / "all.zip") == 0
    out, err = capsys.readouterr()
    assert "1 left out" in err
    assert "all.zip/a.mp4" in err
    assert run(folder / "*.mp4", folder / "deep/*") == 0
    assert len(lines(capsys.readouterr().out)) == 8


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of pictures, as a telephone and a programmer leave it."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(frame(0)).save(folder / "a.png")
    make_clip(folder / "a.mov", 3)
    (folder / "code.ts").write_text("export const a = 1\n")
    return folder


def test_clips_among_pictures_choose_no_format(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(photos) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert [Path(one["file"]).name for one in document["images"]] == ["a.png"] + 3 * ["a.mov"]
    assert [one["file"] for one in document["left_out"]] == [f"{photos}/code.ts"]
    assert "1 left out: no picture of a known kind" in err
    for to in ("coco", "yolo", "voc", "cvat", "jsonl-parts"):
        assert run(photos / "*" if to == "voc" else photos, "--format", to, "--output", tmp_path / f"{to}.out") == 0
        err = capsys.readouterr().err
        assert f"note: 1 left out: a clip, and --format {to} is of pictures: {photos}/a.mov" in err
    assert run(photos, "--format", "voc", "--every", 2) == 2
    assert (
        f"are of videos; left out: {photos}/a.mov: a clip, and --format voc is of pictures" in capsys.readouterr().err
    )
    assert run(photos, photos / "a.mov", "--format", "voc", "--output", tmp_path / "voc") == 2
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert run(photos, "--format", "csv") == 0
    out, err = capsys.readouterr()
    assert out.count("a.png") == len(out.splitlines()) - 1 == 1
    assert "1 left out: a clip: needs the package opencv-python-headless" in err
    assert run(photos / "a.mov") == 1


def test_other_files_in_a_folder_of_clips_are_named(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "a.png").rename(photos / "a.psd")
    for path in (photos, photos / "*"):
        assert run(path) == 0
        out, err = capsys.readouterr()
        assert len(lines(out)) == 3
        assert "3 frames, 3 detections" in err
        assert "2 left out: no picture of a known kind" in err
        assert f"{photos}/a.psd, {photos}/code.ts" in err


def test_a_broken_clip_is_told_and_the_others_are_done(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"#EXTM3U\nhttp://127.0.0.1:1/a.ts\n")
    assert run(tmp_path / "bad.mp4", clip, "--every", 10) == 1
    out, err = capsys.readouterr()
    first, *rest = lines(out)
    assert first["file"] == str(tmp_path / "bad.mp4")
    assert "is a playlist" in first["error"]
    assert len(rest) == 2
    assert "1 of 2 videos failed" in err
    assert run(clip, "http://127.0.0.1:1/a.png", "--every", 10) == 1
    assert "1 of 1 video and 1 address failed" in capsys.readouterr().err
    assert run("http://127.0.0.1:1/a.png", "http://127.0.0.1:1/b.png") == 1
    assert "2 of 2 addresses failed" in capsys.readouterr().err


@pytest.mark.parametrize("to", ["json", "jsonl", "csv"])
def test_frames_that_cannot_be_decoded_are_told_and_the_others_are_written(
    to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = damaged(make_clip(tmp_path / "whole.mp4", 40), (12, 25, 26))
    assert run(path, "--format", to, "--save-video", tmp_path / "drawn.mp4") == 0
    out, err = capsys.readouterr()
    assert f"note: {path}: 3 frames cannot be decoded, after 1.10 s, 2.40 s: it is damaged there" in err
    assert "37 frames, 37 detections" in err
    rows = {
        "json": lambda: json.loads(out)["images"], "jsonl": lambda: lines(out),
        "csv": lambda: csv.DictReader(io.StringIO(out)),
    }[to]()  # fmt: skip
    assert [int(row["frame"]) for row in rows] == [number for number in range(40) if number not in (12, 25, 26)]
    assert len(list(Detector(RedFinder()).stream(tmp_path / "drawn.mp4"))) == 40  # it lasts as long


def test_save_video(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(clip, "--save-video", tmp_path / "out.mp4", "--every", 2, "--output", tmp_path / "boxes.jsonl") == 0
    back = list(Detector(RedFinder()).stream(tmp_path / "out.mp4"))
    assert [one.video_frame.seconds for one in back] == pytest.approx(np.arange(10) / FPS * 2, abs=2e-3)
    assert len(lines((tmp_path / "boxes.jsonl").read_text())) == 10
    assert run(clip, clip.parent / "out.mp4", "--save-video", tmp_path / "both.mp4") == 2
    assert "there are 2 clips; name a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("paths", "target"),
    [(["clips/a.mp4"], "clips/a.mp4"), (["clips/a.mp4"], "link.mp4"), (["clips"], "clips"),
     (["link.mp4"], "clips/a.mp4"), (["clips/b.avi", "link.mp4"], "there")],
)  # fmt: skip
def test_a_drawing_replaces_no_clip_that_is_looked_at(
    paths: list[str], target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("clips", "there"):
        Path(folder).mkdir()
    make_clip(Path("clips/a.mp4"), 3)
    make_clip(Path("clips/a.avi"), 3)
    make_clip(Path("clips/b.avi"), 3)
    Path("link.mp4").symlink_to("clips/a.mp4")
    Path("there/b.mp4").symlink_to("../clips/a.mp4")
    before = {path: path.read_bytes() for path in Path("clips").iterdir()}
    assert run(*paths, "--save-video", target) == 2
    assert f"--save-video {target}: would replace " in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path("clips").iterdir()} == before
    assert run("clips/a.mp4", "--save-video", "clips/c.mp4") == 0


def test_a_picture_by_its_address(capsys: pytest.CaptureFixture[str]) -> None:
    file = io.BytesIO()
    Image.fromarray(frame(1)).save(file, "PNG")
    with web(sending(file.getvalue(), "image/png")) as url:
        assert run(f"{url}/a.png") == 0
    (one,) = lines(capsys.readouterr().out)
    assert (one["file"], "frame" in one) == (f"{url}/a.png", False)
    assert one["detections"][0]["box"] == [16, 16, 48, 48]


def test_ctrl_c_keeps_what_was_found(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = SavedVideo.add

    def stop(self: SavedVideo, result: object, fps: float) -> None:
        add(self, result, fps)
        if result.video_frame.number == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(SavedVideo, "add", stop)
    monkeypatch.setattr(VideoStream, "skipped", property(lambda _: 7, lambda *_: None), raising=False)
    options = ("--save-video", tmp_path / "out.mp4", "--output", tmp_path / "boxes.jsonl")
    results = VideoStream.results
    full = lambda *told: (replace(one, limit_reached=True) for one in results(*told))  # noqa: E731
    monkeypatch.setattr(VideoStream, "results", full)
    assert run(clip, *options) == 130
    err = capsys.readouterr().err
    assert "stopped; what was found until then is kept" in err
    assert "on 5 frames the limit of detections was reached" in err
    assert "7 frames skipped for newer ones" in err
    assert len(lines((tmp_path / "boxes.jsonl").read_text())) == 5
    assert len(list(Detector(RedFinder()).stream(tmp_path / "out.mp4"))) == 5


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WEBP", "PNG"])
def test_pages_of_a_picture_by_its_address_are_told(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, *others = [Image.fromarray(frame(number)) for number in range(3)]
    data = io.BytesIO()
    first.save(data, kind, save_all=True, append_images=others)
    with web(sending(data.getvalue())) as url:
        assert run(f"{url}/a") == 0
        assert f"note: {url}/a: has 3 pages or frames; only the first is looked at" in capsys.readouterr().err
        with pytest.warns(UserWarning, match="has 3 pages or frames"):
            (found,) = Detector(RedFinder()).stream(f"{url}/a")
    assert found.frames == 3


@pytest.mark.parametrize("to", ["coco", "yolo", "voc", "cvat"])
def test_labels_are_of_pictures(to: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(clip, "--format", to, "--output", tmp_path / "out") == 2
    assert f"--format {to} is of pictures; of videos and addresses it is json, jsonl, csv" in capsys.readouterr().err


def test_options_of_videos_need_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(frame(0)).save(tmp_path / "a.png")
    for option in (["--every", "2"], ["--save-video", "x.mp4"], ["--max-seconds", "1"]):
        assert run(tmp_path / "a.png", *option) == 2
        assert "are of videos; no path is one" in capsys.readouterr().err
    assert run(tmp_path / "a.png", "--format", "jsonl") == 0
    assert len(lines(capsys.readouterr().out)) == 1


def test_a_number_is_a_camera_unless_a_file_has_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_WARNING)  # as if TensorFlow had imported it
    assert run("93") == 1
    out, err = capfd.readouterr()
    assert lines(out)[0]["file"] == "camera 93"
    assert err.startswith("error: camera 93: cannot be opened: no such camera, or")  # and no line of OpenCV's own


def test_images_are_drawn_of_pictures_alone(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(clip, "--save-images", tmp_path / "drawn") == 2
    assert "frames are drawn by --save-video" in capsys.readouterr().err
    assert not (tmp_path / "drawn").exists()


@pytest.mark.parametrize("brand", [b"avif", b"heic", b"mif1", b"hevc"])
def test_pictures_in_the_box_of_a_clip_are_no_clips(brand: bytes) -> None:
    assert container_of(b"\0\0\0\x1cftyp" + brand) is None
    assert container_of(b"\0\0\0\x1cftypisom") == "mov"
