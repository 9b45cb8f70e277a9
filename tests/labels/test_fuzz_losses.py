"""Label files with one part changed: under `skip` no image is kept that lost a box, if its record names it."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from folders import Maker
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from label_records import CLASSES, LAYOUTS, Layout

from humbleyolo.errors import UserError
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import Ledger
from humbleyolo.labels.formats.registry import collect
from humbleyolo.labels.labelled_image import ReadOptions

RUN = settings(deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
_TOKEN = re.compile(r"\s+|[A-Za-z_]+|-?\d+(?:\.\d+)?|.")
_JUNK = ["x", "", "-1", "999", "null", "[1]", "{}", '"', "1.5", "0", "1e400", "\u00e9", "true", "\n", ",", "<"]
_TOLD = {"image-missing", "points-nowhere", "unsafe-path", "image-ambiguous"}  # nobody can say whose the box was
_TOLD |= {"no-region"}  # Label Studio: a result without a place
_LINKS = {"image_id", "vid", "fid_list", "view"}  # keys by which a record finds its image
_RECORDS = {"annotations", "metadata"}  # keys of all records of COCO and VIA 3, which find their images so
_LINK = re.compile(rf'"({"|".join(_LINKS)})"\W*')


def label_file(layout: Layout) -> str:
    return layout.file.replace("@", "a")


def boxes_of(root: Path, layout: Layout) -> tuple[dict[str, int], set[str]]:
    """The number of boxes of each image that is kept under `skip`, and the kinds of all findings."""
    ledger = Ledger("skip")
    options = ReadOptions(format=layout.format, classes=CLASSES, on_problem="skip")
    with open_source(root) as source:
        try:
            images = collect(source, options, ledger).images
        except UserError:
            images = []
    return {image.path: len(image.labels) for image in images}, {row.kind for row in ledger.rows}


def assert_told(root: Path, layout: Layout) -> None:
    found, kinds = boxes_of(root, layout)
    moved = any(count > 2 for count in found.values())  # a box of one image is now another one's
    assert moved or kinds & _TOLD or all(count == 2 for count in found.values()), (found, kinds)


def folder(top: Path, layout: Layout) -> tuple[Path, str]:
    files = layout.files({"a": [layout.good] * 2, "b": [layout.good] * 2})
    root = Maker(top).folder(files)
    assert [*boxes_of(root, layout)[0].values()] == [2, 2]
    return root, str(files[label_file(layout)])


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_part_of_the_text_is_another(tmp_path: Path, name: str) -> None:
    """What names an image stays. Lines are not joined: of YOLO two are a polygon, of OIDv4 a class of many words."""
    layout = LAYOUTS[name]
    root, text = folder(tmp_path, layout)
    parts = _TOKEN.findall(text)

    @RUN
    @given(st.integers(0, len(parts) - 1), st.sampled_from(_JUNK))
    def check(place: int, junk: str) -> None:
        before = "".join(parts[:place])
        assume("\n" not in parts[place] and parts[place] not in _LINKS)
        assume(not layout.interleaved or "," in before.rpartition("\n")[2])
        assume(not _LINK.search(before, before.rfind(",") + 1))
        (root / label_file(layout)).write_text("".join([*parts[:place], junk, *parts[place + 1 :]]))
        assert_told(root, layout)

    check()


def places(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """The keys that lead to each value in JSON."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield (*above, key)
        yield from places(inside, *above, key)


@pytest.mark.parametrize("name", sorted(name for name, layout in LAYOUTS.items() if ".json" in layout.file[-6:]))
def test_each_value_of_json_is_missing_or_of_another_kind(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    root, text = folder(tmp_path, layout)
    first, *rest = text.splitlines()  # of imagefolder, a line an image
    content = json.loads(first)
    for *above, last in places(content):
        for junk in ([1], {}, None, ...):
            shorter = junk is ... and isinstance(last, int)  # a list may be shorter
            linked = layout.interleaved and (last in _LINKS | _RECORDS or {*above[-1:]} & (_RECORDS | {"view"}))
            if shorter or linked or (last == "regions" and junk == {}):  # VIA 1 writes no regions so
                continue
            changed = copy.deepcopy(content)
            inside = changed
            for key in above:
                inside = inside[key]
            inside[last] = junk
            if junk is ...:
                del inside[last]
            (root / label_file(layout)).write_text("\n".join([json.dumps(changed), *rest]))
            assert_told(root, layout)
