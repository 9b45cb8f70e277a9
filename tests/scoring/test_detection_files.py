"""Files of detections: what is read of them, and what is refused in words."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from humbleyolo.errors import UserError
from humbleyolo.scoring import detection_csv, detection_files, detection_rows
from humbleyolo.scoring.detection_files import read_detection_file

ONE = {"image_id": 7, "category_id": 2, "bbox": [1, 2, 30, 40], "score": 0.5}
HEAD = "image,label,score,xmin,ymin,xmax,ymax\n"


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def refused(path: Path) -> str:
    with pytest.raises(UserError) as error:
        read_detection_file(path)
    return str(error.value)


def test_results_of_two_images_are_columns(tmp_path: Path) -> None:
    found = read_detection_file(written(tmp_path, "r.json", [ONE, ONE | {"image_id": "a", "score": 1}, ONE]))
    assert (found.images, found.classes, found.kind) == ((7, "a"), (2,), "COCO results")
    assert found.image_rows.tolist() == [0, 1, 0]
    assert found.boxes.tolist() == 3 * [[1, 2, 30, 40]]
    assert found.scores.tolist() == [0.5, 1, 0.5]


def test_whole_numbers_may_be_written_as_floats(tmp_path: Path) -> None:
    floats = [ONE | {"image_id": 7.0, "category_id": 2.0}]
    found = read_detection_file(written(tmp_path, "r.json", floats))
    assert list(map(type, (*found.images, *found.classes))) == [int, int]
    assert (found.images, found.classes) == ((7,), (2,))
    images, categories = [{"id": 7, "file_name": "a.png"}], [{"id": 2, "name": "cat"}]
    whole = {"images": images, "categories": categories, "annotations": floats}
    found = read_detection_file(written(tmp_path, "d.json", whole))
    assert (found.images, found.classes) == (("a.png",), ("cat",))
    assert "category_id 2.5 is not allowed" in refused(written(tmp_path, "r.json", [ONE | {"category_id": 2.5}]))


def test_digits_beyond_every_id_are_a_name(tmp_path: Path) -> None:
    long = "1" * 5000
    content = f"image_id,label,score,xmin,ymin,xmax,ymax\n{long},a,0.5,1,2,3,4\n"
    found = read_detection_file(written(tmp_path, "t.csv", content))
    assert found.images == (long,)


@pytest.mark.parametrize(
    ("head", "row", "box"),
    [
        (HEAD, "a.jpg,cat,0.5,1,2,31,42", [1, 2, 30, 40]),
        ("Confidence,X1,Y1,X2,Y2,class,name,File", "0.5,1,2,31,42,0,cat,a.jpg", [1, 2, 30, 40]),
        ("filename,class,conf,left,top,width,height", "a.jpg,cat,0.5,1,2,30,40", [1, 2, 30, 40]),
    ],
)
def test_common_names_of_columns_are_known(head: str, row: str, box: list[int], tmp_path: Path) -> None:
    found = read_detection_file(written(tmp_path, "t.csv", f"{head.strip()}\n{row}\n"))
    assert (found.images, found.classes, found.scores.tolist()) == (("a.jpg",), ("cat",), [0.5])
    assert found.boxes.tolist() == [box]


def test_what_predict_writes_is_read(tmp_path: Path) -> None:
    detection = {"label": "cat", "score": 0.5, "box": [1, 2, 31, 42]}
    images = [{"file": "a.jpg", "detections": [detection]}, {"file": "b.jpg", "detections": []}]
    own = read_detection_file(written(tmp_path, "own.json", {"images": images, "errors": []}))
    dataset = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.5}],
    }
    coco = read_detection_file(written(tmp_path, "coco.json", dataset))
    for found in (own, coco):
        assert (found.images, found.classes) == (("a.jpg", "b.jpg"), ("cat",))
        assert found.boxes.tolist() == [[1, 2, 30, 40]]


def test_text_lies_in_a_folder_or_an_archive_beside_other_files(tmp_path: Path) -> None:
    written(tmp_path, "found/a.txt", "3 0.5 0.5 0.2 0.1 0.9\n")
    written(tmp_path, "found/b.txt", "")
    written(tmp_path, "found/classes.txt", "cat\n")
    with zipfile.ZipFile(tmp_path / "found.zip", "w") as archive:
        for file in (tmp_path / "found").iterdir():
            archive.write(file, f"labels/{file.name}")
    for path, before in ((tmp_path / "found", ""), (tmp_path / "found.zip", "labels/")):
        found = read_detection_file(path)
        assert found.relative
        assert (found.images, found.classes) == ((f"{before}a", f"{before}b"), (3,))
        assert np.array_equal(found.boxes, [[0.5, 0.5, 0.2, 0.1]])
        assert found.left_out == (f"{before}classes.txt",)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("r.json", [], "holds no detection"),
        ("r.json", "[" + json.dumps(ONE).replace("0.5", "NaN") + "]", "entry 0: score NaN is not allowed"),
        ("r.json", "[" + json.dumps(ONE).replace("30", "Infinity") + "]", "bbox [1, 2, Infinity, 40] is not allowed"),
        ("r.json", [ONE, ONE | {"bbox": [1, 2, -3, 4]}], "entry 1: bbox [1, 2, -3, 4] is not allowed"),
        ("r.json", [ONE | {"bbox": [1, 2, 3]}], "four finite numbers"),
        ("r.json", [ONE | {"score": 85}], "score 85 is not allowed; allowed: 0 to 1"),
        ("r.json", [ONE | {"image_id": None}], "image_id None is not allowed"),
        ("r.json", [{"image_id": 1}], "no category_id, bbox, score"),
        ("r.json", [[1, 2]], "is no object"),
        ("r.json", "[{}", "is damaged after entry 0, or no list of COCO results"),
        ("r.json", json.dumps(7 * [ONE])[:-20], "is damaged after entry 5, or no list"),
        ("r.json", "[", "is damaged, or no list of COCO results"),
        ("r.json", [ONE | {"bbox": [0.1, 0.2, 0.3, 0.4]}], "look like fractions; they must be in pixels"),
        ("r.json", {"images": [], "annotations": [{"id": 1}]}, "these are labels, no detections"),
        ("r.json", {"a": 1}, "is no COCO result"),
        ("r.json", "{", "must be JSON"),
        ("r.json", "<html>", "is no file of detections; give"),
        (
            "det.tsv",
            HEAD.replace(",", "\t"),
            "columns are read as CSV: separate them by commas, and let the name end in",
        ),
        ("t.csv", HEAD, "holds no detection"),
        ("t.csv", HEAD + "a.jpg,cat,nan,1,2,3,4\n", "line 2: score NaN is not allowed"),
        ("t.csv", HEAD + "a.jpg,cat,0.5,10,2,3,4\n", "line 2: bbox [10.0, 2.0, -7.0, 2.0]"),
        ("t.csv", HEAD + "a.jpg,cat,0.5,1,2,x,4\n", "line 2: 'x': xmax must be a finite decimal number"),
        ("t.csv", HEAD + ",cat,0.5,1,2,3,4\n", "line 2: no image"),
        ("t.csv", "image,label,xmin,ymin,xmax,ymax\na,b,1,2,3,4\n", "no column for the score: score or confidence"),
        ("t.csv", "image,label,score,x,y,w,d\na,b,1,2,3,4,5\n", "no column for the box: xmin,ymin,xmax,ymax or"),
        ("d/a.txt", "0 0.5 0.5 0.1 0.1\n", "a.txt: line 1: 5 columns: a line has 6: class x y width height score;"),
        ("d/a.txt", "0 50 50 10 10 0.5\n", "must be fractions of the image; these look like pixels"),
        ("d/a.txt", "0 0.5 0.5 0.1 0.1 nan\n", "score NaN"),
        ("d/a.txt", "", "holds no detection"),
        ("d/a.jpg", "", "is no model and holds no .txt file of an image"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_words(name: str, content: object, words: str, tmp_path: Path) -> None:
    path = written(tmp_path, name, content)
    said = refused(path.parent if "/" in name else path)
    assert words in said
    assert str(tmp_path) in said


def test_mistakes_of_a_kind_are_one_line_with_their_count(tmp_path: Path) -> None:
    percent = [ONE | {"score": 80 + at / 7} for at in range(90)]
    said = refused(written(tmp_path, "r.json", [ONE, *percent, ONE | {"bbox": [1, 2, -3, 4]}]))
    assert said.splitlines()[0].endswith("r.json: 2 problems")
    assert "entry 1: score 80.0 is not allowed; allowed: 0 to 1 (89 more like it)" in said
    assert "entry 91: bbox [1, 2, -3, 4] is not allowed" in said
    assert said.endswith("scores up to 92.7143: are they percent? divide them by 100")
    said = refused(written(tmp_path, "r.json", 500 * [ONE | {"score": "0.5"}]))
    assert said.count("\n") == 1
    assert said.endswith('score "0.5" is not allowed; allowed: a finite number (499 more like it)')
    text = "".join(f"{name} 0.5 0.5 0.1 0.1 0.5\n" for name in ("cat", "dog", "it's"))
    written(tmp_path, "d/b.txt", "0 0.5 0.5 0.1 0.1\n" * 20)
    said = refused(written(tmp_path, "d/a.txt", text).parent)
    assert "a.txt: line 1: 'cat': the class must be" in said
    assert "(19 more like it)" in said
    assert said.count("\n") <= 3


def test_more_detections_than_can_be_held_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection_rows, "_MOST", 3)
    assert "more than 3 detections" in refused(written(tmp_path, "r.json", 4 * [ONE]))
    for module in (detection_csv, detection_files):
        monkeypatch.setattr(module, "LABEL_BYTES", 20)
    assert "more than 20 bytes" in refused(written(tmp_path, "t.csv", HEAD))


def test_nothing_there_is_told(tmp_path: Path) -> None:
    assert "no such file or folder; give a JSON file of COCO results" in refused(tmp_path / "none.json")
