"""The format of proposed labels: the labelled folder's own, in its numbers and on its side of a photograph."""

from pathlib import Path

import numpy as np
import pytest
from folders import GOOD, PATHS, Files, Maker, encoded, photo, picture, under, voc, zipped
from folders import make as make
from params_text import changed

from humbleyolo.audit.pre_label_format import PreLabelFormat, choose_format
from humbleyolo.inputs.image_info import inspect_image
from humbleyolo.labels.formats.registry import FORMATS, WRITABLE
from humbleyolo.labels.labelled_image import LabelledImage, ReadOptions
from humbleyolo.labels.pre_labels import write_pre_labels

NAMES = "classes.txt", "cat\ndog\n"


def files_of(name: str, image: str = "a.png") -> Files:
    """A labelled folder of one image in a format."""
    path, text = GOOD[name]
    return {PATHS.get(name, image): picture(), path: text} | dict([NAMES] if name == "yolo" else [])


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "data/labelled").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def choose(files: Files, *params: tuple[str, str]) -> PreLabelFormat:
    for name, data in files.items():
        path = Path("data/labelled/mine", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    source = ("dataset.source", "labelled"), ("dataset.inputs", "data/labelled/mine")
    Path("params.yaml").write_text(changed(*source, *params))
    return choose_format(Path("params.yaml"))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_with_a_writer_is_kept_and_any_other_becomes_voc_with_the_reason(name: str) -> None:
    for params in ((), (("dataset.labelled.format", name),)):
        form = choose(files_of(name), *params)
        line = f"format {form.name}: {form.why}"
        assert len(line) <= 80
        if name in WRITABLE:
            assert line == f"format {name}: that of data/labelled/mine; --to gives another"
        elif params:
            assert line == f"format voc: {name} is not written; set dataset.labelled.format to auto"
        else:
            assert line == f"format voc: data/labelled/mine is {name}, which is not written"


def test_without_a_labelled_folder_it_is_voc_and_the_line_says_why() -> None:
    found = [choose_format(Path("params.yaml"))]
    Path("params.yaml").write_text("seed: none\n")
    found.append(choose_format(Path("params.yaml")))
    Path("params.yaml").write_text(changed())
    found.append(choose_format(Path("params.yaml")))
    found.append(choose({}))
    assert {one.name for one in found} == {"voc"}
    assert [one.why for one in found] == [
        "there is no params.yaml",
        "params.yaml has mistakes; see `humbleyolo params`",
        "params.yaml has no labelled folder",
        "data/labelled/mine cannot be read; see `humbleyolo check data/labelled/mine`",
    ]


def test_labels_that_a_folder_has_twice_get_a_third_format() -> None:
    """A set in one of the two would differ from the other, which lacks it."""
    both: Files = {"a.png": picture(), "a.xml": voc("a.png", "cat 1 2 3 4"), "a.csv": GOOD["csv"][1]}
    form = choose(both)
    assert (form.name, form.why) == (
        "coco" if False else "yolo",
        "data/labelled/mine has the same labels as voc and csv",
    )


@pytest.mark.parametrize("added", ["corrections", "to-correct"])
def test_sets_that_were_added_in_another_format_do_not_count(added: str) -> None:
    other: Files = {"b.png": picture(1), "b.xml": voc("b.png", "dog 1 2 3 4")}
    form = choose(files_of("yolo") | under({added: other}))
    assert (form.name, form.classes) == ("yolo", ("cat", "dog"))


def test_of_several_parts_the_first_that_can_be_written_counts(project: Path) -> None:
    day2: Files = {"b.png": picture(1), "b.txt": "1 0.5 0.5 0.25 0.5\n", "classes.txt": "owl\ncat\n"}
    form = choose(under({"day1": files_of("createml"), "day2": day2}))
    assert (form.name, form.classes) == ("yolo", ("owl", "cat"))
    zipped(project / "data/labelled/mine", "day3.zip", files_of("yolo"))
    assert choose({}).classes == ()  # the numbers of day2 are not those of day3


def test_numbers_without_a_list_of_the_folder_are_the_models_and_data_yaml_must_stay() -> None:
    form = PreLabelFormat("yolo", "", ReadOptions())
    assert form.numbered(("a", "b"), {"a"}) == (
        ("a", "b"),
        ["note: the numbers of classes are those of data.yaml, which must stay beside the labels"],
    )
    assert PreLabelFormat("coco", "", ReadOptions()).numbered(("a", "b"), {"a"}) == (("a", "b"), [])
    assert PreLabelFormat("yolo", "", ReadOptions(), ("b", "c")).numbered(("a", "b", "c"), {"c"}) == (("b", "c"), [])


@pytest.mark.parametrize("to", WRITABLE)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_of_stored_photographs_are_read_back_as_the_upright_ones(
    make: Maker, to: str, orientation: int
) -> None:
    image = photo(1)
    exif = image.getexif()
    exif[0x0112] = orientation
    data = encoded(image, "JPEG", exif=exif)
    info = inspect_image(data)
    upright = (info.width, info.height) if orientation >= 5 else (info.height, info.width)
    boxes = np.array([[3.0, 5.0, 20.5, 33.25], [40.0, 2.0, 71.0, 80.0]])
    proposed = LabelledImage(
        label_file="", path="a.jpg", height=upright[0], width=upright[1], boxes=boxes, labels=("cat", "dog"),
        flags=(frozenset(),) * 2, where=("",) * 2, splits=(), group=None, info=info,
    )  # fmt: skip
    options = ReadOptions(exif="stored", one_based=to == "voc")
    form = PreLabelFormat(to, "", options)
    folder = make.folder({})
    write_pre_labels(folder, to, [(form.as_read(proposed), lambda: data)], ("cat", "dog"))
    [read] = make.open(folder, exif="stored", one_based=options.one_based).images
    np.testing.assert_allclose(read.boxes, boxes, atol=1e-6)
    assert (read.height, read.width) == upright
    assert PreLabelFormat(to, "").as_read(proposed) is proposed
