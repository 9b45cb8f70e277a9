"""Any format to any other and back: nothing lost."""

import argparse
import csv
import io
import re
import resource
import zipfile
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from folders import GOOD, PATHS, Files, Maker, picture, read_labelled, voc
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from repository import ROOT

from humbleyolo.commands import convert as command
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.inputs.joined_source import open_source
from humbleyolo.inputs.ledger import BadInput
from humbleyolo.labels.convert import convert
from humbleyolo.labels.formats.registry import FORMATS, WRITABLE
from humbleyolo.labels.labelled_image import FLAGS, LabelledImage, ReadOptions
from humbleyolo.params.loader import load_params
from humbleyolo.params.value_types import LabelFormat
from humbleyolo.splits.write_dataset import write_splits
from humbleyolo.synthetic.drawn_split import write_splits as draw_splits

SIZES = [(40, 20), (7, 31), (1, 1)]
PICTURES = [picture(seed, *size) for seed, size in enumerate(SIZES)]
CLASSES = ["cat", "a & b <c>", "caf\u00e9 \u732b", '"q", x', "007", "null", "it's"]

fraction = st.floats(0, 1, allow_subnormal=False) | st.sampled_from([0.0, 1.0, 1 / 3, 0.1])


@st.composite
def boxes(draw: st.DrawFn) -> list[float]:
    """Left, top, right, bottom as fractions; at least a thousandth long."""
    result = []
    for _ in "xy":
        low = draw(fraction) * 0.999
        result.append((low, min(1.0, low + max(0.001, draw(fraction) * (1 - low)))))
    return [result[0][0], result[1][0], result[0][1], result[1][1]]


objects = st.lists(st.tuples(boxes(), st.sampled_from(CLASSES), st.sets(st.sampled_from(FLAGS))), max_size=4)
datasets = st.lists(st.tuples(st.sampled_from(["", "train", "val", "test"]), objects), min_size=3, max_size=3)


def write_csv(folder: Path, data: list) -> Path:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["image", "label", "xmin", "ymin", "xmax", "ymax", "split", *FLAGS])
    folder.mkdir()
    for number, ((split, some), (width, height)) in enumerate(zip(data, SIZES, strict=True)):
        name = f"im {number}.png"
        (folder / name).write_bytes(PICTURES[number])
        scale = np.array([width, height, width, height])
        seen = set()
        for box, label, flags in some:
            corners = np.minimum(np.array(box) * scale, scale)
            fractions = corners.max() <= 2 < width  # by their numbers: see `fractions_as_pixels`
            if fractions or (key := (label, *corners)) in seen:
                continue
            seen.add(key)
            writer.writerow(
                [name, label, *map(repr, corners.tolist()), split, *(int(flag in flags) for flag in FLAGS)]
            )
        if not seen:
            writer.writerow([name, "", "", "", "", "", split, *("" for _ in FLAGS)])
    (folder / "l.csv").write_text(file.getvalue(), encoding="utf-8")
    return folder


def compare(before: list[LabelledImage], after: list[LabelledImage], *, flags: bool) -> None:
    found = {one.info.sha256: one for one in after}
    assert len(found) == len(before) == len(after)
    for one in before:
        other = found[one.info.sha256]
        assert other.labels == one.labels
        assert np.abs(other.boxes - one.boxes).max(initial=0) <= 1e-6
        assert other.splits == one.splits
        assert not flags or other.flags == one.flags


@settings(
    deadline=None,
    phases=[Phase.generate],  # shrinking would convert folders for minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(datasets, st.lists(st.sampled_from(sorted(WRITABLE)), min_size=1, max_size=3), st.booleans())
def test_round_trips(tmp_path_factory: pytest.TempPathFactory, data: list, way: list[str], linked: bool) -> None:
    top = tmp_path_factory.mktemp("way")
    here = write_csv(top / "start", data)
    options = ReadOptions()
    before = read_labelled(here, options).images
    for step, to in enumerate([*way, "coco"]):
        done = convert(here, top / str(step), to, options, "link" if linked else "copy")
        assert done.boxes == sum(len(one.labels) for one in before)
        assert done.read_as == (way[step - 1] if step else "csv")
        here = top / str(step)
    compare(before, read_labelled(here, options).images, flags="yolo" not in way)


@pytest.mark.parametrize(
    ("name", "to"),
    [  # all, of which each format is read and written fast twice or more
        pytest.param(name, to, marks=[pytest.mark.slow] * ((row + column) % 3 > 0))
        for row, name in enumerate(sorted(FORMATS))
        for column, to in enumerate(WRITABLE)
    ],
)
def test_any_format_to_any_other(make: Maker, tmp_path: Path, name: str, to: str) -> None:
    file, text = GOOD[name]
    here = make.folder({PATHS.get(name, "a.png"): picture(), file: text})
    if name == "cvat":  # images or video
        (here / file).write_text(re.sub("<track.*</track>", "", text))
    options = ReadOptions(
        format=name, classes=("cat", "dog") if name in ("article", "yolo", "bbox_label_tool") else ()
    )
    if name == "bbox_label_tool":
        (here / file).write_text(text.replace("1 2 3 4", "1 2 3 4 dog"))
    before = read_labelled(here, options)
    assert sum(len(one.labels) for one in before.images) > 0
    done = convert(here, tmp_path / "out", to, options)
    after = read_labelled(tmp_path / "out", ReadOptions())
    assert (done.read_as, after.format) == (name, to)
    compare(before.images, after.images, flags=to != "yolo")
    assert not after.ledger.rows


@pytest.mark.parametrize("to", sorted(WRITABLE))
def test_every_format_there_and_back(make: Maker, tmp_path: Path, to: str) -> None:
    """Several rounds through one format do not drift."""
    here = make.folder({"a.png": picture(), "a.xml": voc("a.png", "cat 1.1 2.3 30.7 19.9", "dog 0 0 40 20")})
    before = make.open(here).images
    for step in range(5):
        convert(here, tmp_path / f"{to}{step}", to, ReadOptions())
        here = tmp_path / f"{to}{step}"
    compare(before, make.open(here).images, flags=True)
    assert not make.open(here).ledger.rows


def test_pycocotools_reads_what_is_written(make: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = make.folder({"a.png": picture(), "a.xml": voc("a.png", "cat 1 2 3.5 4", "dog 5 6 7 8")})
    convert(here, tmp_path / "coco", "coco", ReadOptions())
    read = COCO(str(tmp_path / "coco/annotations/instances_default.json"))
    assert [one["bbox"] for one in read.loadAnns(read.getAnnIds())] == [[1, 2, 2.5, 2], [5, 6, 2, 2]]
    assert [one["name"] for one in read.loadCats(read.getCatIds())] == ["cat", "dog"]


def test_the_generated_dataset_goes_out(make: Maker, tmp_path: Path) -> None:
    files: Files = {}
    for n, split in enumerate(("train", "val", "test")):
        files |= {f"x/{n}.png": picture(n), f"x/{n}.xml": voc(f"{n}.png", "cat 1 2 3 4")}
        files |= {f"ImageSets/Main/{split}.txt": f"{n}\n"}
    out = tmp_path / "dataset"
    (dataset,) = load_params(ROOT / "params.yaml", "dataset")
    split = dataset.labelled.split.model_copy(update={"by": "lists"})
    write_splits(out, dataset.labelled.model_copy(update={"split": split}), make.folder(files), 1, 10_000)
    (out / "preview.png").write_bytes(picture(9))
    before = read_labelled(out, ReadOptions()).images
    for to in WRITABLE:
        done = convert(out, tmp_path / to, to, ReadOptions())
        assert (done.read_as, done.images, done.boxes) == ("coco", 3, 3)
        compare(before, read_labelled(tmp_path / to, ReadOptions()).images, flags=True)
    assert {record.splits for record in before} == {("train",), ("val",), ("test",)}


def test_the_drawn_dataset_goes_out(tmp_path: Path) -> None:
    (dataset,) = load_params(ROOT / "params.yaml", "dataset")
    images = dataset.synthetic.images.model_copy(update={"train": 30, "val": 5, "test": 5})
    params = dataset.synthetic.model_copy(update={"images": images})
    (tmp_path / "dataset").mkdir()
    draw_splits(tmp_path / "dataset", params, ROOT / "data/fonts", 1, 10, processes=1)
    drawn = read_labelled(tmp_path / "dataset", ReadOptions()).images
    for to in WRITABLE:
        assert convert(tmp_path / "dataset", tmp_path / to, to, ReadOptions()).images == 40
        compare(drawn, read_labelled(tmp_path / to, ReadOptions()).images, flags=True)
    assert len({record.splits for record in drawn}) == 3


def test_names_that_would_collide(make: Maker, tmp_path: Path) -> None:
    """One stem in two folders, in two formats, or in two cases: all kept, under names that differ."""
    head = "image,label,xmin,ymin,xmax,ymax\n"
    names = ["a/b/1.png", "a_b/1.png", "b/1.bmp", "B.png", "b.png", "other.jpg"]
    content: Files = {name: picture(n, kind="BMP" if "bmp" in name else "PNG") for n, name in enumerate(names)}
    content["l.csv"] = head + "".join(f"{name},x,1,1,{n + 2},5\n" for n, name in enumerate(names))
    here = make.folder(content)
    for to in WRITABLE:
        done = convert(here, tmp_path / to, to, ReadOptions())
        compare(make.open(here).images, make.open(tmp_path / to).images, flags=True)
        renamed = {row.file: row.done for row in done.rows if row.kind == "renamed"}
        assert renamed["other.jpg"] == "named other.png"
        assert len({path.stem.lower() for path in (tmp_path / to).rglob("*") if path.suffix in (".png", ".bmp")}) == 6


def test_nothing_is_left_of_a_failed_conversion(make: Maker, tmp_path: Path) -> None:
    here = make.folder({"a.png": picture(), "a.xml": voc("a.png", "cat 1 2 1 4", "cat 1 2 3 4")})
    with pytest.raises(ProblemsError, match="no area"):
        convert(here, tmp_path / "out", "coco", ReadOptions())
    with pytest.raises(UserError, match="allowed: voc"):
        convert(here, tmp_path / "out", "tfrecord", ReadOptions())
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    with pytest.raises(UserError, match="is there already"):
        convert(here, tmp_path / "full", "coco", ReadOptions(on_problem="skip_box"))
    for name in ("link", "link.zip"):
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
        with pytest.raises(UserError, match="is a link"):
            convert(here, tmp_path / name, "coco", ReadOptions(on_problem="skip_box"))
        assert (tmp_path / name).is_symlink()
    archive = make.archive({"a.png": picture(), "a.xml": voc("a.png", "cat 1 2 3 4")})
    with pytest.raises(UserError, match="cannot be linked"):
        convert(archive, tmp_path / "out", "coco", ReadOptions(), "link")
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_flags_that_yolo_cannot_hold_are_noted(make: Maker, tmp_path: Path) -> None:
    text = voc("a.png", "cat 1 2 3 4").replace("<difficult>0", "<difficult>1")
    done = convert(make.folder({"a.png": picture(), "a.xml": text}), tmp_path / "y", "yolo", ReadOptions())
    assert [(row.kind, row.what) for row in done.rows] == [("flag-lost", "1 difficult box")]


def test_groups_and_classes_without_boxes_go_along_or_are_noted(make: Maker, tmp_path: Path) -> None:
    head = "image,label,xmin,ymin,xmax,ymax,group\n"
    here = make.folder(
        {"a.png": picture(), "b.png": picture(1), "l.csv": f"{head}a.png,cat,1,2,3,4,s1\nb.png,,,,,,\n"}
    )
    options = ReadOptions(classes=("cat", "dog"))
    lost = {to: {row.kind for row in convert(here, tmp_path / to, to, options).rows} for to in WRITABLE}
    group, unused = "group-lost", "class-lost"
    both = {to: {group, unused} for to in ("voc", "labelme", "label_studio")}
    assert lost == {"csv": {unused}, "yolo": {group}, "coco": {group}, "cvat": {group}} | both
    assert [record.group for record in make.open(tmp_path / "csv").images] == ["s1", None]
    assert make.open(tmp_path / "coco").classes == ("cat", "dog")


def test_the_source_is_not_written_into(make: Maker) -> None:
    here = make.folder({"a.png": picture(), "a.xml": voc("a.png", "cat 1 2 3 4")})
    with pytest.raises(UserError, match="never written to; give another place"):
        convert(here, here / "deep/new", "coco", ReadOptions())
    assert sorted(path.name for path in here.iterdir()) == ["a.png", "a.xml"]


def test_registry() -> None:
    assert tuple(FORMATS) == get_args(LabelFormat)
    assert {name: FORMATS[name].module for name in WRITABLE} == WRITABLE
    assert set(WRITABLE) == {name for name, row in FORMATS.items() if hasattr(row.module, "write")}
    with open_source(Path(__file__).parent) as source, pytest.raises(BadInput):
        source.read("conftest.py", 3)


@pytest.mark.parametrize("to", WRITABLE)
def test_a_target_that_ends_in_zip_is_an_archive(make: Maker, tmp_path: Path, to: str) -> None:
    """Tools take such exports as they are; nothing but the archive is left."""
    here = make.folder({"a.png": picture(), "a.xml": voc("a.png", "cat 1 2 3 4")})
    (tmp_path / "out").mkdir()
    convert(here, tmp_path / "out/x.ZIP", to, ReadOptions())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x.ZIP"]
    compare(make.open(here).images, make.open(tmp_path / "out/x.ZIP").images, flags=True)
    with pytest.raises(UserError, match="no links"):
        convert(here, tmp_path / "out/y.zip", to, ReadOptions(), "link")


def test_a_change_that_many_images_share_is_one_line(
    make: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    content: Files = {f"{folder}/{n}.png": picture(n) for folder in "ab" for n in range(30)}
    here = make.folder(content | {path.replace(".png", ".xml"): voc(path.rpartition("/")[2]) for path in content})
    ledger = tmp_path / "ledger.csv"
    given = [str(here), str(tmp_path / "out"), "--to", "coco", "--ledger", str(ledger)]
    assert command.run(parser.parse_args(given)) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.endswith("(named a_0.png), and 59 more renamed: --ledger writes them all")
    assert "60 images" in last
    assert len(ledger.read_text().splitlines()) == 61


def labelled(names: str) -> Files:
    return {f"{name}.png": picture(n) for n, name in enumerate(names)} | {
        f"{name}.xml": voc(f"{name}.png", "cat 1 2 3 4") for name in names
    }


@pytest.mark.parametrize("to", WRITABLE)
def test_the_same_images_are_the_same_archive_at_any_time(make: Maker, tmp_path: Path, to: str) -> None:
    here = make.folder(labelled("ab"))
    for name in ("one.zip", "two.zip"):
        convert(here, tmp_path / name, to, ReadOptions())
    with zipfile.ZipFile(tmp_path / "one.zip") as packed:
        names = packed.namelist()
        assert names == sorted(names)
        assert {one.date_time[0] for one in packed.infolist()} == {1980}
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_full_disk_leaves_no_half_archive(make: Maker, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    here = make.folder(labelled("abcdefghi"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))  # enough for each file, not for the archive
    try:
        with pytest.raises(UserError, match=r"x\.zip: cannot be written: the file is larger than this disk allows"):
            convert(here, tmp_path / "out/x.zip", "voc", ReadOptions())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [*(tmp_path / "out").iterdir()]
