"""Class numbers that count from 1 are one mistake: most would get the name of their neighbour."""

import json
from collections import Counter
from collections.abc import Callable

import pytest
from folders import Files, Maker, picture

from humbleyolo.labels.class_numbers import find_count_from_one

NAMES = ("cat", "dog", "hen")


def yolo(*numbers: int, names: tuple[str, ...] = NAMES) -> Files:
    files: Files = {"classes.txt": "\n".join(names)}
    for place, number in enumerate(numbers):
        files |= {f"{place}.png": picture(place), f"{place}.txt": f"{number} 0.5 0.5 0.25 0.5\n"}
    return files


def table(*numbers: int) -> Files:
    lines = [f"{place}.png,{number},1,2,30,14" for place, number in enumerate(numbers)]
    files: Files = {f"{place}.png": picture(place) for place in range(len(numbers))}
    return {**files, "l.csv": "\n".join(["filename,class_id,xmin,ymin,xmax,ymax", *lines])}


def imagefolder(*numbers: int, top: str = "") -> Files:
    objects = [{"bbox": [[1, 2, 29, 12]], "categories": [number]} for number in numbers]
    lines = [json.dumps({"file_name": f"{place}.png", "objects": one}) for place, one in enumerate(objects)]
    files: Files = {f"{top}{place}.png": picture(place + 9 * len(top)) for place in range(len(numbers))}
    return {**files, f"{top}metadata.jsonl": "\n".join(lines)}


def keras(*numbers: int, top: str = "") -> Files:
    lines = [f"{place}.png 1,2,30,14,{number}" for place, number in enumerate(numbers)]
    files: Files = {f"{top}{place}.png": picture(place + 9 * len(top)) for place in range(len(numbers))}
    return {**files, f"{top}_annotations.txt": "\n".join(lines)}


@pytest.mark.parametrize("write", [imagefolder, keras])
def test_so_it_is_where_classes_names_the_numbers(make: Maker, write: Callable[..., Files]) -> None:
    """Of all files at once: in `val` there is no box of the highest number, and no number is too high."""
    files = {**write(1, 2, 3, 3, top="train/"), **write(1, 2, top="val/")}
    [row] = make.findings(files, classes=NAMES)
    assert (row.kind, row.severity) == ("class-numbers", "error")
    assert make.read(files, classes=NAMES, on_problem="skip").images == []
    format_ = "csv" if write is keras else "imagefolder"
    assert f"--format {format_}" in row.why
    named = make.read(files, classes=NAMES, on_problem="skip", format=format_)
    assert [image.labels for image in named.images] == [("dog",), ("hen",), ("dog",), ("hen",)]
    assert [one.severity for one in named.ledger.rows if one.kind == "class-numbers"] == ["warning"]
    right = make.read({**write(0, 1, 2, top="train/"), **write(1, 2, top="val/")}, classes=NAMES)
    assert [image.labels[0] for image in right.images] == ["cat", "dog", "hen", "dog", "hen"]
    assert right.ledger.rows == []


@pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 1), (2, 3, 3)])
@pytest.mark.parametrize("on_problem", ["error", "skip", "skip_box", "clip"])
def test_no_image_gets_the_name_of_a_neighbour(make: Maker, numbers: tuple[int, ...], on_problem: str) -> None:
    if on_problem == "error":
        [row] = make.findings(yolo(*numbers))
        assert row.kind == "class-numbers"
    else:
        data = make.read(yolo(*numbers), on_problem=on_problem)
        assert data.images == []
        assert [row.kind for row in data.ledger.errors] == ["class-numbers"]
    named = {**table(*numbers), "names.csv": "".join(f"{name},{place}\n" for place, name in enumerate(NAMES))}
    for files, classes in ((table(*numbers), NAMES), (named, ())):
        [row] = [row for row in make.findings(files, classes=classes) if row.severity == "error"]
        assert row.kind == "class-numbers"


@pytest.mark.parametrize("numbers", [(0, 1, 3), (1, 2), (1, 2, 4), (3,)])
def test_other_numbers_are_no_such_mistake(make: Maker, numbers: tuple[int, ...]) -> None:
    """One number is 0, or the last has a name, or a higher one is there too; the last alone gets no wrong name."""
    wrong = ["unknown-class"] * (max(numbers) > 2)
    for files, classes in ((yolo(*numbers), ()), (table(*numbers), NAMES)):
        found = make.findings(files, classes=classes, on_problem="skip_box")
        assert [row.kind for row in found if row.severity == "error"] == wrong


def test_names_of_other_folders_are_asked_by_themselves(make: Maker) -> None:
    """Of two folders with names of their own, one counts from 1."""
    one = {f"one/{name}": content for name, content in yolo(0, 1, 2).items()}
    two = {f"two/{name}": content for name, content in yolo(1, 2, names=("rat", "cow")).items()}
    data = make.read({**one, **two}, on_problem="skip")
    assert [image.labels for image in data.images] == [("cat",), ("dog",), ("hen",)]
    assert [row.kind for row in data.ledger.errors] == ["class-numbers"]


@pytest.mark.parametrize(
    ("numbers", "names", "kinds"),
    [
        ([1, 1, 1, 2], NAMES[:2], {"unknown-class": "error", "class-numbers": "warning"}),  # one slip
        ([1] * 9 + [2] * 3, NAMES[:2], {"class-numbers": "error"}),
        ([1] * 9 + [2] * 2, NAMES[:2], {"unknown-class": "error", "class-numbers": "warning"}),
        ([1, 5], tuple("abcde"), {"unknown-class": "error", "class-numbers": "warning"}),  # of most no box
        ([1, 2, 3, 5], tuple("abcde"), {"class-numbers": "error"}),
        ([2, 2], NAMES[:2], {"unknown-class": "error"}),
    ],
)
def test_a_slip_is_no_counting_from_1(
    make: Maker, numbers: list[int], names: tuple[str, ...], kinds: dict[str, str]
) -> None:
    data = make.read(yolo(*numbers, names=names), on_problem="skip")
    rows = [row for row in data.ledger.rows if row.kind in ("unknown-class", "class-numbers")]
    assert {row.kind: row.severity for row in rows} == kinds
    right = sum(number < len(names) for number in numbers)
    assert len(data.images) == (0 if kinds == {"class-numbers": "error"} else right)


def test_a_rare_class_among_many_boxes_is_no_slip() -> None:
    """As COCO's last one. Of a thousand boxes a few of the highest number are slips."""
    counts = Counter({1: 1000, 2: 60})
    assert find_count_from_one(counts, 2)
    assert not find_count_from_one(counts - Counter({2: 40}), 2)


def test_a_format_given_by_name_reads_the_numbers_as_they_are(make: Maker) -> None:
    data = make.read(yolo(1, 2, 3), format="yolo", on_problem="skip")
    assert [image.labels for image in data.images] == [("dog",), ("hen",)]
    assert [row.severity for row in data.ledger.rows if row.kind == "class-numbers"] == ["warning"]
    [row] = make.findings(yolo(1, 2, 3))
    assert "--format yolo" in row.why


@pytest.mark.parametrize(
    ("numbers", "kinds"),
    [([1] * 9 + [2], {"unknown-class", "class-numbers"}), ([1] * 9 + [2] * 3, {"class-numbers"})],
)
def test_so_it_is_in_a_csv(make: Maker, numbers: list[int], kinds: set[str]) -> None:
    rows = make.findings(table(*numbers), classes=NAMES[:2], on_problem="skip")
    assert {row.kind for row in rows if row.kind in ("unknown-class", "class-numbers")} == kinds


def test_names_whose_own_numbers_count_from_1(make: Maker) -> None:
    """A table that numbers its names from 1 says what the numbers mean."""
    named = {**table(1, 2, 3, 3, 3), "names.csv": "".join(f"{name},{place}\n" for place, name in enumerate(NAMES, 1))}
    data = make.read(named)
    assert [image.labels for image in data.images] == [("cat",), ("dog",), ("hen",), ("hen",), ("hen",)]
    assert "class-numbers" not in [row.kind for row in data.ledger.rows]
