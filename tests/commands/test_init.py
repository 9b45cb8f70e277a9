"""`humbleyolo init`: from a labelled folder to a params.yaml that trains it, each value with its reason."""

import io
import re
import shutil
import subprocess
import time
from argparse import Namespace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from folders import Files, Maker, encoded, photo, photo_file, voc
from params_text import DEFAULT
from PIL import Image, ImageDraw
from repository import ROOT
from terminal import Terminal
from wcwidth import wcswidth

from humbleyolo.begin.first_training import MARK, Plan
from humbleyolo.cli import main
from humbleyolo.commands.init import _with_epochs
from humbleyolo.params.loader import load_params, read_sections
from humbleyolo.params.overlay import example_values, lay_over
from humbleyolo.params.yaml_edits import YamlText

COMMIT = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "-qam", "Begin"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, in git, in which the command runs."""
    folder = tmp_path / "project"
    (folder / "examples").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("humbleyolo.check.crop_classifier._HIDDEN", 64)  # for so few crops that is as good
    (folder / "params.yaml").write_text(DEFAULT, encoding="utf-8")
    for name in ("photographs", "bccd"):
        shutil.copy(ROOT / f"examples/{name}.yaml", folder / "examples")
    for command in (["git", "init", "-q", "-b", "theirs"], ["git", "add", "."], COMMIT):
        subprocess.run(command, check=True, capture_output=True)
    return folder


SECTIONS = ("encode", "model", "loss", "train", "evaluate")


def photographs(count: int = 30, where: str = "", classes: tuple[str, ...] = ("cat", "dog")) -> Files:
    """Photographs of 120 x 90 pixels with an object each."""
    files: Files = {}
    for number in range(count):
        left, top = np.random.default_rng(number).integers(0, 40, 2).tolist()
        files[f"{where}{number}.png"] = photo_file(number)
        box = f"{classes[number % len(classes)]} {left} {top} {left + 60} {top + 40}"
        files[f"{where}{number}.xml"] = voc(f"{number}.png", box, width=120, height=90)
    return files


def init(folder: Path | str, *options: str, epochs: str = "3") -> int:
    length = [] if "--minutes" in options else ["--epochs", epochs]
    with pytest.raises(SystemExit) as ended:
        main(["init", str(folder), *length, *options])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def printed(text: str) -> tuple[list[str], list[str]]:
    """The lines that tell what is wrong, and those that tell what was chosen, as a terminal shows them."""
    lines = text.splitlines()
    first, last = (next(n for n, line in enumerate(lines) if sign in line) for sign in ("  split ", " is written"))
    return lines[:first], lines[first:last]


def reasons() -> dict[str, str]:
    """The comments of the command, by the key below them."""
    rows = Path("params.yaml").read_text().splitlines()
    marked = [number for number, row in enumerate(rows) if row.lstrip().startswith(f"# {MARK}: ")]
    return {rows[number + 1].split(":")[0].strip(): rows[number].partition(": ")[2] for number in marked}


def test_it_chooses_tells_why_and_names_the_next_command(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    folder = make.folder(photographs())
    assert init(folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(wcswidth(line) <= 80 for line in lines if str(folder) not in line)
    assert lines[-1].endswith("Next: `uv run dvc repro`")
    warned = "warning: 1 few-examples: cat 15, dog 15: with under 40 boxes a class is seldom learned well; label more"
    assert warned in " ".join(" ".join(lines).split())
    assert "..." not in " ".join(lines)
    dataset, encode, model, loss, train = load_params(
        Path("params.yaml"), "dataset", "encode", "model", "loss", "train"
    )
    assert (dataset.source, dataset.inputs) == ("labelled", str(folder))
    assert (dataset.labelled.split.by, dataset.labelled.on_problem) == ("hash", "error")
    assert (encode.height, encode.width, encode.rows, encode.cols) == (96, 128, 6, 8)
    assert (model.name, loss.name, train.start, train.epochs) == ("lite", "aligned", "pretrained", 3)


def test_each_changed_value_has_a_reason_and_no_other_changes(make: Maker, project: Path) -> None:
    assert init(make.folder(photographs())) == 0
    text = Path("params.yaml").read_text()
    before, after = YamlText(DEFAULT, "before"), YamlText(text, "after")
    changed = {key for key in before._items if before.value(key) != after.value(key) and len(key) > 1}
    sections = {key[:length] for key in changed for length in range(1, len(key))}
    assert {str(key[-1]) for key in changed - sections} == set(reasons())
    assert all(reasons().values())
    assert "images are letterboxed to it" in text


def test_the_same_folder_gives_the_same_file_again(make: Maker, project: Path) -> None:
    folder = make.folder(photographs())
    assert init(folder) == 0
    first = Path("params.yaml").read_text()
    subprocess.run(COMMIT, check=True)
    assert init(folder, "--force") == 0
    assert read_sections(Path("params.yaml").read_text(), "")[0] == read_sections(first, "")[0]


def test_an_edited_file_is_kept_unless_forced_and_then_copied(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make.folder(photographs())
    edited = DEFAULT.replace("seed: 1 ", "seed: 7 ")
    Path("params.yaml").write_text(edited)
    assert init(folder) == 2
    assert "changes that are not committed" in capsys.readouterr().err
    assert Path("params.yaml").read_text() == edited
    assert init(folder, "--force") == 0
    assert "params.yaml.1.bak" in capsys.readouterr().out
    assert Path("params.yaml.1.bak").read_text() == edited
    subprocess.run(["git", "-C", ROOT, "check-ignore", "-q", "params.yaml.1.bak"], check=True)
    assert load_params(Path("params.yaml"), "seed") == (7,)


def test_what_it_wrote_itself_is_not_edited_and_keeps_its_reasons(make: Maker, project: Path) -> None:
    folder = make.folder(photographs())
    assert init(folder, "--epochs", "3") == 0
    first = reasons().keys()
    assert len(first) > 10
    assert init(folder, "--epochs", "4") == 0
    assert reasons().keys() == first
    assert [*Path().glob("*.bak")] == []
    subprocess.run(["git", "commit", "-qam", "Begin"], check=True)
    assert init(folder, "--epochs", "5") == 0
    assert reasons().keys() == first
    with Path("params.yaml").open("a") as file:
        file.write("# mine\n")
    assert init(folder, "--epochs", "5") == 2


def test_look_alikes_mean_the_usual_in_another_folder(make: Maker, project: Path) -> None:
    """A fixed camera's pictures are left alone; the next folder's bursts stay together."""
    folder = make.folder(scene(12, 12))
    assert init(folder, "--near-duplicates", "ignore") == 0
    for source, meant in ((folder, "ignore"), (make.folder(photographs()), "together")):
        assert init(source) == 0
        (dataset,) = load_params(Path("params.yaml"), "dataset")
        assert dataset.labelled.split.near_duplicates == meant


def test_without_a_repository_nothing_is_asked_to_be_committed(
    make: Maker, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make.folder(photographs(12))
    git = project / ".git"
    git.rename(project.parent / "away")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    assert init(folder) == 2
    said = capsys.readouterr().err
    assert "params.yaml: no git repository here; clone the project, or give --force to keep a copy" in said
    assert Path("params.yaml").read_text() == DEFAULT
    git.write_text("gitdir: nowhere\n")
    assert init(folder) == 2
    assert "nowhere" in capsys.readouterr().err
    monkeypatch.setenv("PATH", "")
    assert init(folder) == 2
    assert "git cannot tell if it was edited (git is not there; install it)" in capsys.readouterr().err
    assert init(folder, "--force") == 0
    assert Path("params.yaml.1.bak").read_text() == DEFAULT


def test_lists_mistakes_and_one_class_are_told(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = photographs(30, classes=("cat",))
    files = {f"{'test' if int(Path(name).stem) > 24 else 'train'}/{name}": content for name, content in both.items()}
    files["train/3.xml"] = voc("3.png", "cat 5 5 5 9", "cat 10 10 70 60", width=120, height=90)
    assert init(make.folder(files)) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "split lists, as the folder lists test, train: train 20, val 4, test 5" in out
    assert "4 of 24 images of train taken as val, which no list names" in out
    assert "on_problem skip: what is wrong is left out: train/3.xml" in out
    assert "flip 0.5: one class: its mirror image is the same class; 0 for text" in out
    assert "no other class to tell apart" in reasons()["lambda_class"]
    (dataset,) = load_params(Path("params.yaml"), "dataset")
    assert (dataset.labelled.split.by, dataset.labelled.on_problem) == ("lists", "skip")


@pytest.mark.parametrize(("over", "policy", "images"), [(1, "clip", 28), (60, "skip", 27)])
def test_boxes_over_the_border_by_little_are_cut_and_their_images_stay(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str], over: int, policy: str, images: int
) -> None:
    both = photographs(30, classes=("cat",))
    files = {f"{'test' if int(Path(name).stem) > 22 else 'train'}/{name}": content for name, content in both.items()}
    files["train/3.xml"] = voc("3.png", f"cat 10 10 {120 + over} 60", width=120, height=90)
    for number in (5, 25):
        place = f"{'test' if number == 25 else 'train'}/{number}.xml"
        files[place] = voc(f"{number}.png", "cat 5 5 5 9", "cat 10 10 70 60", width=120, height=90)
    folder = make.folder(files)
    assert init(folder) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"{30 - images} of 30 images left out, 1 of test" in out
    (dataset,) = load_params(Path("params.yaml"), "dataset")
    assert dataset.labelled.on_problem == policy
    data = make.open(folder, on_problem=policy)
    assert len(data.images) == images


def test_of_a_file_that_labels_many_images_the_places_are_counted(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files: Files = {f"{number}.png": photo_file(number) for number in range(24)}
    rows = [f"{number}.png,{['cat', 'dog'][number % 2]},5,5,60,50" for number in range(24)]
    rows[3], rows[8] = "3.png,,5,5,60,50", "8.png,dog,5,5,5,50"
    files["labels.csv"] = "\n".join(["image,label,xmin,ymin,xmax,ymax", *rows, ""])
    assert init(make.folder(files)) == 0
    assert "on_problem skip: what is wrong is left out: 2 places in labels.csv" in capsys.readouterr().out


def test_suppression_keeps_objects_that_overlap_and_says_so(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = photographs(20)
    for number in range(20):
        boxes = (f"{'cat' if number % 2 else 'dog'} {left} 10 {left + 60} 70" for left in (10, 26))  # IoU 44 / 76
        files[f"{number}.xml"] = voc(f"{number}.png", *boxes, width=120, height=90)
    assert init(make.folder(files)) == 0
    told = capsys.readouterr().out.splitlines()
    assert "  nms_iou 0.6, vote_iou 0.7: loses 0 of 40 objects, 20 at 0.5" in told
    train, evaluate = load_params(Path("params.yaml"), "train", "evaluate")
    for section in (train.validation, evaluate):
        assert (section.nms_iou, section.vote_iou) == (0.6, 0.7)
    assert reasons()["nms_iou"] == "objects overlap: suppression loses 0 of 40 objects, 20 at 0.5"
    subprocess.run(COMMIT, check=True)
    assert init(make.folder(photographs())) == 0  # where none overlap
    assert "nms_iou" not in capsys.readouterr().out
    train, evaluate = load_params(Path("params.yaml"), "train", "evaluate")
    for section in (train.validation, evaluate):
        assert (section.nms_iou, section.vote_iou) == (0.5, 0.6)


@pytest.mark.parametrize(
    "names", [("left", "right"), pytest.param(("turn " * 9 + "left", "turn " * 9 + "right"), marks=pytest.mark.slow)]
)
def test_classes_that_are_mirror_images_are_named(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, str]
) -> None:
    files: Files = {}
    for number in range(40):
        image = photo(number)
        corners = [(20, 20), (20, 70), (80, 45)]
        ImageDraw.Draw(image).polygon([(x if number % 2 else 100 - x, y) for x, y in corners], (250, 250, 0))
        files[f"{number}.png"] = encoded(image)
        label = voc(f"{number}.png", "kind 20 20 80 70", width=120, height=90)
        files[f"{number}.xml"] = label.replace("kind", names[number % 2])
    assert init(make.folder(files)) == 0
    lines = capsys.readouterr().out.splitlines()
    left, right = [name if len(name) < 20 else "turn turn turn tu..." for name in names]
    (told,) = [line for line in lines if line.startswith(f"  flip 0.0: '{left}' and '{right}' swap when mirrored")]
    assert len(told) <= 80
    counts = re.findall(r"swap when mirrored: (\d+) of 40 boxes$", told)
    assert [int(count) > 30 for count in counts] == ([] if len(left) == 20 else [True])  # if the line holds it
    (train,) = load_params(Path("params.yaml"), "train")
    assert train.augment.flip == 0


def test_images_that_faulty_lists_leave_out_are_told(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    files = {f"p{name}": content for name, content in photographs(20).items()}
    for name in [name for name in files if name.endswith(".xml")]:
        files[name] = voc(name.replace("xml", "png"), "cat 5 5 60 50", width=120, height=90)
    lists = {"train": [*range(10), 12, 13], "val": [*range(10, 16)], "test": [16, 17]}
    for split, numbers in lists.items():
        files[f"ImageSets/Main/{split}.txt"] = "".join(f"p{number}\n" for number in numbers)
    files["ImageSets/Main/train.txt"] += "gone\nlost\n"
    assert init(make.folder(files)) == 0
    found, chosen = printed(capsys.readouterr().out)
    assert any(line.startswith("  error: 4 split-lists: p12.png: in train and val: an image is in") for line in found)
    assert any(line.startswith("  error: 2 list-points-nowhere: ImageSets/Main/train.txt: ") for line in found)
    told = " ".join(" ".join(chosen).split())
    assert "train 10, val 6, test 2; without 2 images in no list; 2 images in two lists kept in one" in told
    assert "what is wrong is left out: train.txt and 4 other files" in told
    assert all(len(line) <= 80 for line in chosen)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds no"),
        ({"0.png": photo_file(0), "0.xml": voc("0.png", width=120, height=90)}, "no image has a box"),
        (photographs(1), "no image is left for"),
        (
            photographs(6) | {f"{n}.xml": "<annotation>" for n in range(5)},
            "10 files with mistakes, 1 image to use; first 0.xml: ",
        ),
        (
            {f"{n}.png": photo_file(n) for n in range(6)}
            | {f"{n}.txt": "0 0.5 0.5 0.5 0.5\n" for n in range(6)}
            | {"classes.txt": "cat".encode("utf-16")},
            "no image has a box that can be used; first classes.txt: UTF-16 text: must be UTF-8",
        ),
    ],
)
def test_nothing_to_train_on_is_an_error_and_changes_nothing(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str], files: Files, said: str
) -> None:
    assert init(make.folder(files)) == 2
    assert said in capsys.readouterr().err
    assert Path("params.yaml").read_text() == DEFAULT
    assert not list(project.glob("*.bak"))


@pytest.mark.parametrize(
    ("images", "batch", "part"), [pytest.param(6, 1, 8, marks=pytest.mark.slow), (18, 3, 8 / 3), (60, 8, 1)]
)
def test_a_smaller_batch_learns_at_a_rate_smaller_by_its_square_root(
    make: Maker, project: Path, images: int, batch: int, part: float
) -> None:
    assert init(make.folder(photographs(images))) == 0
    (train,) = load_params(Path("params.yaml"), "train")
    assert train.batch == batch
    assert train.learning_rate == pytest.approx(0.002 / part**0.5, rel=0.05)
    assert train.final_learning_rate == pytest.approx(0.0001 / part**0.5, rel=0.05)
    assert ("square root" in reasons()["learning_rate"]) is (part > 1)


def rotated(count: int, stored: int) -> Files:
    """Ten photographs, some rotated by EXIF. The labels of `stored` of these fit the image as stored alone."""
    exif = Image.Exif()
    exif[0x0112] = 6
    files = photographs(10)
    for number in range(count):
        files[f"{number}.png"] = encoded(photo(number), exif=exif)
        if number >= stored:  # no size is told, and the box lies in either
            whole = files[f"{number}.xml"]
            assert isinstance(whole, str)
            box = voc(f"{number}.png", "cat 5 5 60 50")
            files[f"{number}.xml"] = re.sub("<size>.*</size>", "", box)
    return files


@pytest.mark.parametrize(
    ("count", "stored"),
    [(1, 1), pytest.param(5, 5, marks=pytest.mark.slow), pytest.param(10, 10, marks=pytest.mark.slow), (4, 2)],
)
def test_the_side_of_rotated_photographs_is_taken_from_their_labels(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str], count: int, stored: int
) -> None:
    folder = make.folder(rotated(count, stored))
    assert init(folder) == 0
    (dataset,) = load_params(Path("params.yaml"), "dataset")
    assert (dataset.labelled.exif, dataset.labelled.on_problem) == ("stored", "error")
    noun = "image" if count == 1 else "images"
    out = capsys.readouterr().out
    assert "10 images" in out
    why = f"the labels of {stored} of {count} {noun} that EXIF rotates fit stored alone"
    assert f"  exif stored: {why}" in out.splitlines()
    assert reasons()["exif"] == why
    assert len(make.open(folder, exif="stored").images) == 10  # what `dvc repro` will read


@pytest.mark.parametrize(("count", "stored"), [(1, 0), (5, 2), pytest.param(10, 0, marks=pytest.mark.slow)])
def test_photographs_rotated_by_exif_are_asked_about_if_their_labels_do_not_tell(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str], count: int, stored: int
) -> None:
    folder = make.folder(rotated(count, stored))
    assert init(folder) == 2
    said = " ".join(capsys.readouterr().err.split())
    verb = "is" if count == 1 else "are"
    assert f"{count} of 10 photographs {verb} rotated by EXIF, and the labels do not say which" in said
    assert "give `--exif displayed` (most tools) or `--exif stored`" in said
    assert said.endswith(f"; the labels of {stored} fit only the image as stored") == bool(stored)
    assert Path("params.yaml").read_text() == DEFAULT
    assert init(folder, "--exif", "displayed") == 0


def test_labels_of_both_sides_of_rotated_photographs_advise_neither(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    files = photographs(10)
    for number in range(4):
        size = {"width": 120, "height": 90} if number % 2 else {"width": 90, "height": 120}
        files[f"{number}.png"] = encoded(photo(number), exif=exif)
        files[f"{number}.xml"] = voc(f"{number}.png", "cat 1 1 70 70", **size)
    assert init(make.folder(files)) == 2
    assert "fit only" not in capsys.readouterr().err


def scene(share: int, count: int) -> Files:
    """Images, of which `share` show one scene, as of a fixed camera."""
    files = photographs(count)
    for number in range(share):
        files[f"{number}.png"] = encoded(photo(100).point(lambda value, n=number: min(255, value + n)))
    return files


def test_a_fixed_camera_is_named_as_the_cause_and_an_option_begins_so(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make.folder(scene(12, 12))
    assert init(folder) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "no image is left for val and test: 12 of 12 images look alike (0.png, 1.png, 10.png and 9 more)" in said
    assert "near_duplicates: ignore (`init --near-duplicates ignore`) is for a fixed camera or a microscope" in said
    assert Path("params.yaml").read_text() == DEFAULT
    assert init(folder, "--near-duplicates", "ignore") == 0
    (dataset,) = load_params(Path("params.yaml"), "dataset")
    assert dataset.labelled.split.near_duplicates == "ignore"
    assert reasons()["near_duplicates"] == "as the command was told"


def test_a_scene_that_upsets_the_fractions_is_told(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(make.folder(scene(22, 24))) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "train 22, val 1, test 1; one group has 22 of 24 images, so " in out
    assert " near_duplicates: ignore (`init --near-duplicates ignore`) is for a fixed camera or a microscope " in out


def test_objects_too_small_to_be_learned_are_warned_of(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = photographs(12)
    sizes = {"width": 120, "height": 90}
    labels = {name: voc(f"{name[:-4]}.png", "cat 40 40 44 44", **sizes) for name in files if name.endswith(".xml")}
    assert init(make.folder(files | labels)) == 0
    found, chosen = printed(capsys.readouterr().out)
    (text,) = (line for line in found if "too small to be learned" in line)
    assert text.startswith("  warning: the median object is ")
    assert text.endswith("set a larger encode.height and width")
    assert any("the median object is" in line and "(20 is good)" in line for line in chosen)


def test_lists_without_train_name_the_option_that_sets_them_aside(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make.folder(photographs(12, "val/") | dict([*photographs(24, "test/").items()][24:]))
    assert init(folder) == 2
    assert "`init --split hash`" in capsys.readouterr().err
    assert init(folder, "--split", "hash") == 0
    lines = printed(capsys.readouterr().out)[1]
    assert lines[0].startswith("  split hash, as the command was told: train ")
    (dataset,) = load_params(Path("params.yaml"), "dataset")
    assert dataset.labelled.split.by == "hash"


@pytest.mark.parametrize(("by", "why"), [("lists", "no lists"), ("group", "no group")])
def test_a_split_that_the_folder_does_not_know_is_refused(
    by: str, why: str, make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(make.folder(photographs(12)), "--split", by) == 2
    said = capsys.readouterr().err
    assert f"--split {by}: " in said
    assert why in said
    assert Path("params.yaml").read_text(encoding="utf-8") == DEFAULT


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: f"{text}a:\t- b\n", "not YAML: found character '\\t'"),
        (lambda _: "", "is empty; it needs the sections seed"),
        (lambda _: "- 3\n", "is a list, not a mapping"),
        (lambda text: text.replace("dataset:", "dataset: 3\nother:", 1), "dataset: "),
        (lambda text: text.replace("  inputs:", "  input:", 1), "dataset.inputs: is missing"),
    ],
)
def test_a_spoilt_params_yaml_is_refused_even_by_force_and_stays(
    spoil: Any, said: str, make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt = spoil(DEFAULT)
    assert spoilt != DEFAULT
    Path("params.yaml").write_text(spoilt, encoding="utf-8")
    assert init(make.folder(photographs(4)), "--force") == 2
    told = capsys.readouterr().err
    assert told.startswith("error: params.yaml: ")
    assert said in told
    assert Path("params.yaml").read_text(encoding="utf-8") == spoilt
    assert not list(project.glob("*.bak"))


def test_a_spoilt_example_is_refused(make: Maker, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in Path("examples").iterdir():
        file.write_text("model:\n\tname: lite\n")
    assert init(make.folder(photographs(12))) == 2
    assert "not YAML: found character '\\t'" in capsys.readouterr().err
    assert Path("params.yaml").read_text(encoding="utf-8") == DEFAULT


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--minutes", "0"), "--minutes 0.0 is not allowed"), (("--epochs", "0"), "--epochs 0 is not")],
)
def test_lengths_out_of_range_are_refused(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["init", str(make.folder({})), *options])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_outside_a_project_it_says_where_to_run(
    make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert init(make.folder(photographs(3))) == 2
    assert "params.yaml: no such file; run this in a clone" in capsys.readouterr().err


def test_a_folder_without_write_access_is_an_error(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("params.yaml").chmod(0o444)
    assert init(make.folder(photographs())) == 2
    assert "read-only" in capsys.readouterr().err
    assert Path("params.yaml").read_text() == DEFAULT


def test_a_project_s_folder_without_write_access_is_an_error_before_the_work(
    make: Maker, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Root may write anywhere, so the answer is that of the owner's bits.
    monkeypatch.setattr("os.access", lambda path, _: bool(Path(path).stat().st_mode & 0o200))
    folder, said = make.folder(photographs(2)), f"copied: no permission to write into {project}"
    project.chmod(0o555)
    assert init(folder) == 2
    told = capsys.readouterr()
    assert f"params.yaml: cannot be replaced or {said}" in told.err
    assert not told.out
    project.chmod(0o755)
    Path("params.yaml").rename("../params.yaml")  # where it can be replaced, but the copy has no place
    Path("params.yaml").symlink_to("../params.yaml")
    Path("params.yaml").write_text(f"{DEFAULT}# edited\n")
    project.chmod(0o555)
    assert init(folder, "--force") == 2
    told = capsys.readouterr()
    assert said in told.err
    assert not told.out
    project.chmod(0o755)


def test_a_folder_whose_name_dvc_cannot_take_is_an_error(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make.folder(photographs(3))
    assert init(folder.rename(folder.with_name("my (cats)"))) == 2
    said = capsys.readouterr()
    assert "dataset.inputs" in said.err
    assert not said.out


def test_500_classes_are_no_hurdle(make: Maker, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = [f"thing{n} {n % 25 * 4} {n // 25 * 4} {n % 25 * 4 + 4} {n // 25 * 4 + 4}" for n in range(500)]
    files = photographs(8, classes=("thing0",)) | {"0.xml": voc("0.png", *boxes, width=120, height=90)}
    assert init(make.folder(files)) == 0
    assert "507 boxes of 500 classes" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "long", ["in_a_folder_whose_name_is_long/and_so_is_that_of_the_file_in_it", "日本 語 " * 8 + "終"]
)
def test_all_that_can_be_wrong_at_once_is_told_in_few_lines(
    long: str, make: Maker, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    names = ("a cat by a long name", "a dog")
    files = {f"{'test' if n > 24 else 'train'}/{n}.png": photo_file(n) for n in range(30)}
    for n in range(30):
        box = f"{names[n % 2].replace(' ', '_')} {n} 5 {n + 6} 15"
        files[f"{'test' if n > 24 else 'train'}/{n}.xml"] = voc(f"{n}.png", box, width=120, height=90)
    files["train/3.xml"] = voc("3.png", "cat 5 5 5 9", width=120, height=90)
    files[f"train/{long}.xml"] = "<annotation>"
    alike = [photo(7).point(lambda value, n=n: min(255, value + n)) for n in (1, 2)]
    for n, image in enumerate(alike):
        files[f"train/7_{n}.png"] = encoded(image)
        files[f"train/7_{n}.xml"] = voc(f"7_{n}.png", "a_dog 7 5 13 15", width=120, height=90)
    files["test/8_0.png"] = encoded(photo(8).point(lambda value: min(255, value + 1)))
    files["test/8_0.xml"] = voc("8_0.png", "late 8 5 14 15", width=120, height=90)
    assert init(make.folder(files)) == 0
    found, chosen = printed(capsys.readouterr().out)
    assert len(chosen) <= 10
    assert all(wcswidth(line) <= 80 for line in (*found[1:], *chosen))
    out = " ".join(" ".join(chosen).split())
    assert ": train 20, val 5, test 6; without 1 that look like images of another split; no box in train of" in out
    assert "1 class that val or test has: late; 5 of 26 ... (`humbleyolo check` tells all)" in out
    assert "- " not in out
    assert [line.split()[0] for line in found if re.match("  (error|warning|note): ", line)][:2] == ["error:"] * 2
    assert any("train/3.xml: " in line for line in found)
    assert any(line.startswith("  warning: 1 class-not-in-train: ") for line in found)


def test_the_file_of_head_alone_is_clean_whatever_history_holds(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2040-01-01T00:00:00Z")  # later than the commit before

    def git(*words: str) -> None:
        subprocess.run([*COMMIT[:5], *words], check=True, capture_output=True)

    Path("params.yaml").write_text(DEFAULT.replace("seed: 1 ", "seed: 7 "))
    git("checkout", "-qb", "other")
    git("commit", "-qam", "Other")
    git("checkout", "-q", "theirs")
    git("merge", "-qs", "ours", "--no-ff", "other")
    assert Path("params.yaml").read_text() == DEFAULT
    assert init(make.folder({})) == 2
    assert "holds no" in capsys.readouterr().err
    git("rm", "-q", "params.yaml")
    git("commit", "-qm", "Without")
    Path("params.yaml").write_text(DEFAULT)
    assert init(make.folder({})) == 2
    assert "changes that are not committed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("minutes", "step", "image", "epochs", "why"),
    [
        (1, 0.5, 0.0, 24, "1 minute at"),
        (4, 0.5, 0.0, 96, "4 minutes at"),
        (600, 0.5, 0.0, 300, "300 at most; 12 of 600 minutes at"),
        (1, 0.0, 0.5, 13, "1 minute at"),
        (1, 0.5, 0.5, 8, "1 minute at"),
        (0.1, 9, 9, 1, "even one epoch takes 2.1 minutes, not 0.1, at"),
    ],
)
def test_minutes_become_epochs_of_5_steps_and_9_images_of_val(
    minutes: float, step: float, image: float, epochs: int, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from humbleyolo.training import schedule, step_time  # imports TensorFlow

    monkeypatch.setattr(step_time, "measure_step", lambda *_: step_time.StepTime(step, image, 0.0, step))
    chosen: Any = Mock(steps=5)  # the number of steps that are few is that of `train`
    chosen.division.splits = {"val": range(9)}
    _with_epochs(chosen, Namespace(epochs=None, minutes=minutes))
    assert chosen.with_epochs.call_args.args[0] == epochs
    assert chosen.with_epochs.call_args.args[1].startswith(why)
    assert chosen.with_epochs.call_args.args[3] == chosen.with_epochs.call_args.args[1]  # in the line as in the file
    assert chosen.with_epochs.call_args.args[2] == schedule.FEW_STEPS


def test_of_a_busy_machine_the_line_of_the_epochs_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from humbleyolo.training import step_time

    monkeypatch.setattr(step_time, "measure_step", lambda *_: step_time.StepTime(0.43, 0.1, 20.0, 1.9))
    chosen: Any = Mock(steps=37)
    chosen.division.splits = {"val": range(52)}
    _with_epochs(chosen, Namespace(epochs=None, minutes=10))
    epochs, why, few, brief = chosen.with_epochs.call_args.args
    assert why.endswith("as measured here for an idle machine (it is busy: 1.9 s)")
    assert brief == "10 minutes at 0.43 s a step, if idle (busy: 1.9 s)"
    some = {("train", "batch"): "1", ("train", "include_val"): "false", ("train", "warmup_epochs"): "0"}
    values = {key: (value, "") for key, value in some.items()}
    plan = Plan(values, "", "", Mock(splits={"train": range(37)}), 1, ())
    [line] = plan.with_epochs(epochs, why, few, brief).lines
    assert line == f"epochs {epochs}, {37 * epochs:,} steps: {brief}"
    assert len(f"  {line}") <= 80


def test_a_person_sees_the_seconds_of_a_long_measurement_and_a_file_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from humbleyolo.training import step_time

    def measure(*_: object) -> step_time.StepTime:
        until = time.monotonic() + 120
        while screen.isatty() and "measuring a step of the training: 00:01" not in screen.getvalue():
            assert time.monotonic() < until, screen.getvalue()
            time.sleep(0.05)
        return step_time.StepTime(0.5, 0.0, 0.0, 0.5)

    monkeypatch.setattr(step_time, "measure_step", measure)
    chosen: Any = Mock(steps=5)
    chosen.division.splits = {"val": range(9)}
    for screen in (Terminal(), io.StringIO()):
        monkeypatch.setattr("sys.stderr", screen)
        _with_epochs(chosen, Namespace(epochs=None, minutes=1))
        assert bool(screen.getvalue()) == screen.isatty()
    assert chosen.with_epochs.call_args.args[0] == 24


@pytest.mark.slow
def test_many_boxes_of_one_size_are_learned_from_random_weights(
    make: Maker, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files: Files = {}
    for number in range(12):
        places = [(x, y) for x in range(0, 270, 18) for y in range(0, 216, 18)]
        boxes = [f"{'ab'[(x + y) // 18 % 2]} {x} {y} {x + 16} {y + 16}" for x, y in places]
        image = photo(number).resize((288, 216))
        for x, y in places:  # classes that are easily told apart
            image.paste([(200, 40, 40), (40, 40, 200)][(x + y) // 18 % 2], (x, y, x + 16, y + 16))
        files[f"{number}.png"] = encoded(image)
        files[f"{number}.xml"] = voc(f"{number}.png", *boxes, width=288, height=216)
    assert init(make.folder(files)) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "2,160 of 2,160 boxes are of nearly one size" in said
    assert "of 2,160 lost" in said
    model, loss, train, evaluate = load_params(Path("params.yaml"), "model", "loss", "train", "evaluate")
    assert (model.name, loss.name, train.start, train.include_val) == ("compact", "iou", "scratch", True)
    assert evaluate.mirrored == "both"
    assert (train.validation.max_detections, evaluate.max_detections) == (180, 180)  # of an image


STAYS = {  # what a network or a schedule reads that no recipe has, and how results are scored
    "model.humble", "train.inverse_time_decay", "train.validation.max_detections", "evaluate.min_score",
    "evaluate.max_detections", "evaluate.match_iou", "evaluate.background_iou", "evaluate.voc_iou", "evaluate.bins",
    "evaluate.resamples", "evaluate.bootstrap_seed",
}  # fmt: skip


@pytest.mark.parametrize(
    "example",
    ["bccd", *(pytest.param(name, marks=pytest.mark.slow) for name in ("article", "fifteen", "hard", "yolov1"))],
)
def test_values_of_an_earlier_training_do_not_stay(make: Maker, project: Path, example: str) -> None:
    folder = make.folder(photographs(20))
    assert init(folder) == 0
    wanted = load_params(Path("params.yaml"), *SECTIONS)
    earlier, _ = lay_over(DEFAULT, "params.yaml", (ROOT / f"examples/{example}.yaml").read_text(), example)
    changes = {"class_weights: {}": "class_weights: {cat: 3.0}", "hue: 0.0": "hue: 0.1"}
    if example != "bccd":  # which learns from val, so that none can be asked
        changes["patience: 0"] = "patience: 3"
    for old, new in changes.items():
        assert old in earlier
        earlier = earlier.replace(old, new)
    Path("params.yaml").write_text(earlier)
    subprocess.run(COMMIT, check=True)
    assert init(folder) == 0
    found = load_params(Path("params.yaml"), *SECTIONS)
    for name, section, of_default in zip(SECTIONS, found, wanted, strict=True):
        assert without(section.model_dump(), name) == without(of_default.model_dump(), name)


def without(values: dict[str, Any], name: str) -> dict[str, Any]:
    """A section's values but for those that stay."""
    inside = {key: (value, f"{name}.{key}") for key, value in values.items() if f"{name}.{key}" not in STAYS}
    return {key: without(value, path) if isinstance(value, dict) else value for key, (value, path) in inside.items()}


def test_classes_without_a_box_and_tiny_pictures_are_no_hurdle(make: Maker, project: Path) -> None:
    files: Files = {"classes.txt": "cat\ndog\nunused\n"}
    for number in range(12):
        files[f"{number}.png"] = encoded(photo(number).resize((28, 28)))
        files[f"{number}.txt"] = f"{number % 2} 0.5 0.5 0.6 0.6\n"
    assert init(make.folder(files)) == 0
    (encode,) = load_params(Path("params.yaml"), "encode")
    assert (encode.height, encode.width) == (64, 64)


def test_recipes_name_the_same_values_so_that_one_can_follow_the_other() -> None:
    keys = []
    for name in ("photographs", "bccd"):
        file = ROOT / f"examples/{name}.yaml"
        found = {one.key for one in example_values(file.read_text(), str(file))}
        keys.append({key for key in found if key[0] != "dataset"})
    assert keys[0] == keys[1]


def test_no_recipe_changes_the_split_that_the_check_was_under() -> None:
    for name in ("photographs", "bccd"):
        file = ROOT / f"examples/{name}.yaml"
        found = {one.key for one in example_values(file.read_text(), str(file))}
        assert ("seed",) not in found
        assert {key[-1] for key in found if "split" in key} <= {"by"}  # which the folder decides


def test_of_many_images_val_is_left_to_choose(make: Maker, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humbleyolo.begin.first_training._FEW_IMAGES", 17)
    for images, expected in ((19, True), (20, False)):
        assert init(make.folder(photographs(images)), "--force") == 0
        (train,) = load_params(Path("params.yaml"), "train")
        assert train.include_val is expected
