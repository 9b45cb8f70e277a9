"""Any bytes give a result or a clear error, in bounded time."""

import time
from collections.abc import Callable

import pytest
from folders import Files, Maker, picture, voc
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from humbleyolo.errors import UserError
from humbleyolo.labels.formats import FORMATS
from humbleyolo.labels.ledger import BadInput
from humbleyolo.labels.pictures import bombs_refused, inspect

GOOD: dict[str, tuple[str, str]] = {
    "voc": ("a.xml", voc("a.png", "cat 1 2 3 4")),
    "yolo": ("a.txt", "0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.1 0.1\n"),
    "coco": (
        "a.json",
        '{"images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 40}], "categories": [{"id": 1, "name":'
        ' "cat"}], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 0,'
        ' "segmentation": {"size": [20, 40], "counts": "5a0P1"}}]}',
    ),
    "cvat": (
        "a.xml",
        '<annotations><meta><task><labels><label><name>c</name></label></labels></task></meta><image id="0" '
        'name="a.png" width="40" height="20"><box label="c" xtl="1" ytl="2" xbr="3" ybr="4" rotation="5"/></image>'
        '<track id="0" label="c"><box frame="0" outside="0" xtl="1" ytl="2" xbr="3" ybr="4"/></track></annotations>',
    ),
    "bbox_label_tool": ("a.txt", "2\n1 2 3 4\n5 6 7 8 cat\n"),
    "labelme": (
        "a.json",
        '{"imagePath": "a.png", "imageHeight": 20, "imageWidth": 40, "shapes": [{"label": "c", "shape_type": '
        '"rectangle", "points": [[1, 2], [3, 4]], "flags": {}}]}',
    ),
    "open_images": ("a.csv", "ImageID,LabelName,XMin,XMax,YMin,YMax\na,/m/1,0.1,0.2,0.3,0.4\n"),
    "csv": ("a.csv", "image,label,xmin,ymin,xmax,ymax,split\na.png,cat,1,2,3,4,train\n"),
    "article": ("a.txt", "1 0 0\n10 10 4 4\n1\n0 0 1\n1 1 1 1\n0\n---\n"),
}
PICTURE = picture()


def mutated(good: bytes) -> st.SearchStrategy[bytes]:
    """Nothing like it, or it with bytes cut out, doubled or changed."""
    place = st.integers(0, max(len(good) - 1, 0))
    junk = st.binary(max_size=12) | st.sampled_from(
        [b"1e999", b"-", b"nan", b'"', b"<", b"[" * 500, b"0" * 500, b"\0"]
    )
    edit = st.tuples(place, st.integers(0, 30), junk)

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        data = good
        for start, length, new in edits:
            data = data[:start] + new + data[start + length :]
        return data

    return (
        st.binary(max_size=200)
        | st.text(max_size=100).map(str.encode)
        | st.lists(edit, max_size=4).map(apply)
    )


RUN = settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_label_files(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    file, good = GOOD[name]

    @RUN
    @given(mutated(good.encode()), st.booleans(), st.sampled_from(["error", "skip", "clip"]))
    def check(data: bytes, auto: bool, policy: str) -> None:
        make = Maker(tmp_path_factory.mktemp("fuzz"))
        files: Files = {file: data, "a.png": PICTURE}
        started = time.monotonic()
        try:
            read = make.open(
                make.folder(files), on_problem=policy, format="auto" if auto else name, classes=("cat", "dog")
            )
        except UserError:
            pass
        else:
            for record in read.records:
                assert (record.boxes[:, 2:] > record.boxes[:, :2]).all()
                assert (record.boxes >= 0).all()
                assert (record.boxes <= [40, 20, 40, 20]).all()
        assert time.monotonic() - started < 20

    check()


@pytest.mark.parametrize("file", ["data.yaml", "obj.data", "obj.names", "train.txt", "classes.txt"])
def test_files_about_a_yolo_dataset(tmp_path_factory: pytest.TempPathFactory, file: str) -> None:
    good = (
        b"names:\n  0: cat\n  1: dog\nnc: 2\ntrain: a.png\n"
        if "yaml" in file
        else b"cat\ndog\nnames = a\n./a.png\n"
    )

    @RUN
    @given(mutated(good))
    def check(data: bytes) -> None:
        files: Files = {file: data, "a.png": PICTURE, "a.txt": "0 0.5 0.5 0.25 0.5\n"}
        Maker(tmp_path_factory.mktemp("fuzz")).findings(files, format="yolo")

    check()


@pytest.mark.parametrize(
    "make", [lambda kind=kind: picture(kind=kind) for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")]
)
def test_images(make: Callable[[], bytes]) -> None:
    good = make()

    @settings(RUN, max_examples=150)
    @given(mutated(good))
    def check(data: bytes) -> None:
        with bombs_refused():
            try:
                facts = inspect(data)
            except BadInput:
                pass
            else:
                assert facts.height > 0
                assert facts.thumb.shape == (32, 32)

    check()
