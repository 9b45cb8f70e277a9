"""Dividing into train, val and test, and images that are in two of them."""

import io
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from folders import Files, Maker, photo, photo_file, voc
from hypothesis import given, settings
from hypothesis import strategies as st
from repository import ROOT

from humbleyolo.dataset.archive import SPLITS
from humbleyolo.dataset.archived_split import ArchivedSplit
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.inputs.image_info import ImageInfo, perceptual_hash
from humbleyolo.inputs.ledger import Ledger
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Fractions, Labelled, Split
from humbleyolo.splits.split_rules import Division, divide
from humbleyolo.splits.write_dataset import write_splits


def divided(
    images: list[LabelledImage],
    by: str = "hash",
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    ledger: Ledger | None = None,
    seed: int = 0,
    **changed: object,
) -> Division:
    values = {"group": "", "stratify": False, "near_duplicates": "together"} | changed
    rule = Split(by=by, fractions=Fractions(**dict(zip(SPLITS, fractions, strict=True))), **values)  # type: ignore[arg-type]
    return divide(images, rule, seed, ledger or Ledger("error"))


def section(by: str = "lists", near_duplicates: str = "together", **changed: object) -> Labelled:
    """The section `dataset.labelled`, as params.yaml has it but for what is changed."""
    (dataset,) = load_params(ROOT / "params.yaml", "dataset")
    split = dataset.labelled.split.model_copy(update={"by": by, "near_duplicates": near_duplicates})
    return dataset.labelled.model_copy(update={"split": split, **changed})


@cache
def look(seed: int) -> tuple[int, np.ndarray]:
    """The perceptual hash of a photograph, and its thumbnail."""
    thumb = np.asarray(photo(seed).convert("L").resize((32, 32)))
    return perceptual_hash(thumb), thumb


def record(
    name: str, sha: str = "", labels: tuple[str, ...] = (), scene: int | None = None, **more: object
) -> LabelledImage:
    """An image like no other, or like those of its scene."""
    seed = int.from_bytes((sha or name).encode()[:16], "big") if scene is None else scene
    facts = ImageInfo("PNG", 1, 1, 1, sha or name, *look(seed))
    count = len(labels)
    fields = {"splits": (), "group": None} | more
    return LabelledImage(
        label_file="f", path=name, height=1, width=1, boxes=np.zeros((count, 4)), labels=labels,
        flags=(frozenset(),) * count, where=("",) * count, info=facts, **fields,
    )  # fmt: skip


def where(division: Division) -> dict[str, str]:
    return {one.path: split for split, some in division.splits.items() for one in some}


def counts(division: Division) -> list[int]:
    return [len(some) for some in division.splits.values()]


RECORDS = [record(f"{n}.png", labels=(("a", "b")[n % 2],)) for n in range(150)]


@given(st.integers(0, 2**63 - 1), st.integers(60, 120), st.integers(1, 30))
@settings(deadline=None, max_examples=20)
def test_adding_images_moves_few(seed: int, count: int, more: int) -> None:
    before = where(divided(RECORDS[:count], "hash", (0.4, 0.3, 0.3), seed=seed))
    after = where(divided(RECORDS[: count + more][::-1], "hash", (0.4, 0.3, 0.3), seed=seed))
    assert sum(after[name] != split for name, split in before.items()) <= 2 * more


def test_a_class_that_train_lacks_is_told() -> None:
    names = {"train": ("a",), "val": ("a", "b", "b"), "test": ("a", "b", "c")}
    images = [record(split, labels=labels, splits=(split,)) for split, labels in names.items()]
    ledger = Ledger("error")
    division = divided(images, "lists", ledger=ledger)
    assert [(row.severity, row.kind, row.what) for row in ledger.rows] == [
        ("warning", "class-not-in-train", "class b has 0 boxes in train, 2 in val and 1 in test"),
        ("warning", "class-not-in-train", "class c has 0 boxes in train, 1 in test"),
    ]
    assert division.lost == ["no box in train of 2 classes that val or test has: b, c"]
    everywhere = [record(split, labels=("a", "b", "c"), splits=(split,)) for split in SPLITS]
    assert divided(everywhere, "lists").lost == []


@pytest.mark.parametrize(
    ("sizes", "by", "told"),
    [
        ((100, 16, 16), "lists", None),
        ((120, 20, 6), "lists", "test is too small to judge a model: `init --split hash` helps"),
        ((90, 6, 7), "lists", "val and test are too small to judge a model: label more"),  # 15 of 103
        ((110, 6, 16), "lists", "val is too small to judge a model: `init --split hash` helps"),
        ((110, 0, 0), "hash", None),
        ((60, 0, 0), "hash", "val and test are too small to judge a model: label more"),
    ],
)
def test_a_split_that_is_too_small_to_score_is_told(sizes: tuple[int, ...], by: str, told: str | None) -> None:
    owners = [split for split, size in zip(SPLITS, sizes, strict=True) for _ in range(size)]
    images = [replace(one, splits=(own,)) for one, own in zip(RECORDS, owners, strict=False)]
    division = divided(images, by)
    assert [note for note in division.lines() if "too small" in note] == ([told] if told else [])


def test_a_test_of_images_without_objects_is_as_small() -> None:
    owners = ["train"] * 100 + ["val"] * 20 + ["test"] * 20
    images = [
        replace(one, splits=(own,)) if own != "test" else record(one.path, splits=("test",))
        for one, own in zip(RECORDS, owners, strict=False)
    ]
    assert divided(images, "lists").notes == ["test is too small to judge a model: `init --split hash` helps"]


def test_fractions_and_seed() -> None:
    splits = [divided(RECORDS[:120], "hash", seed=seed) for seed in (1, 2)]
    assert [counts(one) for one in splits] == [[84, 18, 18]] * 2
    assert where(splits[0]) != where(splits[1])
    assert splits[0].lines() == ["train 84, val 18, test 18"]


@pytest.mark.parametrize("near_duplicates", ["together", "error", "ignore"])
def test_the_same_content_goes_to_the_same_split(near_duplicates: str) -> None:
    records = [record(f"{n}.png", sha=str(n // 2)) for n in range(200)]
    ledger = Ledger("error")
    found = where(divided(records, "hash", ledger=ledger, near_duplicates=near_duplicates))
    assert all(found[f"{n}.png"] == found[f"{n + 1}.png"] for n in range(0, 200, 2))
    assert not ledger.rows


def bursts(groups: int = 30, shots: int = 3, **more: object) -> list[LabelledImage]:
    return [record(f"{n}_{shot}.png", scene=n, **more) for n in range(groups) for shot in range(shots)]  # type: ignore[arg-type]


@pytest.mark.parametrize("stratify", [False, True])
def test_near_duplicates_are_kept_together(stratify: bool) -> None:
    ledger = Ledger("error")
    division = divided(bursts(labels=("a",)), ledger=ledger, stratify=stratify)
    found = where(division)
    assert all(len({found[f"{n}_{shot}.png"] for shot in range(3)}) == 1 for n in range(30))
    assert sum(counts(division)) == 90
    assert np.abs(np.subtract(counts(division), [63, 13, 14])).max() <= 3
    assert division.notes[0] == "30 groups of look-alikes kept together, 3 images at most"
    assert not ledger.rows


def test_groups_that_share_near_duplicates_are_one_unit() -> None:
    records = [record(f"{n}/{shot}.png", scene=10 * n + shot) for n in range(30) for shot in range(3)]
    records += [record(f"{n}/same.png", scene=1000 + n // 2) for n in range(30)]
    found = where(divided(records, "group", group=r"(\d+)/"))
    assert all(
        len({found[one.path] for one in records if int(one.path.split("/")[0]) // 2 == n}) == 1 for n in range(15)
    )
    ledger = Ledger("skip")
    divided(records, "group", group=r"(\d+)/", near_duplicates="ignore", ledger=ledger)
    assert not ledger.rows


def test_near_duplicates_in_two_splits_may_be_refused_or_meant() -> None:
    ledger = Ledger("error")
    divided(bursts(), ledger=ledger, near_duplicates="error")
    kinds = {row.kind for row in ledger.errors}
    assert kinds == {"leak"}
    assert len({row.file.split("_")[0] for row in ledger.errors}) == len(ledger.errors)  # one for each group
    assert ledger.errors[0].why.endswith(
        "; set split.near_duplicates: together, or ignore (`init --near-duplicates ignore`) if they are meant"
    )
    ledger = Ledger("error")
    assert counts(divided(bursts(), ledger=ledger, near_duplicates="ignore")) == [63, 13, 14]
    assert not ledger.rows


def test_equal_files_in_two_groups_are_refused_even_if_near_duplicates_are_meant() -> None:
    records = [record(f"{n}.png", sha=f"{n % 60}", group=f"{n // 60}") for n in range(180)]
    for near_duplicates in ("ignore", "error"):
        ledger = Ledger("error")
        divided(records, "group", ledger=ledger, near_duplicates=near_duplicates)
        assert len(ledger.errors) == 60
        assert all("is the same file as" in row.why and "near_duplicates" not in row.why for row in ledger.errors)


def test_one_scene_leaves_nothing_for_val_and_test() -> None:
    ledger = Ledger("error")
    divided([record(f"{n:02}.png", scene=1) for n in range(60)], ledger=ledger)
    (row,) = ledger.rows
    assert str(row) == (
        "no image is left for val and test: 60 of 60 images look alike (00.png, 01.png, 02.png and 57 more); "
        "near_duplicates: ignore (`init --near-duplicates ignore`) is for a fixed camera or a microscope"
    )


def test_one_large_group_is_in_train_and_told() -> None:
    for seed in range(5):
        ledger = Ledger("error")
        images = [record(f"s{n}.png", labels=("a", "b"), scene=1) for n in range(50)] + RECORDS[:5]
        division = divided(images, ledger=ledger, seed=seed)
        assert counts(division)[0] >= 50
        (row,) = ledger.rows
        assert (row.kind, row.severity) == ("split-uneven", "warning")
        assert "one group has 50 of 55 images" in row.why
        assert row.why.endswith(
            "near_duplicates: ignore (`init --near-duplicates ignore`) is for a fixed camera or a microscope"
        )


def test_too_few_images() -> None:
    ledger = Ledger("skip")
    divided(RECORDS[:2], ledger=ledger)
    divided([record(f"{n}.png", group=f"{n % 2}") for n in range(9)], "group", ledger=ledger)
    assert [str(row) for row in ledger.rows] == [
        "no image is left for test: 3 splits need as many images that differ, not 2; label more",
        "no image is left for test: 3 splits need as many groups that differ, not 2; label more",
    ]


@pytest.mark.parametrize("stratify", [False, True])
def test_groups_stay_together(stratify: bool) -> None:
    records = [record(f"scene{n // 10}/{n}.png", labels=(("a", "b")[n % 2],)) for n in range(200)]
    found = where(divided(records, "group", group=r"scene(\d+)/", stratify=stratify))
    for scene in range(20):
        assert len({found[f"scene{scene}/{n}.png"] for n in range(scene * 10, scene * 10 + 10)}) == 1


def test_no_group_is_a_mistake() -> None:
    ledger = Ledger("skip")
    divided([record("a.png"), *(record(f"{n}.png", group=f"{n}") for n in range(3))], "group", ledger=ledger)
    assert [(row.kind, row.file) for row in ledger.rows] == [("no-group", "a.png")]
    divided([record("a.png")], "group", group="scene", ledger=ledger)
    assert ledger.rows[-1].why == "its path does not match 'scene'"


@pytest.mark.parametrize("pattern", [r"(day\d)|extra", r"extra(x)?", r"(\d*)extra"])
def test_a_bracket_that_finds_nothing_is_no_group(pattern: str) -> None:
    ledger = Ledger("skip")
    divided(
        [record("extra/a.png"), *(record(f"day{n}/{n}.png") for n in range(3))], "group", group=pattern, ledger=ledger
    )
    assert ("no-group", "extra/a.png") in [(row.kind, row.file) for row in ledger.rows]


def test_stratified_gives_each_split_its_share_of_every_class() -> None:
    rng = np.random.default_rng(1)
    names = rng.choice(["often", "sometimes", "rare"], 400, p=[0.9, 0.08, 0.02])
    records = [record(f"{n}.png", labels=(str(name),)) for n, name in enumerate(names)]
    splits = divided(records, "hash", (0.6, 0.2, 0.2), stratify=True).splits
    for name in ("often", "sometimes", "rare"):
        total = int((names == name).sum())
        for split, fraction in zip(SPLITS, (0.6, 0.2, 0.2), strict=True):
            count = sum(one.labels == (name,) for one in splits[split])
            assert abs(count - total * fraction) <= 1


def test_lists() -> None:
    ledger = Ledger("skip")
    records = [record(f"{n}.png", splits=splits) for n, splits in enumerate([("train",), ("val",), ("test",)])]
    records += [record("two.png", splits=("test", "train")), record("none.png")]
    splits = divided(records, "lists", ledger=ledger)
    assert where(splits) == {"0.png": "train", "1.png": "val", "2.png": "test", "two.png": "test"}
    assert [(row.file, row.done) for row in ledger.rows] == [
        ("two.png", "kept in test alone"),
        ("none.png", "image dropped"),
    ]
    ledger = Ledger("error")
    divided(records[1:3], "lists", ledger=ledger)
    assert str(ledger.rows[0]) == (
        "no image is left for train: no list names an image of train; correct the lists, or set "
        "split.by: hash (`init --split hash`)"
    )


@pytest.mark.parametrize("missing", [("val",), ("test",), ("val", "test")])
@pytest.mark.parametrize("near_duplicates", ["together", "error", "ignore"])
def test_a_split_that_no_list_names_is_taken_from_train(missing: tuple[str, ...], near_duplicates: str) -> None:
    """So that its part of all images is about its fraction, and by nothing but content and seed."""
    listed = {"train": 120, **{split: 20 for split in ("val", "test") if split not in missing}}
    records = [record(f"{split}{n}.png", splits=(split,)) for split, count in listed.items() for n in range(count)]
    ledger = Ledger("error")
    division = divided(records, "lists", ledger=ledger, near_duplicates=near_duplicates)
    found = where(division)
    assert len(found) == len(records)
    taken = {name: split for name, split in found.items() if not name.startswith(split)}
    assert set(taken.values()) == set(missing)
    assert all(name.startswith("train") for name in taken)
    for split in missing:
        count = list(taken.values()).count(split)
        assert count == {1: 21, 2: 18}[len(missing)]
        assert f"{count} of 120 images of train taken as {split}, which no list names" in division.notes
    assert [(row.severity, row.kind) for row in ledger.rows] == [("note", "split-taken")] * len(missing)
    renamed = [replace(one, path=f"x{one.path}") for one in records[::-1]]
    again = where(divided(renamed, "lists", near_duplicates=near_duplicates))
    assert again == {f"x{name}": split for name, split in found.items()}


def test_near_duplicates_in_train_are_taken_together() -> None:
    records = bursts(splits=("train",)) + [record(f"t{n}.png", splits=("test",)) for n in range(10)]
    found = where(divided(records, "lists"))
    assert all(len({found[f"{n}_{shot}.png"] for shot in range(3)}) == 1 for n in range(30))
    assert list(found.values()).count("val") == pytest.approx(90 * 0.15 / 0.85, abs=3)


def test_a_folder_without_lists_is_one_mistake_and_not_one_an_image() -> None:
    ledger = Ledger("error")
    assert where(divided([record("a.png"), record("b.png")], "lists", ledger=ledger)) == {}
    (row,) = ledger.rows
    assert str(row) == (
        "no lists: nothing here says train, val or test; set split.by to hash or group, and give fractions"
    )


def small(seed: int, quality: int = 90) -> bytes:
    file = io.BytesIO()
    photo(seed).resize((40, 20)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def folder(make: Maker) -> Path:
    files: Files = {}
    for n, split in enumerate(("train", "train", "val", "test")):
        files[f"JPEGImages/{n}.jpg"] = small(n)
        files[f"Annotations/{n}.xml"] = voc(f"{n}.jpg", "cat 1 2 3.5 4", "dog 5 6 7 8").replace(
            "<difficult>0", f"<difficult>{n % 2}"
        )
        listing = f"ImageSets/Main/{split}.txt"
        files[listing] = str(files.get(listing, "")) + f"{n}\n"
    return make.folder(files)


def test_the_dataset_is_written(make: Maker, tmp_path: Path) -> None:
    source, out = folder(make), tmp_path / "out"
    done = write_splits(out, section(), source, 1, 10_000)
    assert done.read_as == "voc"
    assert {split: count.images for split, count in done.counts.items()} == {"train": 2, "val": 1, "test": 1}
    with ArchivedSplit(out / "train") as archive:
        assert archive.categories == ("cat", "dog")
        records = list(archive)
    assert [one.file_name for one in records] == ["0.jpg", "1.jpg"]
    assert records[1].image_bytes == small(1)
    assert ltwh_to_xyxy(records[1].boxes_ltwh).tolist() == [[1, 2, 3.5, 4], [5, 6, 7, 8]]
    assert records[1].annotations[0]["attributes"] == {"difficult": True}
    assert done.counts["train"].as_dict()["classes"] == {"cat": 2, "dog": 2}
    before = {path: path.read_bytes() for path in out.rglob("*.*")}
    write_splits(out, section(), source, 1, 10_000)
    assert before == {path: path.read_bytes() for path in out.rglob("*.*")}


def test_leaks_stop_everything_or_are_dropped_from_train(make: Maker, tmp_path: Path) -> None:
    source = folder(make)
    (source / "JPEGImages/0.jpg").write_bytes(small(3, quality=70))
    with pytest.raises(
        ProblemsError, match=r"0.jpg: in train: looks like JPEGImages/3.jpg in test; correct the lists"
    ):
        write_splits(tmp_path / "out", section(), source, 1, 10_000)
    assert not (tmp_path / "out").exists()
    done = write_splits(tmp_path / "ignored", section(near_duplicates="ignore"), source, 1, 10_000)
    assert [count.images for count in done.counts.values()] == [2, 1, 1]
    done = write_splits(tmp_path / "out", section(on_problem="skip"), source, 1, 10_000)
    assert {count.images for count in done.counts.values()} == {1}
    assert done.division[:2] == ["train 1, val 1, test 1", "without 1 that look like images of another split"]
    assert "dropped from train" in (tmp_path / "out/ledger.csv").read_text()
    (source / "JPEGImages/0.jpg").write_bytes(small(3))
    with pytest.raises(
        ProblemsError, match=r"0.jpg: in train: is the same file as JPEGImages/3.jpg in test; put both"
    ):
        write_splits(tmp_path / "same", section(near_duplicates="ignore"), source, 1, 10_000)


def test_a_split_that_leaks_empty_stops_with_the_reason(make: Maker, tmp_path: Path) -> None:
    source = folder(make)
    for name in ("0", "1"):
        (source / f"JPEGImages/{name}.jpg").write_bytes(small(3, quality=70 + int(name)))
    with pytest.raises(
        UserError, match=r"no image is left for train: 3 of 4 images look alike \(JPEGImages/0.jpg, 1.jpg"
    ):
        write_splits(tmp_path / "out", section(on_problem="skip"), source, 1, 10_000)


def test_a_group_in_three_lists_is_one_problem_with_a_row_for_each_image_left_out() -> None:
    names = [("a", "train"), ("b", "val"), ("c", "test"), ("d", "train")]
    records = [record(f"{name}.png", scene=1, splits=(split,)) for name, split in names]
    others = [record(f"{split}.png", splits=(split,)) for split in SPLITS]
    ledger = Ledger("skip")
    assert set(where(divided(records + others, "lists", ledger=ledger))) == {
        "c.png",
        "train.png",
        "val.png",
        "test.png",
    }
    assert [(row.file, row.severity, row.done) for row in ledger.rows] == [
        ("a.png", "error", "dropped from train"),
        ("b.png", "note", "dropped from val"),
        ("d.png", "note", "dropped from train"),
    ]
    assert "looks like c.png in test, in a group of train 2, val 1, test 1; correct the lists" in ledger.rows[0].why


def test_leaks_within_a_split_are_none() -> None:
    records = [
        record(f"{n}.png", scene=n // 2, splits=(split,)) for n, split in enumerate(np.repeat(SPLITS, 2).tolist())
    ]
    ledger = Ledger("error")
    division = divided(records, "lists", ledger=ledger)
    assert not ledger.rows
    assert division.alike == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_list_whose_images_were_all_left_out_is_not_taken_from_train(
    make: Maker, tmp_path: Path, split: str
) -> None:
    """Other images would be in its place, and nobody told."""
    content: Files = {}
    for number, owner in enumerate(["train"] * 8 + ["val", "test"]):
        content[f"{owner}/{number}.png"] = b"damaged" if owner == split else photo_file(number)
        content[f"{owner}/{number}.xml"] = voc(f"{number}.png", "cat 1 2 30 40", width=120, height=90)
    with pytest.raises(UserError, match=f"no image is left for {split}: all images in the list of {split} were left"):
        write_splits(tmp_path / "out", section(on_problem="skip"), make.folder(content), 0, 10_000)
