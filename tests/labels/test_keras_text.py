"""Text of keras-yolo3: a line an image, with all its boxes."""

import numpy as np
import pytest
from folders import Files, Maker, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LINES = "a b.png 1,2,11,12,0 3.5,4,20,18,1\nc.png\n"
PICTURES: Files = {"train/a b.png": picture(), "train/c.png": picture(1)}
NAMES: Files = {"train/_classes.txt": "cat\ndog\n"}


def test_boxes_and_background(make: Maker) -> None:
    data = make.read(PICTURES | NAMES | {"train/_annotations.txt": LINES})
    assert data.format == "csv"
    assert data.classes == ("cat", "dog")
    first, second = data.images
    assert first.boxes.tolist() == [[1, 2, 11, 12], [3.5, 4, 20, 18]]
    assert (first.labels, second.labels) == (("cat", "dog"), ())
    assert first.splits == ("train",)
    assert not data.ledger.rows


BOX = st.tuples(st.integers(0, 18), st.integers(0, 8), st.integers(1, 20), st.integers(1, 10), st.integers(0, 1))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(BOX, unique=True, max_size=5))
def test_all_boxes_of_a_line(make: Maker, boxes: list[tuple[int, ...]]) -> None:
    corners = [(x, y, x + width, y + height) for x, y, width, height, _ in boxes]
    kept = dict.fromkeys(zip(corners, [one[-1] for one in boxes], strict=True))
    line = " ".join(["c.png", *(",".join(map(str, (*box, label))) for box, label in kept)])
    data = make.read(PICTURES | NAMES | {"train/_annotations.txt": f"a b.png 1,2,3,4,0\n{line}\n"})
    assert np.array_equal(data.images[1].boxes, np.array([box for box, _ in kept]).reshape(-1, 4))
    assert data.images[1].labels == tuple(("cat", "dog")[label] for _, label in kept)


@pytest.mark.parametrize("place", ["train/_classes.txt", "_classes.txt", "model_data/my_classes.txt"])
def test_names_lie_near(make: Maker, place: str) -> None:
    data = make.read(PICTURES | {place: "rat\nox\n", "train/_annotations.txt": LINES})
    assert data.images[0].labels == ("rat", "ox")


@pytest.mark.parametrize("names", ["cat\n\ndog\n", "# my classes\ncat\ndog\n", "cat\ncat\n"])
def test_a_line_that_would_move_the_names_is_a_mistake(make: Maker, names: str) -> None:
    """A blank one had been passed over, so that each name after it belonged to the number before."""
    rows = make.findings(PICTURES | {"_classes.txt": names, "train/_annotations.txt": LINES})
    assert [row.kind for row in rows if row.severity == "error"][:1] == ["class-name"]


def test_lists_of_splits_with_boxes(make: Maker) -> None:
    """As keras-yolo3 itself has them."""
    files: Files = {"images/a.png": picture(), "images/b.png": picture(1), "classes.txt": "cat\n"}
    lines = {"train": "images/a.png 1,2,3,4,0\n", "val": "/content/images/b.png 5,6,7,8,0\n"}
    data = make.read(files | {f"{split}.txt": line for split, line in lines.items()})
    assert [one.splits for one in data.images] == [("train",), ("val",)]


def test_background_before_boxes_and_alone(make: Maker) -> None:
    """As `valid` may begin, and `test` be. Detection looks at the beginning of one file."""
    files: Files = {**PICTURES, **NAMES, "train/_annotations.txt": LINES, "notes.txt": "to do\n" * 25 + LINES}
    names = [f"{number:02}.png" for number in range(30)]
    for split in ("valid", "test"):
        files |= {
            f"{split}/{name}": picture(2 + number + 40 * (split == "test")) for number, name in enumerate(names)
        }
        files[f"{split}/_annotations.txt"] = "".join(f"{name}\n" for name in names)
    files |= {"valid/_classes.txt": "cat\ndog\n", "test/_classes.txt": "cat\ndog\n"}
    files["valid/_annotations.txt"] = str(files["valid/_annotations.txt"]).replace("29.png", "29.png 1,2,11,12,1")
    data = make.read(files)
    assert len(data.images) == 62
    assert {one.path: one.labels for one in data.images}["valid/29.png"] == ("dog",)
    assert {split for one in data.images for split in one.splits} == {"train", "val", "test"}


def test_more_files_than_detection_opens(make: Maker) -> None:
    files: Files = {"classes.txt": "cat\n"}
    for number in range(55):
        files |= {f"d{number:02}/x{number}.png": picture(number)}
        files |= {f"d{number:02}/_annotations.txt": f"x{number}.png 1,2,11,12,0\n"}
    assert len(make.read(files).images) == 55


@pytest.mark.parametrize(
    ("line", "kind", "where"),
    [
        ("c.png 1,2,3,4,2", "unknown-class", "line 2, box 1"),
        ("c.png 1,2,3,4,0 1,2,3,4", "columns", "line 2, box 2"),
        ("c.png 1,2,3,x,0", "not-a-number", "line 2, box 1"),
        ("c.png 1,2,3,4,0.5", "not-an-integer", "line 2, box 1"),
        ("d.png 1,2,3,4,0", "image-missing", "line 2"),
        ("1,2,3,4,0", "columns", "line 2"),
    ],
)
def test_bad_lines(make: Maker, line: str, kind: str, where: str) -> None:
    rows = make.findings(PICTURES | NAMES | {"train/_annotations.txt": f"a b.png 1,2,11,12,0\n{line}\nc.png\n"})
    assert [(row.kind, row.where) for row in rows] == [(kind, where)]


def test_a_line_that_is_broken_in_two_costs_its_image(make: Maker) -> None:
    files = PICTURES | NAMES | {"train/_annotations.txt": "a b.png 1,2,11,12,0\n2,2,11,12,0\nc.png 1,2,3,4,0\n"}
    assert [one.path for one in make.read(files, on_problem="skip").images] == ["train/c.png"]


def test_numbers_without_names(make: Maker) -> None:
    files = PICTURES | {"train/_annotations.txt": LINES}
    assert "no-class-names" in {row.kind for row in make.findings(files)}
    assert make.read(files, classes=("ox", "cow")).images[0].labels == ("ox", "cow")
