"""Formats that are not read are named, with what to do."""

import json

import pytest
from folders import Files, Maker, picture, under

from humbleyolo.errors import UserError

QUAD = "377,117,463,117,465,130,378,130,Genaxis Theatre\n"
AZURE = {
    "image_url": "AmlDatastore://a.png",
    "label": [{"label": "cat", "topX": 0.1, "topY": 0, "bottomX": 1, "bottomY": 1}],
}
V7 = {"item": {"slots": []}, "annotations": [{"bounding_box": {"x": 1, "y": 2, "w": 3, "h": 4}, "name": "cat"}]}
VERTEX = {"imageGcsUri": "gs://b/a.png", "boundingBoxAnnotations": []}
DETECTION = ("image_id", "category_id", "bbox", "score")
FILES: dict[str, tuple[str, str, str]] = {  # title: file, its text, a part of what to do
    "DOTA's text": ("labelTxt/a.txt", "imagesource:x\ngsd:0.1\n10 10 50 12.5 50 40 10 38 plane 0\n", "Roboflow"),
    "VisDrone's text": ("annotations/a.txt", "684,8,273,116,0,0,0,0\n", "ignored regions"),
    "ICDAR's text": ("gt_a.txt", QUAD, "four corners"),
    "WIDER FACE's text": ("bbx_gt.txt", "0--Parade/a.jpg\n1\n449 330 122 149 0 0 0 0 0 0 \n", "YOLO or COCO"),
    "YOLO text with names": ("a.txt", "big cat 0.5 0.5 0.25 0.5\n", "classes.txt"),
    "YOLO text with commas": ("a.txt", "0,0.5,0.5,0.25,0.5\n", "by spaces"),
    "Vertex AI's CSV": ("a.csv", "TRAIN,gs://b/a.png,cat,0.1,0.1,,,0.3,0.3,,\n", "image,label,xmin"),
    "Vertex AI's JSON lines": ("a.jsonl", json.dumps(VERTEX), "CSV"),
    "Azure ML's JSON lines": ("a.jsonl", json.dumps(AZURE), "COCO"),
    "Darwin JSON of V7": ("a.json", json.dumps(V7), "COCO from V7"),
    "VoTT's JSON": ("x.json", json.dumps({"assets": {"1": {"regions": [{"boundingBox": {}}]}}}), "Pascal VOC"),
    "Scalabel JSON": ("x.json", json.dumps([{"name": "a", "labels": [{"box2d": {}}]}]), "to_coco"),
    "FiftyOne's JSON": ("a.json", json.dumps({"classes": [], "labels": {"a": [{"bounding_box": []}]}}), "COCOD"),
    "SageMaker's manifest": ("output.manifest", json.dumps({"source-ref": "s3://b/a.png"}), "CSV"),
    "Labelbox's JSON lines": ("x.ndjson", json.dumps({"data_row": {}}), "COCO"),
    "CrowdHuman's odgt": ("x.odgt", json.dumps({"ID": "a", "gtboxes": []}), "COCO"),
    "JSON lines for a language model": ("x.jsonl", json.dumps({"image": "a", "prefix": "", "suffix": ""}), "COCO"),
    "detections of a model": ("x.json", json.dumps([dict.fromkeys(DETECTION, 1)]), "score"),
}  # fmt: skip


@pytest.mark.parametrize("title", FILES)
def test_a_format_that_is_not_read_is_named(make: Maker, title: str) -> None:
    name, text, fix = FILES[title]
    pictures: Files = {"images/a.png": picture()} if "/" in name else {"a.png": picture()}
    with pytest.raises(UserError) as caught:
        make.read({**pictures, name: text})
    [line] = [line for line in str(caught.value).split("\n") if line.startswith("  Not read: ")]
    assert line.startswith(f"  Not read: {title}")
    assert fix in line
    assert "The nearest format" not in str(caught.value)
    assert "Move such texts" not in str(caught.value)


def test_a_number_in_the_first_line_is_a_text_of_icdar_too(make: Maker) -> None:
    with pytest.raises(UserError, match="Not read: ICDAR's text"):
        make.read({"a.png": picture(), "gt_a.txt": "377,117,463,117,465,130,378,130,2009\n" + QUAD})


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (
            {"pics/a/a.png": picture(), "texts/b/a.txt": "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 0.9\n"},
            "Move such texts",
        ),
        (
            {"img1/1.png": picture(), "gt.txt": "1,1,10,20,30,40,1,1,1\n2,1,10,20,30,40,1,1,1\n"},
            "begins with '1,1,10",
        ),
    ],
    ids=["yolo", "mot"],
)
def test_a_format_that_is_read_is_not_named_as_another(make: Maker, files: Files, says: str) -> None:
    """Polygons and tracks in another folder have as many numbers as four corners."""
    with pytest.raises(UserError) as caught:
        make.read(files)
    assert "Not read" not in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize("name", ["a.json", "a.xml", "a.txt"])
def test_utf_16_is_named(make: Maker, name: str) -> None:
    """As PowerShell writes it."""
    with pytest.raises(UserError, match="Not read: UTF-16; save it as UTF-8"):
        make.read({"a.png": picture(), name: "0 0.5 0.5 0.25 0.5\n".encode("utf-16")})


def test_one_line_tells_many_files_of_a_format(make: Maker) -> None:
    files = under(
        {"images": {f"{n}.png": picture(n) for n in range(9)}, "gt": {f"gt_{n}.txt": QUAD for n in range(9)}}
    )
    with pytest.raises(UserError) as caught:
        make.read(files)
    assert str(caught.value).count("Not read:") == 1
