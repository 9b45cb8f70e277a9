"""Class numbers that count from 1 are one mistake: most would get the name of their neighbour."""

import pytest
from folders import Files, Maker, picture

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
