"""Large JSON read entry by entry: the same as the whole, or the mistake with its entry."""

import io
import json
import tracemalloc
from typing import Any

import pytest
from folders import Files, Maker, picture
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import BadInput
from humbleyolo.inputs.parsing import json_stream
from humbleyolo.inputs.parsing.json_stream import read_lists
from humbleyolo.labels.formats import coco
from humbleyolo.labels.word_search import first_holding

SCALARS = st.none() | st.booleans() | st.integers(1 - 2**63, 2**63 - 1) | st.floats(allow_nan=False) | st.text()
FINITE = SCALARS.filter(lambda value: value not in (float("inf"), float("-inf")))
VALUES = st.recursive(
    FINITE, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


def read(text: str | bytes) -> tuple[Any, list[tuple[str, int, Any]]]:
    taken: list[tuple[str, int, Any]] = []
    data = text if isinstance(text, bytes) else text.encode()
    return read_lists(io.BytesIO(data), lambda *one: taken.append(one)), taken


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.sampled_from([None, 0, 3]), st.booleans())
def test_the_root_with_its_lists_is_what_json_reads(content: dict[str, Any], indent: int | None, bom: bool) -> None:
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    root, taken = read(text.encode("utf-8-sig" if bom else "utf-8"))
    lists = {key: [one for name, _, one in taken if name == key] for key in root if isinstance(root[key], list)}
    assert root | lists == content
    assert [*root] == [*content]
    for key, some in lists.items():
        assert [number for name, number, _ in taken if name == key] == [*range(len(some))]


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ('{"images": [{"id": 1}, {"id": NaN}]}', "images[1]", "invalid char"),
        ('{"images": [1, -Infinity]}', "images[1]", "malformed number"),
        ('{"images": [{"id": 1e999}]}', "images[0]", "overflow"),
        ('{"images": [{"id": 123456789012345678901}]}', "images[0]", "overflow"),
        ('{"images": [{"id": 1, "id": 1}]}', "images[0]", "'id' twice"),
        ('{"images": [{"a": {"b": 1, "b": 2}}]}', "images[0]", "'b' twice"),
        ('{"info": {"b": 1, "b": 2}}', "the file", "'b' twice"),
        ('{"images": [], "images": []}', "images[0]", "'images' twice"),
        ('{"images": [3, ' + "[" * 1000, "images[1]", "nested too deeply"),
        ('{"images": [3, 4', "images[2]", "premature EOF"),
        ('{"images": [3]} x', "images[1]", "trailing garbage"),
        (b'{"images": ["\xff"]}', "images[0]", "UTF8"),
        (b'{"images": ["\xed\xa0\x80"]}', "images[0]", "utf-8"),
        ("", "the file", "premature EOF"),
    ],
)
def test_a_mistake_is_told_with_its_entry(text: str | bytes, place: str, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(text)
    assert caught.value.where == place
    assert says in caught.value.what
    assert len(caught.value.what) < 200


def test_what_is_no_object_has_no_lists() -> None:
    assert read("[1, [2], {}]") == ([1, [2], {}], [])
    assert read("null") == (None, [])


def test_other_encodings_are_named() -> None:
    with pytest.raises(BadInput, match="UTF-16"):
        read(json.dumps({"images": [1]}).encode("utf-16"))


@pytest.mark.parametrize(
    ("bound", "least", "says"),
    [("STREAMED_BYTES", 200, "the file"), ("MOST_BYTES", 40, "one entry"), ("MOST_ENTRIES", 3, "entries")],
)
def test_bounds(monkeypatch: pytest.MonkeyPatch, bound: str, least: int, says: str) -> None:
    monkeypatch.setattr(json_stream, bound, least)
    monkeypatch.setattr(json_stream, "_PIECE", 16)
    assert len(read('{"a": [11111, 22222, 33333]}')[1]) == 3
    with pytest.raises(BadInput) as caught:
        read('{"a": [11111, 22222, 33333, ' + "[" + "1, " * 80 + "1]]}")
    assert caught.value.kind == "too-large"
    assert says in f"{caught.value.what} {caught.value.why}"


def document(images: int, boxes: int, **annotation: object) -> dict[str, Any]:
    return {
        "info": {"year": 2017},
        "annotations": [
            {
                "segmentation": [[1, 2, 9, 2, 5, 11]],
                "id": n,
                "image_id": n % images,
                "category_id": n % 2,
                "area": 9.5,
            }
            | {"bbox": [n % 7, 4.25, 7, 8], "iscrowd": int(n % 5 == 0)}
            | annotation
            for n in range(boxes)
        ],
        "images": [{"id": n, "file_name": f"{n}.png", "height": 20, "width": 40} for n in range(images)],
        "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
    }


def folder(content: Any, images: int) -> Files:
    text = content if isinstance(content, str) else json.dumps(content)
    return {f"{n}.png": picture(n) for n in range(images)} | {"a.json": text}


@pytest.mark.parametrize(
    "change", [{}, {"bbox": []}, {"image_id": 9}, {"category_id": "x"}, {"attributes": {"rotation": 3.5}}]
)
def test_a_large_coco_file_is_read_as_a_small_one(
    make: Maker, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    path = make.folder(folder(document(4, 12, **change), 4))
    whole = make.open(path, on_problem="skip_box")
    monkeypatch.setattr(coco, "_WHOLE_BYTES", 100)
    streamed = make.open(path, on_problem="skip_box")
    assert streamed.ledger.rows == whole.ledger.rows
    assert streamed.classes == whole.classes
    for one, other in zip(streamed.images, whole.images, strict=True):
        assert one.boxes.tolist() == other.boxes.tolist()
        assert (one.labels, one.flags, one.where) == (other.labels, other.flags, other.where)


def test_what_a_large_coco_file_lacks(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco, "_WHOLE_BYTES", 10)
    for content, says in (('{"images": [], "categories": {}}', "categories"), ('{"images": [1, 1e999]}', "overflow")):
        rows = make.findings(folder(content, 1), format="coco")
        assert says in str(rows[0])
    rows = make.findings(folder(document(1, 1) | {"images": [7]}, 1), format="coco")
    assert "images[0]: 7: must be an object" in str(rows[0])


def test_memory_is_that_of_the_boxes(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polygons are most of such a file, and are not kept."""
    monkeypatch.setattr(coco, "_WHOLE_BYTES", 1000)
    monkeypatch.setattr(json_stream, "_PIECE", 2**14)
    text = json.dumps(document(10, 300, segmentation=[[n / 7 for n in range(400)]]))
    with open_source(make.folder(folder(text, 1))) as source:
        tracemalloc.start()
        lists = coco._lists(source, "a.json")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(lists["annotations"]) == 300
    assert peak < len(text) / 4


@pytest.mark.parametrize("between", [0, 2**16, 2**20 - 30, 2**20 - 20, 2**20 - 5, 2**21])
def test_words_are_found_wherever_they_stand(make: Maker, between: int) -> None:
    files: Files = {"a.json": '{"images": "' + "x" * between + '", "categories": []}', "b.json": '{"images": 1}'}
    with open_source(make.folder(files)) as source:
        assert first_holding(source, ["b.json", "a.json"], (b'"images"', b'"categories"'), b"-") == "a.json"
        assert first_holding(source, ["a.json"], (b'"images"', b'"none"'), b"-") == ""
