"""The split that a project's params.yaml asks for, as `check` judges it: with the outcome of `generate`."""

from pathlib import Path

import pytest
from folders import Files, Maker, encoded, photo, photo_file, picture
from params_text import changed
from PIL import ImageOps

from humbleyolo.check.folder_check import Checked, check, report_lines, summary
from humbleyolo.errors import UserError
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.params.loader import load_params
from humbleyolo.splits.split_in_force import read_split
from humbleyolo.splits.write_dataset import write_splits

L = "dataset.labelled"
HEAD = "image,label,xmin,ymin,xmax,ymax,split\n"


def rows(names: list[str], splits: list[str] | None = None) -> str:
    lists = splits or [""] * len(names)
    return HEAD + "".join(f"{name},cat,1,1,30,15,{split}\n" for name, split in zip(names, lists, strict=True))


def bursts() -> Files:
    """Ten scenes of three shots each, one of them mirrored."""
    files: Files = {}
    for scene in range(10):
        shots = [photo(scene), ImageOps.mirror(photo(scene)), photo(scene)]
        for shot, image in enumerate(shots):
            files[f"{scene}_{shot}.jpg"] = encoded(image, "JPEG", quality=80 + 5 * shot)
    return files | {"l.csv": rows(sorted(files))}


def checked_and_generated(folder: Path, project: Path, *changes: tuple[str, str]) -> tuple[Checked, str]:
    """Check a folder in a project; return the errors, or the line of counts, of the same split in `generate`."""
    params = project / "params.yaml"
    params.write_text(changed(("dataset.source", "labelled"), ("dataset.inputs", str(folder)), *changes))
    checked = check(folder, ReadOptions(), read_split(params, folder))
    seed, dataset = load_params(params, "seed", "dataset")
    try:
        return checked, "\n".join(write_splits(project / "out", dataset.labelled, folder, seed, 10_000).division)
    except UserError as error:
        return checked, str(error)


SMALL = "val and test are too small to judge a model: label more"


def errors(checked: Checked) -> list[str]:
    return [str(row) for row in checked.rows if row.severity == "error"]


def test_a_burst_is_kept_together(make: Maker, tmp_path: Path) -> None:
    checked, told = checked_and_generated(make.folder(bursts()), tmp_path)
    line, *lines = checked.split
    assert line == f"split: hash, 0.7/0.15/0.15, near-duplicates together ({tmp_path / 'params.yaml'})"
    assert told == "\n".join(lines)
    assert lines[1:] == ["10 groups of look-alikes kept together, 3 images at most", SMALL]
    assert sum(int(word) for word in lines[0].replace(",", "").split()[1::2]) == 30
    assert not errors(checked)
    alike = [str(row) for row in checked.rows if row.kind == "near-duplicate"]
    assert alike == [
        f"{n}_0.jpg: 3 images look alike: also {n}_1.jpg, {n}_2.jpg; the scene counts 3 times" for n in range(10)
    ]
    text = list(report_lines(checked))
    assert all(f"  {one}" in text for one in [*lines, *alike])
    assert line in " ".join("\n".join(text).split())
    assert line[1:] in summary(checked)


@pytest.mark.parametrize("by", ["hash", "lists"])
def test_what_generate_refuses_check_refuses(by: str, make: Maker, tmp_path: Path) -> None:
    files = bursts()
    names = sorted(name for name in files if name != "l.csv")
    folder = make.folder(files | {"l.csv": rows(names, ["train", "val", "test"] * 10)})
    changes = [(f"{L}.split.by", by), (f"{L}.split.near_duplicates", "error" if by == "hash" else "together")]
    checked, told = checked_and_generated(folder, tmp_path, *changes)
    assert told.splitlines()[1:] == [f"  {one}" for one in errors(checked)]
    assert {row.kind for row in checked.rows if row.severity == "error"} == {"leak"}
    checked, told = checked_and_generated(
        folder, tmp_path, (f"{L}.split.by", by), (f"{L}.split.near_duplicates", "ignore")
    )
    assert not errors(checked)
    assert told == "\n".join(checked.split[1:])


def test_one_camera_says_what_to_set(make: Maker, tmp_path: Path) -> None:
    files: Files = {f"{n}.jpg": photo_file(1, "JPEG", quality=70 + n) for n in range(9)}
    folder = make.folder(files | {"l.csv": rows(sorted(files))})
    checked, told = checked_and_generated(folder, tmp_path)
    (error,) = errors(checked)
    assert told.splitlines()[1:] == [f"  {error}"]
    assert (
        "9 of 9 images look alike (0.jpg, 1.jpg, 2.jpg and 6 more); "
        "near_duplicates: ignore (`init --near-duplicates ignore`) is for a fixed camera" in error
    )
    (row,) = (row for row in checked.rows if row.kind == "near-duplicate")
    assert str(row) == "0.jpg: 9 images look alike: also 1.jpg, 2.jpg and 6 more; the scene counts 9 times"
    _, told = checked_and_generated(folder, tmp_path, (f"{L}.split.near_duplicates", "ignore"))
    assert told == f"train 6, val 2, test 1\n{SMALL}"


@pytest.mark.parametrize("lists", [True, False])
def test_a_folder_that_is_not_the_projects_is_judged_as_init_would_begin(
    make: Maker, tmp_path: Path, *, lists: bool
) -> None:
    params = tmp_path / "params.yaml"
    params.write_text(changed((f"{L}.split.by", "hash" if lists else "lists")))
    files: Files = {f"{n}.jpg": photo_file(n, "JPEG") for n in range(9)}
    names = sorted(files)
    folder = make.folder(
        files | {"l.csv": rows(names, ["train"] * 5 + ["val", "val", "test", "test"] if lists else None)}
    )
    checked = check(folder, ReadOptions(), read_split(params, folder))
    by = "lists" if lists else "hash"
    told = f"({params}, but {by} as `humbleyolo init` would choose)"
    assert checked.split == [
        f"split: {by}, 0.7/0.15/0.15, near-duplicates together {told}",
        "train 5, val 2, test 2" if lists else "train 6, val 2, test 1",
        SMALL,
    ]
    assert not errors(checked)
    params.write_text(
        changed(("dataset.source", "labelled"), ("dataset.inputs", str(folder)), (f"{L}.split.by", "hash"))
    )
    assert "split: hash, 0.7" in check(folder, ReadOptions(), read_split(params, folder)).split[0]  # now it is


def test_without_params_the_folders_own_lists_alone_are_judged(make: Maker, tmp_path: Path) -> None:
    files: Files = {f"{n}.jpg": photo_file(n // 2, "JPEG", quality=70 + n) for n in range(4)}
    folder = make.folder(files | {"l.csv": rows(sorted(files), ["train", "val", "train", "train"])})
    checked = check(folder, ReadOptions(), read_split(tmp_path / "none.yaml", folder))
    assert checked.split == ["split: not judged, since no params.yaml is here"]
    assert errors(checked) == [
        "0.jpg: in train: looks like 1.jpg in val; correct the lists, or set split.by: hash "
        "(`init --split hash`), "
        "or split.near_duplicates: ignore (`init --near-duplicates ignore`) if they are meant"
    ]
    assert [row.file for row in checked.rows if row.kind == "near-duplicate"] == ["2.jpg"]


def test_wrong_params_are_told_and_judge_nothing(make: Maker, tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("train: 1\n")
    folder = make.folder({"a.png": picture(), "l.csv": rows(["a.png"])})
    checked = check(folder, ReadOptions(), read_split(params, folder))
    assert checked.split == [f"split: not judged, since {params} has mistakes; see `humbleyolo params`"]


def test_the_projects_own_folder_is_read_as_its_parameters_say(make: Maker, tmp_path: Path) -> None:
    folder = make.folder({"a.png": picture(), "l.csv": rows(["a.png"])})
    params = tmp_path / "params.yaml"
    values = (
        ("dataset.source", "labelled"),
        ("dataset.inputs", str(folder)),
        (f"{L}.format", "csv"),
        (f"{L}.exif", "stored"),
    )
    params.write_text(changed(*values))
    options = read_split(params, folder).options
    assert options is not None
    assert (options.format, options.exif) == ("csv", "stored")
    assert read_split(params, tmp_path).options is None  # another folder
