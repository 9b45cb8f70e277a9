"""Any bytes give a result or a clear error, in bounded time."""

import time
import tracemalloc

import pytest
from folders import GOOD, HEIC, PATHS, Files, Maker, picture
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from humbleyolo.errors import UserError
from humbleyolo.inputs.file_names import IMAGE_FORMATS
from humbleyolo.inputs.image_info import bombs_refused, inspect_image
from humbleyolo.inputs.ledger import BadInput
from humbleyolo.labels.formats.registry import FORMATS

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

    return st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | st.lists(edit, max_size=4).map(apply)


RUN = settings(
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large, HealthCheck.too_slow],
)


VIA_3 = (
    '{"project": {"data_format_version": "3.1.1", "vid_list": ["1"]}, "attribute": {"1": {"aname": "class", '
    '"type": 4, "options": {"0": "cat"}}}, "file": {"1": {"fname": "a.png", "type": 2}}, "view": {"1": '
    '{"fid_list": ["1"]}}, "metadata": {"1_x": {"vid": "1", "z": [], "xy": [2, 1, 2, 3, 4], "av": {"1": "0"}}}}'
)


@pytest.mark.parametrize("kind", [*sorted(FORMATS), "via 3"])
def test_label_files(tmp_path_factory: pytest.TempPathFactory, kind: str) -> None:
    name = kind.removesuffix(" 3")
    file, good = ("a.json", VIA_3) if kind != name else GOOD[name]

    @RUN
    @given(mutated(good.encode()), st.booleans(), st.sampled_from(["error", "skip", "clip"]))
    def check(data: bytes, auto: bool, policy: str) -> None:
        make = Maker(tmp_path_factory.mktemp("fuzz"))
        files: Files = {file: data, PATHS.get(name, "a.png"): PICTURE}
        started = time.process_time()
        try:
            read = make.open(
                make.folder(files), on_problem=policy, format="auto" if auto else name, classes=("cat", "dog")
            )
        except UserError:
            pass
        else:
            for record in read.images:
                assert (record.boxes[:, 2:] > record.boxes[:, :2]).all()
                assert (record.boxes >= 0).all()
                assert (record.boxes <= [40, 20, 40, 20]).all()
        assert time.process_time() - started < 20

    check()


@pytest.mark.parametrize("file", ["data.yaml", "obj.data", "obj.names", "train.txt", "classes.txt"])
def test_files_about_a_yolo_dataset(tmp_path_factory: pytest.TempPathFactory, file: str) -> None:
    good = (
        b"names:\n  0: cat\n  1: dog\nnc: 2\ntrain: a.png\n" if "yaml" in file else b"cat\ndog\nnames = a\n./a.png\n"
    )

    @RUN
    @given(mutated(good))
    def check(data: bytes) -> None:
        files: Files = {file: data, "a.png": PICTURE, "a.txt": "0 0.5 0.5 0.25 0.5\n"}
        Maker(tmp_path_factory.mktemp("fuzz")).findings(files, format="yolo")

    check()


@pytest.mark.parametrize("kind", sorted(set(IMAGE_FORMATS.values())))
def test_images(kind: str) -> None:
    good = HEIC if kind == "HEIF" else picture(kind=kind)

    @settings(RUN, max_examples=60)
    @given(mutated(good))
    def check(data: bytes) -> None:
        with bombs_refused():
            try:
                facts = inspect_image(data)
            except BadInput:
                pass
            else:
                assert facts.height > 0
                assert facts.thumb.shape == (32, 32)

    check()


LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20))
ANNOTATION = '{"id": 1, "image_id": 1, "category_id": 1, "segmentation": %s}'
COCO = (
    '{"images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 40}], '
    f'"categories": [{{"id": 1, "name": "c"}}], "annotations": [{ANNOTATION}]}}'
)
FRAME = '<box frame="%d" outside="0" xtl="1" ytl="2" xbr="3" ybr="4"/>'

# Small files that would take for ever, or all memory, if they were believed.
HOSTILE: dict[str, tuple[str, str, str]] = {
    "aliases that multiply, as names": ("yolo", "data.yaml", f"{LAUGHS}names: *a19\n"),
    "aliases that multiply, no names": ("yolo", "data.yaml", LAUGHS),
    "aliases that multiply, as a list": ("yolo", "data.yaml", f"{LAUGHS}names: [a]\ntrain: *a19\n"),
    "a hexadecimal number of 40,000 digits": ("yolo", "data.yaml", f"names: [a, 0x{'f' * 40_000}]\n"),
    "names of a mebibyte": ("yolo", "data.yaml", f"names: [{'a, ' * 350_000}b]\n"),
    "one line of a mebibyte": ("yolo", "a.txt", "0 " * 2**19),
    "10,000 boxes in one place": ("yolo", "a.txt", "0 0.5 0.5 0.1 0.1\n" * 10_000),
    "a mask of 10^12 pixels": ("coco", "a.json", COCO % '{"size": [20, 40], "counts": [5, 1000000000000]}'),
    "a mask of 10^18 pixels": ("coco", "a.json", COCO % '{"size": [1000000000, 1000000000], "counts": [5, 9]}'),
    "a key twice behind which nothing ends": ("coco", "a.json", '{"a": 1, "a": 2}, "' + '\\"' * 2**19),
    "30,000 images that are none": ("coco", "a.json", f'{{"images": [{"{}, " * 30_000}1], "categories": []}}'),
    "a track of 10^17 frames": (
        "cvat",
        "a.xml",
        f'<annotations><track label="c">{FRAME % 0}{FRAME % 10**17}</track></annotations>',
    ),
    "100,000 attributes": ("cvat", "a.xml", "<annotations " + " ".join(f'a{n}="x"' for n in range(10**5)) + "/>"),
    "30,000 objects that are none": ("voc", "a.xml", f"<annotation>{'<object/>' * 30_000}</annotation>"),
    "a field of a mebibyte": ("csv", "a.csv", f"image,label,xmin,ymin,xmax,ymax\n{'x' * 2**20}"),
    "200,000 columns": ("csv", "a.csv", f"image,label,xmin,ymin,xmax,ymax{',a' * 200_000}\n1\n"),
    "20,000 images that are not there": (
        "csv",
        "a.csv",
        "image,label,xmin,ymin,xmax,ymax\n" + "".join(f"z{n}.png,c,1,2,3,4\n" for n in range(20_000)),
    ),
}


SLOW = ("20,000 images that are not there", "100,000 attributes", "a hexadecimal number of 40,000 digits")


@pytest.mark.parametrize("name", [pytest.param(one, marks=[pytest.mark.slow] * (one in SLOW)) for one in HOSTILE])
def test_time_and_memory_are_bounded(make: Maker, name: str) -> None:
    """A mebibyte at most is read; 64 are enough, and seconds, also where memory is being watched."""
    format_name, file, text = HOSTILE[name]
    files: Files = {"a.png": PICTURE, "a.txt": "0 0.5 0.5 0.1 0.1\n", file: text}
    path = make.folder(files)
    started = time.process_time()
    tracemalloc.start()
    try:
        rows = make.findings_in(path, format=format_name)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows
    assert max(len(str(row)) for row in rows) < 500
    assert peak < 64 * 2**20
    assert time.process_time() - started < 30
