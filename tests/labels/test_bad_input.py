"""What a person is told about each kind of bad input, word by word: file, line, value, what is allowed, the fix.

One entry each, so that a reader finds it by name; the other tests of this folder go through a format's corners.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from folders import Files, Maker, encoded, picture, png_of, voc, wrong_crc
from PIL import Image
from repository import ROOT

from humbleyolo.check.folder_check import check, choice_rows
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.inputs.dataset_inputs import find_problems
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.labels.formats import unknown
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.labels.validate import ROTATED
from humbleyolo.params.loader import load_params

LINE = "1 0.5 0.5 0.25 0.5\n"
HEAD = "image,label,xmin,ymin,xmax,ymax\n"


def yolo(text: str | bytes = LINE, **more: bytes | str) -> Files:
    return {"img/a.png": picture(), "img/a.txt": text, "obj.names": "cat\ndog\n"} | more


def xml(text: str | bytes, **more: bytes | str) -> Files:
    return {"JPEGImages/a.png": picture(), "Annotations/a.xml": text} | more


def unnamed(name: str) -> Files:
    """An image with its label, and a label file that has no image's name."""
    return xml(voc("a.png", "cat 1 2 3 4")) | {"Annotations/1.xml": FILENAME.format(name)}


def table(text: str | bytes, **more: bytes | str) -> Files:
    return {"a.png": picture(), "labels.csv": HEAD + text if isinstance(text, str) else text} | more


def coco(text: str | bytes | None = None, **changed: object) -> Files:
    annotation = {"id": 0, "image_id": 0, "category_id": 7, "bbox": [3, 4.25, 7, 8]}
    content = {
        "images": [{"id": 0, "file_name": "a.png", "height": 20, "width": 40}],
        "categories": [{"id": 0, "name": "cat"}, {"id": 7, "name": "dog"}],
        "annotations": [annotation | {"id": 1}, annotation | {"bbox": [1, 1, 2, 2]} | changed],
    }
    return {"images/a.png": picture(), "a.json": json.dumps(content) if text is None else text}


def image(data: bytes, name: str = "a.png") -> Files:
    return {name: data, f"{name[:-4]}.txt": LINE, "classes.txt": "cat\ndog\n"}


def turned(orientation: int = 6) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(Image.new("RGB", (40, 20)), "JPEG", exif=exif)


OBJECT = "Annotations/a.xml: object 1 (line 4)"
FILENAME = "<annotation>\n<filename>{}</filename></annotation>"
OUTSIDE = "draw it again, or set on_problem: clip"
NUMBER = "must be a finite decimal number such as 12 or 0.5"
DTD = "Annotations/a.xml: line 1: a DTD: label files have none, and it may hide a bomb; remove <!DOCTYPE ...>"
ONE_OF = "must be one of AVIF, BMP, GIF, HEIF, JPEG, JPEG2000, PNG, TIFF, WEBP, whole; copy or export it again"
JSON = "mend the file or export it again"

# What is wrong: the files, and all that is said about them.
REFUSED: dict[str, tuple[Files, str]] = {
    "label missing, YOLO": (
        yolo(**{"img/b.png": picture(1)}),
        "img/b.png: no label file: label it, or declare it background with an empty img/b.txt",
    ),
    "label missing, VOC": (
        xml(voc("a.png"), **{"JPEGImages/b.png": picture(1)}),
        "JPEGImages/b.png: an image without a label: no label file speaks of it; label it, or declare it background "
        "with an XML file without <object>",
    ),
    "label missing, CSV": (
        table("a.png,cat,1,2,3,4\n", **{"b.png": picture(1)}),
        "b.png: an image without a label: no label file speaks of it; label it, or declare it background with a line "
        "that holds its name alone: name,,,,,",
    ),
    "label missing, COCO": (
        coco() | {"images/b.png": picture(1)},
        "images/b.png: an image without a label: no label file speaks of it; label it, or declare it background with "
        "an entry in images and none in annotations",
    ),
    "no image, YOLO": (
        yolo(**{"img/b.txt": LINE}),
        "img/b.txt: a label file without an image: add the image or delete the label file",
    ),
    "no image, CSV": (
        table("a.png,cat,1,2,3,4\nb.png,cat,1,2,3,4\n"),
        "labels.csv: line 3: 'b.png': no image has that name; add the image or correct the name",
    ),
    "wrong column count, YOLO": (
        yolo("1 0.5 0.5 0.25\n"),
        "img/a.txt: line 1: 4 columns: '1 0.5 0.5 0.25': a line has 5: class x y w h",
    ),
    "wrong column count, CSV": (
        table("a.png,cat,1,2,3,4\na.png,cat,1,2,3\n"),
        "labels.csv: line 3: 5 columns: must be 6, as in the first line; quote a value that holds a comma",
    ),
    "NaN": (yolo("1 nan 0.5 0.25 0.5\n"), f"img/a.txt: line 1: 'nan': centre x {NUMBER}; correct it"),
    "NaN, CSV": (
        table("a.png,cat,1,2,3,4\na.png,cat,1,2,NaN,4\n"),
        f"labels.csv: line 3: 'NaN': xmax {NUMBER}; correct it",
    ),
    "inf": (yolo("1 0.5 inf 0.25 0.5\n"), f"img/a.txt: line 1: 'inf': centre y {NUMBER}; correct it"),
    "1e999": (
        yolo("1 0.5 0.5 1e999 0.5\n"),
        "img/a.txt: line 1: '1e999': width must be a finite number; correct it",
    ),
    "decimal comma": (
        yolo("1 0,5 0.5 0.25 0.5\n"),
        f"img/a.txt: line 1: '0,5': centre x {NUMBER}; write a decimal point, not a comma",
    ),
    "1_0": (yolo("1 0.5 0.5 0.25 0_1\n"), f"img/a.txt: line 1: '0_1': height {NUMBER}; correct it"),
    "digits that are not ASCII": (
        yolo("\u0661 0.5 0.5 0.25 0.5\n1 0.\u0665 0.5 0.25 0.5\n"),
        "img/a.txt: line 1: '\u0661': the class must be a whole number in digits 0 to 9; correct it\n"
        f"img/a.txt: line 2: '0.\u0665': centre x {NUMBER}; correct it",
    ),
    "class not an integer": (
        yolo("1.0 0.5 0.5 0.25 0.5\ndog 0.5 0.5 0.25 0.5\n"),
        "img/a.txt: line 1: '1.0': the class must be a whole number in digits 0 to 9; correct it\n"
        "img/a.txt: line 2: 'dog': the class must be a whole number in digits 0 to 9; correct it",
    ),
    "class negative": (
        yolo("-1 0.5 0.5 0.25 0.5\n"),
        "img/a.txt: line 1: class -1: allowed: 0 to 1; correct it, or add its name",
    ),
    "class beyond the names": (
        yolo("2 0.5 0.5 0.25 0.5\n"),
        "img/a.txt: line 1: class 2: allowed: 0 to 1; correct it, or add its name",
    ),
    "unknown name, VOC": (
        xml(voc("a.png", "catt 1 2 3 4")),
        f"{OBJECT}: 'catt': is not one of the classes; did you mean cat?",
    ),
    "zero area": (
        yolo("1 0.5 0.5 0 0.5\n"),
        "img/a.txt: line 1: (0.5, 0.25, 0.5, 0.75): has no area; draw the box again or delete it",
    ),
    "inverted corners": (
        xml(voc("a.png", "cat 30 2 3 4")),
        f"{OBJECT}: (30, 2, 3, 4): the first corner must be the upper left one; it is not swapped: another number "
        "may be wrong; draw the box again",
    ),
    "outside the image, pixels": (
        xml(voc("a.png", "cat 30 2 41 4")),
        f"{OBJECT}: (30, 2, 41, 4): must lie inside the image, 40 x 20 (width x height); {OUTSIDE}",
    ),
    "outside the image, fractions": (
        yolo("1 0.9 0.5 0.25 0.5\n"),
        f"img/a.txt: line 1: (0.775, 0.25, 1.025, 0.75): corners must be fractions of the image, 0 to 1; {OUTSIDE}",
    ),
    "pixel values in a normalised file": (
        yolo("1 20 10 10 10\n"),
        "img/a.txt: line 1: '1 20 10 10 10': must be fractions of the image, 0 to 1; these look like pixels: divide "
        "by its width and height",
    ),
    "duplicates": (
        yolo(LINE + "0 0.5 0.5 0.1 0.1\n" + LINE),
        "img/a.txt: line 3: 'dog': the same box and class as line 1; delete one",
    ),
    "centre exactly 1.0": (
        yolo("1 1.0 0.5 0.25 0.5\n"),
        f"img/a.txt: line 1: (0.875, 0.25, 1.125, 0.75): corners must be fractions of the image, 0 to 1; {OUTSIDE}",
    ),
    "UTF-16": (
        yolo(LINE.encode("utf-16")),
        "img/a.txt: UTF-16 text: must be UTF-8; save the file as UTF-8",
    ),
    "Latin-1, text": (
        yolo(LINE.encode() + "café".encode("latin-1")),
        "img/a.txt: line 2: byte 0xe9: not UTF-8 (Latin-1?); save the file as UTF-8",
    ),
    "Latin-1, CSV": (
        table(HEAD.encode() + "a.png,café,1,2,3,4\n".encode("latin-1")),
        "labels.csv: line 2: byte 0xe9: not UTF-8 (Latin-1?); save the file as UTF-8",
    ),
    "Latin-1, XML that does not say so": (
        xml(voc("a.png", "café 1 2 3 4").encode("latin-1")),
        "Annotations/a.xml: line 4: byte 0xe9: not UTF-8 (Latin-1?); save the file as UTF-8",
    ),
    "XML that is not whole": (
        xml(voc("a.png", "cat 1 2 3 4")[:-20]),
        "Annotations/a.xml: line 4: not well-formed: unclosed token: must be XML; mend or export it again",
    ),
    "../.. in <filename>": (
        unnamed("../../etc/q.gif"),
        "Annotations/1.xml: line 2, <filename>: '../../etc/q.gif': leaves the folder; must be a path inside it",
    ),
    "absolute path in <filename>": (
        unnamed("/etc/q.gif"),
        "Annotations/1.xml: line 2, <filename>: '/etc/q.gif': no image has that name; add the image or correct the "
        "name",
    ),
    "absolute path of Windows": (
        unnamed(r"C:\q.gif"),
        r"Annotations/1.xml: line 2, <filename>: 'C:\\q.gif': no image has that name; add the image or correct the "
        "name",
    ),
    "entity bomb": (
        xml('<!DOCTYPE a [<!ENTITY b "xxxxx"><!ENTITY c "&b;&b;">]>\n' + FILENAME.format("&c;")),
        DTD,
    ),
    "DTD": (xml('<!DOCTYPE annotation SYSTEM "a.dtd">\n' + FILENAME.format("a.png")), DTD),
    "external entity": (
        xml('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>\n' + FILENAME.format("&b;")),
        DTD,
    ),
    "JSON with NaN": (
        coco('{"images": ["NaN"],\n "categories": NaN}'),
        f"a.json: line 2: NaN: JSON has finite numbers only; {JSON}",
    ),
    "JSON with 1e999": (
        coco('{"images": [],\n\n "categories": -1e999}'),
        f"a.json: line 3: '-1e999': must be a finite number; {JSON}",
    ),
    "JSON with a key twice": (
        coco('{"images": [{"id": 1,\n "\\u0069d": 2}], "a": {"id": 1},\n "images": []}'),
        f"a.json: line 2: key 'id' twice in one object: one must go; {JSON}",
    ),
    "JSON of 200,000 levels": (
        coco('{"images":\n' + "[" * 200_000),
        f"a.json: line 2: nested too deeply: such files have a few levels; {JSON}",
    ),
    "JSON with an integer of 5,000 digits": (
        coco('{"images":\n[' + "9" * 5000 + "]}"),
        f"a.json: line 2: a number of 5000 digits: at most 30 are read; {JSON}",
    ),
    "COCO image id that points nowhere": (
        coco(image_id=5),
        "a.json: annotations[1]: image_id 5: no image has that id; correct it or delete the annotation",
    ),
    "COCO category id that points nowhere": (
        coco(category_id=8),
        "a.json: annotations[1]: category_id 8: no category has that id; there are '0 cat, 7 dog'; correct it",
    ),
    "image of zero bytes": (image(b""), "a.png: 0 bytes: the file must hold an image; copy it again"),
    "HTML named .jpg": (
        image(b"<!doctype html><html>404", "a.jpg"),
        f"a.jpg: starts with b'<!doctype html><': {ONE_OF}",
    ),
    "truncated PNG": (image(picture()[:-300]), f"a.png: 'image file is truncated': {ONE_OF}"),
    "truncated JPEG": (
        image(picture(kind="JPEG")[:-300], "a.jpg"),
        f"a.jpg: 'image file is truncated (149 bytes not processed)': {ONE_OF}",
    ),
    "wrong CRC": (
        image(wrong_crc()),
        f"a.png: \"broken PNG file (bad header checksum in b'IDAT')\": {ONE_OF}",
    ),
    "EXIF rotation that is not declared": (
        image(turned(), "a.jpg"),
        "a.txt: a.jpg has EXIF orientation 6: its boxes may be of the image as displayed (most tools) or as stored; "
        "give --exif displayed or --exif stored; for `dvc repro` set dataset.labelled.exif",
    ),
    "animated": (
        image(
            encoded(Image.new("L", (40, 20)), "GIF", save_all=True, append_images=[Image.new("L", (40, 20), 9)]),
            "a.gif",
        ),
        "a.gif: 2 frames: must be one picture; save each frame",
    ),
    "400 megapixels": (
        image(png_of(20_000, 20_000)),
        "a.png: 400,000,000 pixels: at most 89 million pixels are decoded; shrink it",
    ),
    "size differs from the label file's": (
        xml(voc("a.png", width=41)),
        "Annotations/a.xml: JPEGImages/a.png is 40 x 20, labelled as 41 x 20 (width x height): boxes of another size "
        "cannot be trusted; label the image again, or restore the one labelled",
    ),
    "name that differs by case alone": (
        table("a.png,cat,1,2,3,4\nA.PNG,cat,1,2,3,5\n"),
        "labels.csv: line 3: 'A.PNG': a.png differs by case or folder alone; add the image or correct the name",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(make: Maker, name: str) -> None:
    files, said = REFUSED[name]
    kinds = {"xml": "voc", "csv": "csv", "json": "coco"}
    known = next((kinds[end] for file in files if (end := file.rpartition(".")[2]) in kinds), "yolo")
    classes = ("cat", "dog") if name == "unknown name, VOC" else ()
    path = make.folder(files)
    with pytest.raises(ProblemsError) as caught:
        make.open(path, format=known, classes=classes)
    assert caught.value.headline == str(path)
    assert list(caught.value.problems) == said.split("\n")


# What looks odd and is right: the files, and the notes about them.
ACCEPTED: dict[str, tuple[Files, list[str]]] = {
    "label empty: background": (yolo(""), []),
    "1.0000005": (
        yolo("1 0.5 0.5 1.0000005 0.5\n"),
        [
            "img/a.txt: line 1: (-1e-05, 5, 40.00001, 15): crosses the border by 1e-05 pixels, which is the rounding "
            "of the format's digits"
        ],
    ),
    "byte order mark, text": (yolo(b"\xef\xbb\xbf" + LINE.encode()), []),
    "byte order mark, CSV": (table(b"\xef\xbb\xbf" + HEAD.encode() + b"a.png,cat,1,2,3,4\n"), []),
    "byte order mark, XML": (xml(b"\xef\xbb\xbf" + voc("a.png", "cat 1 2 3 4").encode()), []),
    "byte order mark, JSON": (coco(b"\xef\xbb\xbf" + str(coco()["a.json"]).encode()), []),
    "UTF-16, XML, which says so itself": (
        xml(voc("a.png", "cat 1 2 3 4").encode("utf-16"), **{"Annotations/0.xml": voc("b.png")})
        | {"JPEGImages/b.png": picture(1)},
        [],
    ),
    "Latin-1, XML that says so": (
        xml(b'<?xml version="1.0" encoding="ISO-8859-1"?>' + voc("a.png", "café 1 2 3 4").encode("latin-1")),
        [],
    ),
    "CRLF": (yolo(LINE.replace("\n", "\r\n")), []),
    "CRLF, CSV": (table((HEAD + "a.png,cat,1,2,3,4\n").replace("\n", "\r\n").encode()), []),
    "bare CR": (yolo(LINE.replace("\n", "\r")), []),
    "bare CR, CSV": (table((HEAD + "a.png,cat,1,2,3,4\n").replace("\n", "\r").encode()), []),
    "COCO id of 0": (coco(), []),
    "COCO annotation id repeated": (coco(id=1), ["a.json: 1 annotations: the ids of annotations join nothing"]),
    "CSV classes NA, null, 007": (table("a.png,NA,1,2,3,4\na.png,null,1,2,3,4.5\na.png,007,1,2,3,5\n"), []),
    "PNG named .jpg": (image(picture(), "a.jpg"), ["a.jpg: a PNG file: its name should end in .png; rename it"]),
    "CMYK": (image(encoded(Image.new("CMYK", (40, 20)), "JPEG"), "a.jpg"), []),
    "16-bit": (image(encoded(Image.new("I;16", (40, 20)))), []),
    "palette": (image(encoded(Image.new("P", (40, 20)))), []),
    "alpha": (image(encoded(Image.new("RGBA", (40, 20)))), []),
    "1-bit": (image(encoded(Image.new("1", (40, 20)))), []),
    "1 x 1": (image(encoded(Image.new("L", (1, 1)))), []),
    "1 x 20,000": (image(encoded(Image.new("L", (1, 20_000)))), []),
    "names with spaces": ({"a b.png": picture(), "l.csv": HEAD + "a b.png,cat,1,2,3,4\n"}, []),
    "decomposed file name, composed label": (
        {"e\u0301.png": picture(), "l.csv": HEAD + "\u00e9.png,cat,1,2,3,4\n"},
        [],
    ),
    "both Unicode forms": (
        {"e\u0301.png": picture(), "\u00e9.png": picture(1)}
        | {"l.csv": HEAD + "\u00e9.png,cat,1,2,3,4\ne\u0301.png,cat,1,2,3,5\n"},
        [],
    ),
    "two files whose names differ by case": (
        {"a.png": picture(), "A.png": picture(1), "l.csv": HEAD + "a.png,x,1,1,2,2\nA.png,x,3,1,4,2\n"},
        [],
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(make: Maker, name: str) -> None:
    files, notes = ACCEPTED[name]
    data = make.read(files)
    assert [str(row) for row in data.ledger.rows] == notes
    assert {row.severity for row in data.ledger.rows} <= {"note"}
    images = [file for file in files if file.endswith((".png", ".jpg"))]
    assert sorted(record.path for record in data.images) == sorted(images)
    assert bool(data.images[0].labels) == (name != "label empty: background")


@pytest.mark.parametrize(
    ("orientation", "width", "box", "side"),
    [
        (6, None, "dog 1 1 19 39", "displayed"),  # the file has 40 x 20 pixels, and is shown as 20 x 40
        (6, None, "dog 1 1 39 19", "stored"),
        (6, None, "dog 1 1 19 19", ""),
        (6, None, "dog 1 1 41 41", ""),
        (6, 20, "dog 1 1 19 19", "displayed"),
        (6, 40, "dog 1 1 19 19", "stored"),
        (3, None, "dog 1 1 39 19", ""),
    ],
)
def test_labels_that_fit_one_side_of_a_rotated_image_say_so(
    make: Maker, orientation: int, width: int | None, box: str, side: str
) -> None:
    said = voc("a.jpg", box, width=width or 1, height=60 - (width or 1))
    label = said if width else re.sub("<size>.*</size>", "", said, flags=re.DOTALL)
    (row,) = make.findings({"a.jpg": turned(orientation), "a.xml": label})
    assert (row.kind, row.cause) == (ROTATED, side)
    assert row.why.endswith(f"; its labels fit the image only as {side}") == bool(side)


def test_rotation_that_is_declared(make: Maker) -> None:
    for exif in ("displayed", "stored"):
        assert make.read(image(turned(), "a.jpg"), exif=exif).images[0].labels == ("dog",)


def test_more_objects_in_a_cell_than_it_holds(make: Maker) -> None:
    """No mistake of the labels: `check` counts them for each grid, and `encode` reports which ceiling they set."""
    files = yolo("".join(f"1 0.5 0.5 {0.1 + n / 100} 0.5\n" for n in range(4)))
    checked = check(make.folder(files), ReadOptions())
    assert not checked.labelled.ledger.errors
    assert {row[3] for row in choice_rows(checked)[1:]} == {"4 of 4"}


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    fix = "give a folder or zip archive of labelled images"
    with pytest.raises(UserError, match=f"nowhere: no such file or folder; {fix}"):
        open_source(tmp_path / "nowhere")
    (dataset,) = load_params(ROOT / "params.yaml", "dataset")
    labelled = dataset.model_copy(update={"source": "labelled"})
    assert find_problems(labelled, tmp_path) == []
    ((key, text),) = find_problems(labelled, tmp_path / "nowhere")
    assert key == ("dataset", "inputs")
    assert "nowhere' does not exist; allowed: a folder, or a zip archive, with images and labels; put it" in text


def test_a_folder_that_is_empty(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no files; it should hold images and their labels"):
        open_source(tmp_path)


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[Path]:
    """A folder in which this process may read nothing that is closed, whoever started it."""
    if not hasattr(os, "seteuid"):
        pytest.skip("needs POSIX")
    if os.geteuid():
        yield tmp_path
        return
    top = Path(tempfile.gettempdir())
    folders = [folder for folder in (tmp_path, *tmp_path.parents) if top in folder.parents]
    modes = [folder.stat().st_mode & 0o777 for folder in folders]
    for folder in folders:
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        yield tmp_path
    finally:
        os.seteuid(0)
        for folder, mode in zip(folders, modes, strict=True):
            folder.chmod(mode)


@pytest.mark.parametrize("closed", ["", "deep", "deep/er"])
def test_a_folder_that_cannot_be_read(make: Maker, closed: str, request: pytest.FixtureRequest) -> None:
    root = make.folder({"a.png": picture(), "a.txt": LINE, "deep/er/b.png": picture(1)})
    (root / closed).chmod(0)
    request.getfixturevalue("nobody")
    with pytest.raises(UserError, match="make it readable"), open_source(root):
        pass


def test_a_folder_inside_one_that_is_closed(make: Maker, request: pytest.FixtureRequest) -> None:
    root = make.folder({"in/a.png": picture()})
    root.chmod(0)
    request.getfixturevalue("nobody")
    with pytest.raises(UserError, match="in: cannot be looked at: Permission denied; make it readable"):
        open_source(root / "in")


def test_a_file_that_cannot_be_read(make: Maker, request: pytest.FixtureRequest) -> None:
    root = make.folder(yolo())
    (root / "img/a.txt").chmod(0)
    request.getfixturevalue("nobody")
    with pytest.raises(ProblemsError, match=r"img/a.txt: Permission denied: the file must be readable"):
        make.open(root, format="yolo")


def test_a_file_over_the_bound_is_told_under_auto(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if nothing in its beginning says what it is."""
    monkeypatch.setattr(unknown, "LABEL_BYTES", 100)
    for files in ({"a.json": f'{{"info": "{"x" * 200}"}}'}, {"a.xml": "<a>" + " " * 200}):
        for path in (make.folder(files | {"a.png": picture()}), make.archive(files | {"a.png": picture()})):
            with pytest.raises(UserError, match=r"more than 100 bytes, which are not read"):
                make.open(path)
