"""Results as files of JSON lines: whole, in order, and gone on with by a second run, whatever stopped the first."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from stub_models import RedFinder

from humbleyolo.cli import main
from humbleyolo.detection import line_files
from humbleyolo.detection.detector import Detector
from humbleyolo.detection.image_paths import NamedImage, NamedImages
from humbleyolo.detection.line_files import LineFiles, Outcomes
from humbleyolo.detection.predict_images import TOLD, Counts, detect_all
from humbleyolo.errors import UserError

COUNT = 11


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eleven pictures with a red box, one of them damaged, in files of four."""
    monkeypatch.setattr(line_files, "PART_IMAGES", 4)
    monkeypatch.setattr("humbleyolo.detection.detector.open_model", lambda *_: RedFinder())
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(COUNT):
        pixels = np.zeros((20 + number, 30, 3), np.uint8)
        pixels[5:, 10:, 0] = 255
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    (folder / "05.png").write_bytes(b"no picture")
    return folder


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["predict", "--model", "red", *map(str, arguments)])
    return int(ended.value.code or 0)


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_a_token_in_the_url_of_the_model_is_not_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.json").write_text("{}")
    monkeypatch.setattr("humbleyolo.detection.cluster_detection.fetch_model", lambda *_: tmp_path)
    for to in ("json", "jsonl-parts"):
        options = ["--model", "https://me:TOKEN@host/x.git", "--format", to, "--output", str(tmp_path / to)]
        with pytest.raises(SystemExit):
            main(["predict", *options, str(folder)])
    for path in (tmp_path / "json", tmp_path / "jsonl-parts" / "run.json"):
        assert json.loads(path.read_text())["model"] == "https://me:***@host/x.git"
        assert "TOKEN" not in path.read_text()
    assert "TOKEN" not in "".join(capsys.readouterr())


def test_each_image_has_its_line_in_order(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--format", "jsonl-parts", "--output", tmp_path / "out") == 1
    names = ["part-000000.jsonl", "part-000001.jsonl", "part-000002.jsonl", "run.json"]
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == names
    lines = [json.loads(line) for name in names[:3] for line in (tmp_path / "out" / name).read_text().splitlines()]
    assert run(folder, "--output", tmp_path / "all.json") == 1
    whole = json.loads((tmp_path / "all.json").read_text())
    assert [line for line in lines if "error" not in line] == whole["images"]
    assert [line for line in lines if "error" in line] == whole["errors"]
    assert [line["file"] for line in lines] == [f"{folder}/{number:02}.png" for number in range(COUNT)]


@pytest.mark.parametrize("stop", range(0, COUNT, 2))
def test_a_run_that_was_stopped_is_gone_on_with(stop: int, folder: Path, tmp_path: Path) -> None:
    detector, seen = Detector(RedFinder()), []

    def detect(items: Iterable[NamedImage]) -> Outcomes:
        for item, outcome in detect_all(detector, items, 10_000):
            if len(seen) == stop:
                raise KeyboardInterrupt
            seen.append(item.shown)
            yield item, outcome

    images = NamedImages([str(folder)]).items
    list(
        LineFiles(tmp_path / "whole", images, {"threshold": 0.5}).write(
            lambda some: detect_all(detector, some, 10_000)
        )
    )
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        list(LineFiles(out, images, {"threshold": 0.5}).write(detect))
    assert not list(out.glob("*.partial*"))
    again = LineFiles(out, images, {"threshold": 0.5})
    whole_parts = stop // 4
    assert (again.done, again.total) == (4 * (whole_parts - (whole_parts >= 2)), COUNT)  # one image has an error
    seen.append("")  # past where it stopped
    list(again.write(detect))
    assert contents(out) == contents(tmp_path / "whole")


def test_a_second_run_makes_the_parts_with_errors_anew_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of eleven images, number 5 is in the second part of four."""
    options = ["--format", "jsonl-parts", "--output", tmp_path / "out"]
    run(folder, *options)
    before = contents(tmp_path / "out")
    written = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    capsys.readouterr()
    assert run(folder, *options) == 1
    assert "note: 7 images had results of an earlier run" in capsys.readouterr().err
    assert contents(tmp_path / "out") == before
    anew = {path.name for path in (tmp_path / "out").iterdir() if path.stat().st_mtime_ns != written[path.name]}
    assert anew == {"part-000001.jsonl"}
    shutil.copy(folder / "04.png", folder / "05.png")
    assert run(folder, *options) == 0
    lines = [json.loads(line) for line in (tmp_path / "out/part-000001.jsonl").read_text().splitlines()]
    assert lines[1] == lines[0] | {"file": f"{folder}/05.png"}
    capsys.readouterr()
    assert run(folder, *options) == 0
    assert "note: 11 images had results of an earlier run" in capsys.readouterr().err


@pytest.mark.parametrize(("line", "done"), [({"file": 'a"error"'}, True), ({"file": "a", "error": "b"}, False)])
def test_only_a_line_with_an_error_makes_a_part_anew(line: dict[str, str], done: bool, tmp_path: Path) -> None:
    (tmp_path / "part").write_text(json.dumps({"file": "first"}) + "\n" + json.dumps(line) + "\n")
    assert line_files._is_done(tmp_path / "part") == done
    (tmp_path / "part").write_text('{"error"\n')
    with pytest.raises(UserError, match=r"part: cannot be read .*; remove it, and it is made anew"):
        line_files._is_done(tmp_path / "part")


def test_another_run_s_folder_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    run(folder, "--format", "jsonl-parts", "--output", out)
    (folder / "05.png").unlink()
    assert run(folder, "--format", "jsonl-parts", "--output", out, "--threshold", "0.25") == 2
    said = capsys.readouterr().err
    assert "threshold was 0.5 and is 0.25, images was 11 and is 10" in said.replace("\n", " ")
    assert run(folder, "--format", "jsonl-parts", "--output", folder) == 2
    assert f"{folder}: holds other files" in capsys.readouterr().err
    assert run(folder, "--format", "jsonl-parts") == 2
    assert "give --output FOLDER alone" in capsys.readouterr().err


def test_a_list_names_images_once_and_in_its_order(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [folder / "03.png", folder / "none.png", folder / "01.png", folder / "03.png"]
    (tmp_path / "list.txt").write_text("".join(f"{name}\n" for name in names) + "\n")
    assert run("--list", tmp_path / "list.txt") == 1
    found = json.loads(capsys.readouterr().out)
    assert [image["file"] for image in found["images"]] == [str(folder / "03.png"), str(folder / "01.png")]
    assert [error["file"] for error in found["errors"]] == [str(folder / "none.png")]
    (tmp_path / "list.txt").write_text("\n")
    assert run("--list", tmp_path / "list.txt") == 2
    assert "names no image; it holds the path of one per line" in capsys.readouterr().err
    assert run() == 2
    assert "give paths, or a --list FILE" in capsys.readouterr().err


def test_a_folder_of_a_run_that_was_killed_at_its_first_file_is_gone_on_with(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in (".run.json.partial", ".run.json.0a1b2c3d.partial"):  # the second as former versions named it
        (tmp_path / "out" / name).write_text("{")
    assert run(folder / "00.png", "--format", "jsonl-parts", "--output", tmp_path / "out") == 0
    assert sorted(contents(tmp_path / "out")) == ["part-000000.jsonl", "run.json"]
    (tmp_path / "out/.part-000000.jsonl.0a1b2c3d.partial").write_text("{")
    assert run(folder / "00.png", "--format", "jsonl-parts", "--output", tmp_path / "out") == 0
    assert sorted(contents(tmp_path / "out")) == ["part-000000.jsonl", "run.json"]


def test_counts_of_a_million_pictures_do_not_grow(folder: Path) -> None:
    found = replace(Detector(RedFinder())(folder / "00.png"), limit_reached=True)
    empty = replace(found, boxes=found.boxes[:0], scores=found.scores[:0], labels=found.labels[:0])
    item = NamedImages([str(folder)]).items[0]
    counts = Counts()
    for _ in range(TOLD + 5):
        counts.add(item, found, 1)
        counts.add(item, empty, 1)
    assert (counts.images, counts.without, len(counts.empty)) == (2 * TOLD + 10, TOLD + 5, TOLD)
    assert (counts.remarked, len(counts.remarks)) == (2 * TOLD + 10, TOLD)


@given(parts=st.lists(st.lists(st.text("ab/", min_size=1), max_size=4), max_size=4), index=st.integers(-20, 20))
def test_images_are_made_as_they_are_asked_for(parts: list[list[str]], index: int) -> None:
    from humbleyolo.detection.image_paths import _Images

    images, flat = _Images(), [Path(name).as_posix() for part in parts for name in part]
    for part in parts:
        images.add(None, part)
    assert len(images) == len(flat)
    assert [image.shown for image in images] == flat
    assert [image.shown for image in images[index:]] == flat[index:]
    if -len(flat) <= index < len(flat):
        assert images[index].shown == flat[index]
    else:
        with pytest.raises(IndexError):
            images[index]
