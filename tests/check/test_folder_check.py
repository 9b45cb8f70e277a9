"""The check of a labelled folder, on good data with planted errors."""

import csv
import importlib
import io
import json
import re
import tracemalloc
from argparse import ArgumentParser
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from folders import Files, Maker, encoded, picture, voc
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from repository import ROOT
from terminal import Terminal

from humbleyolo.check import wrong_labels
from humbleyolo.check.check_page import write_page
from humbleyolo.check.findings import _names_alike, add_findings
from humbleyolo.check.folder_check import Checked, _in_two_lines, check, found_lines, report_lines, table_rows
from humbleyolo.check.wrong_labels import _background
from humbleyolo.cli import main
from humbleyolo.drawing.label_font import font
from humbleyolo.errors import UserError
from humbleyolo.geometry.iou import pairwise_iou
from humbleyolo.inputs.ledger import Finding, Ledger
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.process.display_width import display_width
from humbleyolo.process.terminal import COLUMNS, wrapped_lines
from humbleyolo.recipe import grid_advice
from humbleyolo.splits.split_in_force import NOT_JUDGED

WORDS = ("chat", "rat", "bird")
HEIGHT, WIDTH, IMAGES = 96, 144, 240
Row = tuple[str, str, float, float, float, float, str]


def drawn(number: int) -> tuple[bytes, list[Row]]:
    """One picture with words on it, and its true labels."""
    rng = np.random.default_rng(number)
    image = Image.new("RGB", (WIDTH, HEIGHT), tuple(rng.integers(0, 90, 3).tolist()))
    brush, rows, taken = ImageDraw.Draw(image), [], []
    split = ("train", "val", "test")[number % 3]
    for _ in range(4):
        word = WORDS[rng.integers(len(WORDS))]
        place = (int(rng.integers(2, 100)), int(rng.integers(2, 74)))
        left, top, right, bottom = (float(value) for value in brush.textbbox(place, word, font=font(14)))
        if any(left < x2 + 3 and x1 < right + 3 and top < y2 + 3 and y1 < bottom + 3 for x1, y1, x2, y2 in taken):
            continue
        taken.append((left, top, right, bottom))
        brush.text(place, word, font=font(14), fill=tuple(rng.integers(150, 255, 3).tolist()))
        rows.append((f"{number:03}.png", word, left, top, right, bottom, split))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue(), rows


@cache
def good() -> tuple[dict[str, bytes], list[Row]]:
    pictures, rows = {}, []
    for number in range(IMAGES):
        pictures[f"{number:03}.png"], own = drawn(number)
        rows += own
    return pictures, rows


def table(rows: list[Row], *background: str) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["image", "label", "xmin", "ymin", "xmax", "ymax", "split"])
    writer.writerows(rows)
    writer.writerows([name, "", "", "", "", "", ""] for name in background)
    return file.getvalue()


def found(checked: Checked, kind: str) -> set[str]:
    return {f"{row.file} {row.where}" for row in checked.rows if row.kind == kind}


def recall_and_precision(found: set[str], planted: set[str]) -> tuple[float, float]:
    hits = len(found & planted)
    return hits / len(planted), hits / max(len(found), 1)


def test_good_data_has_no_findings(make: Maker) -> None:
    pictures, rows = good()
    checked = check(make.folder({**pictures, "l.csv": table(rows)}), ReadOptions())
    kinds = {row.kind for row in checked.rows}
    assert kinds <= {"few-examples", "box-shifted"}
    assert len(found(checked, "box-shifted")) <= len(rows) / 100
    assert checked.judged.boxes == len(rows)
    assert set(checked.sheets) == set(WORDS)
    assert set(checked.doubted) <= {"box-shifted"}


def test_a_part_of_the_boxes_is_told_as_a_part(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [name for name in good()[0] if name < "120"]
    rows = [row for row in good()[1] if row[0] < "120"]
    boxes = len(rows)
    monkeypatch.setattr(wrong_labels, "_MOST_BOXES", boxes - 1)
    monkeypatch.setattr(grid_advice, "_MOST_IMAGES", 61)
    checked = check(make.folder({**{name: good()[0][name] for name in names}, "l.csv": table(rows)}), ReadOptions())
    said = " ".join(report_lines(checked))
    assert checked.judged.boxes < boxes
    assert f"{checked.judged.boxes} of {boxes} boxes were compared" in said
    half = sum(row[0] in names[::2] for row in rows)
    assert f"boxes measured, of images evenly spread: {half} of {boxes}" in said


def test_one_mistyped_class_leaves_the_others_compared(make: Maker) -> None:
    """So does a class whose boxes are of one image, and one that has no box."""
    pictures, rows = good()
    typed = [(*row[:1], "birds", *row[2:]) if row is rows[0] else row for row in rows]
    seen = [("000.png", "dot", x, y, x + 5.0, y + 5.0, "train") for x in range(0, 140, 30) for y in range(0, 90, 20)]
    checked = check(make.folder({**pictures, "l.csv": table([*typed, *seen])}), ReadOptions())
    assert checked.judged.boxes == len(rows) - 1
    assert dict(checked.judged.not_compared) == {"birds": 1, "dot": len(seen)}
    assert checked.judged.told_apart is not None
    said = " ".join(" ".join(report_lines(checked)).split())
    assert f"{len(rows) - 1} of {len(rows) + len(seen)} boxes were compared" in said
    assert f"not compared, since in too few boxes or images (20 a class needed): birds 1, dot {len(seen)}" in said
    (row,) = (row for row in checked.rows if row.kind == "class-names-alike")
    birds = sum(row[1] == "bird" for row in typed)
    assert str(row).startswith(f"class birds (1 box): is spelled nearly like bird ({birds});")


@pytest.mark.parametrize(
    ("rare", "common", "boxes", "alike"),
    [
        ("Platelet", "Platelets", 1, True),
        ("Platelots", "Platelets", 19, True),
        ("platelet", "Platelets", 1, True),
        ("Platelet", "Platelets", 21, False),  # many
        ("Platelet", "Platelet2", 1, False),  # a number is a name
        ("cat", "car", 1, False),  # words
        ("cars", "car", 1, True),
        ("Platelo", "Platelets", 1, False),  # two letters
    ],
)
def test_a_rare_class_one_letter_from_a_common_one_is_named(rare: str, common: str, boxes: int, alike: bool) -> None:
    ledger = Ledger("error")
    _names_alike([rare, "unlike", common], Counter({rare: boxes, common: 361, "unlike": 1}), ledger)
    assert bool(ledger.rows) == alike
    assert all(row.severity == "warning" and common in row.why and rare in row.what for row in ledger.rows)


def test_planted_errors(make: Maker) -> None:
    """Each kind in 12 places of about 800 boxes in 240 images.

    Measured (recall, precision): missing, duplicate, leaked and swapped 1.00 and 1.00; shifted by 0.45 of width
    and height 0.67 and 1.00.
    """
    pictures, rows = good()
    rng = np.random.default_rng(5)
    files: Files = dict(pictures)
    rows = list(rows)
    by_image: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_image.setdefault(row[0], []).append(index)
    names = [name for name in by_image if len(by_image[name]) > 1]
    chosen = rng.permutation(len(names))[:48]
    kinds = ["missing", "shifted", "swapped", "duplicate"]
    planted: dict[str, set[str]] = {kind: set() for kind in [*kinds, "leaked"]}
    gone: set[int] = set()
    twice: list[Row] = []
    for order, pick in enumerate(chosen.tolist()):
        name, kind = names[pick], kinds[order % 4]
        index = by_image[name][0]
        image, word, left, top, right, bottom, split = rows[index]
        if kind == "missing":
            gone.update(by_image[name])
            planted[kind].add(f"{name} ")
        elif kind == "shifted":
            x = 0.45 * (right - left) * (1 if right < WIDTH * 0.6 else -1)
            y = 0.45 * (bottom - top) * (1 if bottom < HEIGHT * 0.6 else -1)
            rows[index] = (image, word, left + x, top + y, right + x, bottom + y, split)
            planted[kind].add(f"{image} {word} {left + x}")
        elif kind == "swapped":
            rows[index] = (image, WORDS[(WORDS.index(word) + 1) % 3], left, top, right, bottom, split)
            planted[kind].add(f"{image} {rows[index][1]} {left}")
        else:
            twice.append(rows[index])
            planted[kind].add(f"{image} {word} {left}")
    rows = [row for index, row in enumerate(rows) if index not in gone]
    for name in [one for one in names if one not in {names[pick] for pick in chosen.tolist()}][:12]:
        own = [row for row in rows if row[0] == name]
        other = {"train": "val", "val": "test", "test": "train"}[own[0][6]]
        image = Image.open(io.BytesIO(pictures[name]))
        file = io.BytesIO()
        image.save(file, "JPEG", quality=85)
        files[f"x{name[:-4]}.jpg"] = file.getvalue()
        rows += [(f"x{name[:-4]}.jpg", *row[1:6], other) for row in own]
        kept = min(other, own[0][6], key=["test", "val", "train"].index)
        planted["leaked"].add(f"x{name[:-4]}.jpg " if kept != other else f"{name} ")
    lines = rows + twice
    places = {f"l.csv line {number}": f"{row[0]} {row[1]} {row[2]}" for number, row in enumerate(lines, 2)}
    checked = check(make.folder({**files, "l.csv": table(lines)}), ReadOptions())
    result = {
        name: recall_and_precision({places.get(one, one) for one in found(checked, kind)}, planted[name])
        for name, kind in {
            "missing": "label-missing",
            "duplicate": "duplicate-box",
            "leaked": "leak",
            "swapped": "class-swapped",
            "shifted": "box-shifted",
        }.items()
    }
    assert {result[name] for name in ("missing", "duplicate", "leaked")} == {(1.0, 1.0)}
    assert set(checked.doubted) == {"class-swapped", "box-shifted"}
    assert min(result["swapped"]) >= 0.9
    assert result["shifted"][0] >= 0.55
    assert result["shifted"][1] >= 0.9


def test_tiny_and_nearly_twice_and_names(make: Maker) -> None:
    boxes = ["cat 1 1 30 15", "cat 1 1 30 15.5", "Cat 5 5 8 18"]
    xml = voc("a.png", *boxes)
    path = make.folder({"a.png": picture(), "a.xml": xml, "b.png": picture(), "b.xml": xml.replace("a.png", "b.png")})
    checked = check(path, ReadOptions())
    kinds = {row.kind for row in checked.rows}
    assert kinds == {"tiny-box", "nearly-twice", "class-names-alike", "few-examples", "near-duplicate"}
    assert not checked.judged.boxes
    assert checked.best is not None


def test_memory_does_not_grow_with_the_square_of_an_images_boxes(make: Maker) -> None:
    """All pairs of 20,000 boxes at once would take 18 GiB."""
    rng = np.random.default_rng(1)
    corners = np.sort(rng.uniform(0, 1, (3000, 2, 2)), axis=1).reshape(-1, 4).round(4)
    rows = np.column_stack([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]])
    text = "".join(f"0 {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for x, y, w, h in rows.tolist() if w * h)
    labelled = make.read({"a.png": picture(width=640, height=480), "a.txt": text, "classes.txt": "cat\n"})
    (record,) = labelled.images
    tracemalloc.start()
    add_findings(labelled, NOT_JUDGED.judge(labelled.images, labelled.ledger), labelled.ledger)
    free = _background(record, rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e8
    assert not len(free) or pairwise_iou(free, record.boxes).max() < 0.1
    near = [row for row in labelled.ledger.rows if row.kind == "nearly-twice"]
    some = record.boxes[:300]
    expected = np.argwhere(np.triu(pairwise_iou(some, some), 1) > 0.85).tolist()
    order = {where: index for index, where in enumerate(record.where)}
    pairs = [(order[row.why.split(" as ")[1].split(";")[0]], order[row.where]) for row in near]
    assert [pair for pair in pairs if max(pair) < 300] == [tuple(pair) for pair in expected]
    assert len(pairs) == len(set(pairs))


def test_many_classes_stay_within_a_screen_and_a_page(make: Maker, tmp_path: Path) -> None:
    """Those with most boxes are shown, and how many are not is told; as many sheets as asked for are made."""
    rows = [
        f"a.png,c{n:03},{n % 20 * 2},{n // 20},{n % 20 * 2 + 1 + k},{n // 20 + 8}" for n in range(120) for k in (0, 1)
    ]
    path = make.folder({"a.png": picture(), "l.csv": "image,label,xmin,ymin,xmax,ymax\n" + "\n".join(rows[:-1])})
    checked = check(path, ReadOptions())
    lines = [*report_lines(checked)]
    assert sum(line.startswith(("c0", "c1")) for line in lines) == 20
    assert "  and 100 classes of fewer boxes; --html shows all" in lines
    assert len(checked.sheets) == 100
    assert "c119" not in checked.sheets
    write_page(tmp_path / "p.html", checked, "t")
    page = (tmp_path / "p.html").read_text()
    assert page.count('alt="Boxes of') == 100
    assert "Sheets of 100 of 120 classes" in page
    assert "<td>c119</td>" in page
    assert not check(path, ReadOptions(), sheets=0).sheets
    few = rows[1:40:2]  # the first twenty classes have fewer boxes than the others
    path = make.folder(
        {"a.png": picture(), "l.csv": "image,label,xmin,ymin,xmax,ymax\n" + "\n".join(few + rows[40:])}
    )
    checked = check(path, ReadOptions(), sheets=1000)
    assert len(checked.sheets) == 120
    write_page(tmp_path / "p.html", checked, "t")
    shown = re.findall('alt="Boxes of (c[0-9]+)', (tmp_path / "p.html").read_text())
    assert shown == [f"c{n:03}" for n in range(20, 120)]


@pytest.mark.parametrize("letter", ["x", "\N{CJK UNIFIED IDEOGRAPH-8A9E}"])  # of one column and of two
def test_long_names_of_classes_are_cut(make: Maker, letter: str) -> None:
    """No line is wider than a terminal, and numbers stay in their columns; the page's table has all of a name."""
    name = letter * 200
    rows = [("a.png", 10, "cat"), ("b.png", 20, name)]
    text = "image,label,xmin,ymin,xmax,ymax\n" + "".join(f"{file},{label},1,1,{x},15\n" for file, x, label in rows)
    checked = check(make.folder({"a.png": picture(), "b.png": picture(1), "l.csv": text}), ReadOptions(), sheets=0)
    lines = [*report_lines(checked)]
    assert max(map(display_width, lines)) <= COLUMNS
    [row] = [line for line in lines if line.startswith(letter * 4)]
    assert "...  1      1       19/19/19" in row
    assert name in [row[0] for row in table_rows(checked.overview)]


def test_boxes_of_one_image_are_not_judged(make: Maker) -> None:
    """What the model has never seen, it cannot judge: it doubted all of them."""
    rows = "".join(f"0 {x / 12 + 0.05:.6f} {y / 9 + 0.06:.6f} 0.05 0.06\n" for x in range(10) for y in range(8))
    files: Files = {"a.png": picture(width=640, height=480), "a.txt": rows, "classes.txt": "cat\n"}
    checked = check(make.folder(files | {"b.png": picture(1), "b.txt": ""}), ReadOptions())
    assert checked.judged.boxes == 0
    assert not checked.rows


def test_the_commands(
    make: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # which has no params.yaml
    name = "<script>alert(1)</script>"
    head = "image,label,xmin,ymin,xmax,ymax\n"
    path = make.folder({"a.png": picture(), "l.csv": head + f"a.png,{name},1,1,30,15\na.png,x,5,5,5,9\n"})
    page, ledger, sheets = tmp_path / "p.html", tmp_path / "l.csv", tmp_path / "sheets"

    def run(command: str, *arguments: object) -> int:
        module = importlib.import_module(f"humbleyolo.commands.{command}")
        parser = ArgumentParser()
        module.add_arguments(parser)
        return int(module.run(parser.parse_args([str(one) for one in arguments])))

    assert run("check", path, "--html", page, "--ledger", ledger, "--sheets", sheets) == 1
    assert "zero-area" in capsys.readouterr().out
    text = page.read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "zero-area" in ledger.read_text()
    assert len(list(sheets.iterdir())) == 1
    assert run("convert", path, tmp_path / "out", "--to", "voc", "--on-problem", "skip_box") == 0
    assert "1 image, 1 box: csv" in capsys.readouterr().out
    assert run("check", tmp_path / "out") == 0
    assert "split: not judged, since no params.yaml is here" in capsys.readouterr().out
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    assert run("check", tmp_path / "out") == 1
    assert "no image is left for val and test: 3 splits need as many images" in capsys.readouterr().out


def test_a_doubted_box_is_shown_with_what_is_around_it(make: Maker, tmp_path: Path) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :20] = (0, 0, 255)
    rows = "a.png,x,0,0,20,20\na.png,y,0.4,0.4,20,20\na.png,y,50,30,60,40\n"
    head = "image,label,xmin,ymin,xmax,ymax\n"
    checked = check(make.folder({"a.png": encoded(Image.fromarray(pixels)), "l.csv": head + rows}), ReadOptions())
    (sheet,) = checked.doubted.values()
    colours = {colour for _, colour in sheet.getcolors(1 << 20) or []}
    assert {(0, 0, 255), (0, 0, 0), (128, 128, 128), (200, 30, 30)} <= colours  # inside, outside, no image, outline
    page = tmp_path / "p.html"
    write_page(page, checked, "t")
    assert 'alt="nearly-twice"' in page.read_text()


def test_a_source_that_cannot_be_read_ends_in_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", str(tmp_path / "nowhere")])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'nowhere'}: no such file or folder")


def test_a_person_sees_bars_and_a_file_does_not(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humbleyolo.check.crop_classifier._HIDDEN", 64)  # what it finds is no matter here
    pictures, rows = good()
    some = dict(list(pictures.items())[:60])
    path = make.folder({**some, "l.csv": table([row for row in rows if row[0] in some])})
    for screen, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr("sys.stderr", screen)
        check(path, ReadOptions())
        for title in ("images", "crops", "boxes compared"):
            assert (f"{title}:" in screen.getvalue()) == shown


def test_pictures_that_become_nearly_black_are_told(make: Maker) -> None:
    deep = np.linspace(0, 4095, 800).reshape(20, 40)
    images = {
        "12_in_16": encoded(Image.fromarray(deep.astype(np.uint16)), "TIFF"),
        "declared": encoded(Image.fromarray(deep.astype(np.uint16)), "TIFF", tiffinfo={281: 4095}),
        "16": encoded(Image.fromarray((deep * 16).astype(np.uint16)), "TIFF"),
        "below": encoded(Image.fromarray((deep - 2048).astype(np.float32)), "TIFF"),
    }
    content: dict[str, bytes | str] = {f"{name}.tif": data for name, data in images.items()}
    content |= {f"{name}.xml": voc(f"{name}.tif", "cat 1 2 30 14") for name in images}
    rows = [(row.file, row.kind) for row in check(make.folder(content), ReadOptions()).rows]
    assert ("12_in_16.tif", "faint-image") in rows
    assert ("below.tif", "pixels-below-zero") in rows
    assert (
        [kind for _, kind in rows].count("faint-image") == [kind for _, kind in rows].count("pixels-below-zero") == 1
    )


@pytest.mark.parametrize(
    "name", ["a" * 40, "of many words " * 14 + "end", "b" * 200, "\N{CJK UNIFIED IDEOGRAPH-65E5}" * 60]
)
def test_the_table_of_classes_fits_80_columns_whatever_the_names(make: Maker, name: str) -> None:
    rows = [f"a.png,{kind} {place},1,2,30,18" for place, kind in enumerate((name, name, "cat"))]
    path = make.folder({"a.png": picture(), "l.csv": "\n".join(["image,label,xmin,ymin,xmax,ymax", *rows])})
    checked = check(path, ReadOptions())
    lines = [*report_lines(checked)]
    at = next(place for place, line in enumerate(lines) if line.startswith("class "))
    table_lines = lines[at : lines.index("", at)]
    assert max(map(display_width, table_lines)) <= 80
    assert [re.split(r" {2,}", line)[1] for line in table_lines] == ["boxes", "1", "1", "1"]
    assert sum("..." in line for line in table_lines) == 2
    write_page(path.parent / "p.html", checked, "t")
    assert f"<td>{name} 0</td>" in (path.parent / "p.html").read_text()


def test_background_alone(make: Maker) -> None:
    checked = check(make.folder({"a.png": picture(), "a.xml": voc("a.png")}), ReadOptions())
    assert checked.best is None
    assert "0 boxes in all: nothing can be learned" in "\n".join(report_lines(checked))


@pytest.mark.parametrize(("done", "warned"), [(5, True), (6, False), (0, False)])  # of 8 images; 2 are a quarter
def test_many_images_without_a_box_are_asked_about_where_the_format_does_not_tell(
    make: Maker, done: int, warned: bool
) -> None:
    images = [{"id": n, "file_name": f"{n}.png", "width": 40, "height": 20} for n in range(8)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [5, 5, 10, 10]} for n in range(done)]
    coco = json.dumps({"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]})
    pictures: Files = {f"{n}.png": picture(n) for n in range(8)}
    rows = check(make.folder(pictures | {"labels.json": coco}), ReadOptions()).rows
    found = [row.what for row in rows if row.kind == "many-without-box"]
    assert found == (["3 of 8 images without a box"] if warned else [])


def test_an_empty_label_file_tells_that_an_image_is_done(make: Maker) -> None:
    files: Files = {"classes.txt": "cat\n"}
    for number in range(8):
        files |= {f"{number}.png": picture(number), f"{number}.txt": "" if number else "0 0.5 0.5 0.4 0.4\n"}
    assert "many-without-box" not in {row.kind for row in check(make.folder(files), ReadOptions()).rows}


_WORD = st.text("abc_1", min_size=1, max_size=20)


@settings(deadline=None)
@given(
    st.lists(st.text("abc", min_size=1, max_size=60), min_size=1, max_size=4).map("/".join),
    st.lists(_WORD, min_size=1, max_size=60).map(" ".join),
    st.lists(st.sampled_from(["corners must be fractions of the image, 0 to 1", "draw it again"]), min_size=1),
)
def test_a_finding_in_two_lines_says_what_is_wrong(file: str, value: str, clauses: list[str]) -> None:
    """The value found and the path are shortened before the reason, and words stay whole."""
    row = Finding(file, "line 1", value, "; ".join(clauses), "", "outside-image", "error")
    text = _in_two_lines("error: 3 outside-image: ", row)
    lines = wrapped_lines(f"  {text}")
    assert len(lines) <= 2
    assert max(map(len, lines)) <= COLUMNS
    assert clauses[0] in text
    assert {*text.rpartition(": line 1: ")[2].partition(": ")[0].removesuffix(" ...").split()} <= {*value.split()}


def test_many_classes_in_two_lines_end_with_a_whole_name() -> None:
    names = ", ".join(f"{name} {count}" for count, name in enumerate(["Arduino_Nano", "Heltec_ESP32_Lora"] * 8, 3))
    row = Finding(".", "", names, "few boxes to learn from", "", "few-examples", "warning")
    text = _in_two_lines("warning: 1 few-examples: ", row)
    assert len(wrapped_lines(f"  {text}")) == 2
    assert text.endswith(" ...: few boxes to learn from")
    assert names.startswith(text.removeprefix("warning: 1 few-examples: ").partition(" ...")[0])


def test_a_folder_without_class_names_says_that_no_image_can_be_used(make: Maker) -> None:
    checked = check(make.folder({"a.png": picture(), "a.txt": "0 0.5 0.5 0.2 0.2\n"}), ReadOptions())
    assert next(found_lines(checked)) == "no image that can be used, 0 boxes of 0 classes"
    assert "(`--classes A,B`)" in checked.rows[0].why


def test_a_single_file_is_told_to_be_none(make: Maker) -> None:
    folder = make.folder({"a.png": picture()})
    with pytest.raises(UserError, match="is a single file; give the folder of images and labels"):
        check(folder / "a.png", ReadOptions())
