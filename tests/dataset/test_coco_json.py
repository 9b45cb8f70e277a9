"""COCO's JSON: the lines that are put together by hand are those of the encoder, and the whole is a dataset."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.dataset.coco_json import (
    RESULT_FIELDS,
    CocoWriter,
    annotation_entry,
    dataset_head,
    image_entry,
    result_entry,
    to_json,
)

numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
boxes = st.lists(st.tuples(numbers, numbers, numbers, numbers).map(list), max_size=3)
fields = st.none() | st.dictionaries(st.sampled_from(["iscrowd", "score", "attributes"]), st.integers())


@given(st.lists(st.tuples(st.text(), boxes, st.integers(0, 9), fields), max_size=4))
def test_a_dataset_is_written_line_by_line(pictures: list[tuple[str, list[list[float]], int, Any]]) -> None:
    images, annotations = io.BytesIO(), io.BytesIO()
    writer = CocoWriter(["chat", "日本"], {"description": "d"}, images, annotations)
    lines, entries = [], []
    for number, (name, found, label, more) in enumerate(pictures, 1):
        lines.append(to_json(image_entry(number, name, width=3, height=label)))
        start = len(entries) + 1
        entries += [to_json(annotation_entry(start + n, number, label, box, more)) for n, box in enumerate(found)]
        writer.add(name, found, [label] * len(found), [more] * len(found), width=3, height=label)
    writer.end()
    written = images.getvalue() + annotations.getvalue()
    head, _, rest = written.partition(b',"images":[')
    assert json.loads(head + b"}") == dataset_head(["chat", "日本"], {"description": "d"})
    between = b"\n" + b",\n".join(lines) if lines else b""
    behind = b"\n" + b",\n".join(entries) if entries else b""
    assert rest == between + b'\n],"annotations":[' + behind + b"\n]}\n"
    assert list(json.loads(written)) == ["info", "licenses", "categories", "images", "annotations"]


def test_entries_have_coco_s_fields() -> None:
    assert annotation_entry(1, 2, 3, [1.0, 2.0, 3.0, 4.0]) == {
        "id": 1, "image_id": 2, "category_id": 4, "bbox": [1.0, 2.0, 3.0, 4.0], "area": 12.0, "iscrowd": 0,
    }  # fmt: skip
    assert list(result_entry(1, 0, [0.0, 0.0, 1.0, 1.0], 0.5)) == list(RESULT_FIELDS)
    assert dataset_head(["a"], {})["categories"] == [{"id": 1, "name": "a", "supercategory": ""}]


def test_numbers_that_json_does_not_know_are_refused_and_odd_file_names_are_escaped() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json({"score": float("nan")})
    assert to_json("a\udce9.png") == b'"a\\udce9.png"'
