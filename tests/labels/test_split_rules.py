"""Dividing into train, val and test, and images that are in two of them."""

import io
from pathlib import Path

import numpy as np
import pytest
from folders import Files, Maker, photo, voc
from hypothesis import given
from hypothesis import strategies as st
from repository import ROOT

from humbleyolo.dataset.archive import SPLITS, Archive
from humbleyolo.errors import ProblemsError, UserError
from humbleyolo.geometry.boxes import ltwh_to_xyxy
from humbleyolo.labels.image_info import ImageInfo
from humbleyolo.labels.labelled_image import LabelledImage
from humbleyolo.labels.ledger import Ledger
from humbleyolo.labels.split_rules import divide, drop_leaks
from humbleyolo.labels.write_dataset import write_splits
from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Fractions, Labelled, Split


def divided(
    images: list[LabelledImage],
    by: str = "hash",
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    ledger: Ledger | None = None,
    seed: int = 0,
    **changed: object,
) -> dict[str, list[LabelledImage]]:
    values = {"group": "", "stratify": False} | changed
    rule = Split(by=by, fractions=Fractions(**dict(zip(SPLITS, fractions, strict=True))), **values)  # type: ignore[arg-type]
    return divide(images, rule, seed, ledger or Ledger("error"))


def section(by: str = "lists", **changed: object) -> Labelled:
    """The section `dataset.labelled`, as params.yaml has it but for what is changed."""
    (dataset,) = load_params(ROOT / "params.yaml", "dataset")
    split = dataset.labelled.split.model_copy(update={"by": by})
    return dataset.labelled.model_copy(update={"split": split, **changed})


def record(name: str, sha: str = "", labels: tuple[str, ...] = (), **more: object) -> LabelledImage:
    facts = ImageInfo("PNG", 1, 1, 1, sha or name, 0, np.zeros((32, 32), np.uint8))
    count = len(labels)
    fields = {"splits": (), "group": None} | more
    return LabelledImage(
        label_file="f", path=name, height=1, width=1, boxes=np.zeros((count, 4)), labels=labels,
        flags=(frozenset(),) * count, where=("",) * count, info=facts, **fields,
    )  # fmt: skip


def where(splits: dict[str, list[LabelledImage]]) -> dict[str, str]:
    return {one.path: split for split, some in splits.items() for one in some}


@given(st.integers(0, 2**63 - 1), st.integers(60, 120), st.integers(1, 30))
def test_adding_images_moves_none(seed: int, count: int, more: int) -> None:
    records = [record(f"{n}.png") for n in range(count + more)]
    before = where(divided(records[:count], "hash", (0.4, 0.3, 0.3), seed=seed))
    after = where(divided(records[::-1], "hash", (0.4, 0.3, 0.3), seed=seed))
    assert before.items() <= after.items()


def test_fractions_and_seed() -> None:
    records = [record(f"{n}.png") for n in range(4000)]
    splits = [divided(records, "hash", (0.7, 0.1, 0.2), seed=seed) for seed in (1, 2)]
    for one in splits:
        assert [len(one[name]) / 4000 for name in SPLITS] == pytest.approx([0.7, 0.1, 0.2], abs=0.02)
    assert where(splits[0]) != where(splits[1])


def test_the_same_content_goes_to_the_same_split() -> None:
    records = [record(f"{n}.png", sha=str(n // 2)) for n in range(200)]
    found = where(divided(records, "hash"))
    assert all(found[f"{n}.png"] == found[f"{n + 1}.png"] for n in range(0, 200, 2))


@pytest.mark.parametrize("stratify", [False, True])
def test_groups_stay_together(stratify: bool) -> None:
    records = [record(f"scene{n // 10}/{n}.png", labels=(("a", "b")[n % 2],)) for n in range(600)]
    found = where(divided(records, "group", group=r"scene(\d+)/", stratify=stratify))
    for scene in range(60):
        assert len({found[f"scene{scene}/{n}.png"] for n in range(scene * 10, scene * 10 + 10)}) == 1


def test_no_group_is_a_mistake() -> None:
    ledger = Ledger("skip")
    divided([record("a.png"), record("b.png", group="g")], "group", ledger=ledger)
    assert [(row.kind, row.file) for row in ledger.rows] == [("no-group", "a.png")]
    divided([record("a.png")], "group", group="scene", ledger=ledger)
    assert ledger.rows[-1].why == "its path does not match 'scene'"


def test_stratified_gives_each_split_its_share_of_every_class() -> None:
    rng = np.random.default_rng(1)
    names = rng.choice(["often", "sometimes", "rare"], 1000, p=[0.9, 0.08, 0.02])
    records = [record(f"{n}.png", labels=(str(name),)) for n, name in enumerate(names)]
    splits = divided(records, "hash", (0.6, 0.2, 0.2), stratify=True)
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
    with pytest.raises(UserError, match="no image is left for val and test"):
        divided(records[:1], "lists")


def test_a_folder_without_lists_is_one_mistake_and_not_one_an_image() -> None:
    ledger = Ledger("error")
    assert where(divided([record("a.png"), record("b.png")], "lists", ledger=ledger)) == {}
    (row,) = ledger.rows
    assert str(row) == (
        ".: no lists: nothing here says train, val or test; set split.by to hash or group, and give fractions"
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
    done = write_splits(out, section(), source, 1)
    assert done.read_as == "voc"
    assert {split: count.images for split, count in done.counts.items()} == {"train": 2, "val": 1, "test": 1}
    with Archive(out / "train.zip") as archive:
        assert archive.categories == ("cat", "dog")
        records = list(archive)
    assert [one.file_name for one in records] == ["0.jpg", "1.jpg"]
    assert records[1].image_bytes == small(1)
    assert ltwh_to_xyxy(records[1].boxes_ltwh).tolist() == [[1, 2, 3.5, 4], [5, 6, 7, 8]]
    assert records[1].annotations[0]["attributes"] == {"difficult": True}
    assert done.counts["train"].as_dict()["classes"] == {"cat": 2, "dog": 2}
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    write_splits(out, section(), source, 1)
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_leaks_stop_everything_or_are_dropped_from_train(make: Maker, tmp_path: Path) -> None:
    source = folder(make)
    (source / "JPEGImages/0.jpg").write_bytes(small(3, quality=70))
    with pytest.raises(ProblemsError, match=r"0.jpg: in train: looks like JPEGImages/3.jpg in test"):
        write_splits(tmp_path / "out", section(), source, 1)
    assert not (tmp_path / "out").exists()
    done = write_splits(tmp_path / "out", section(on_problem="skip"), source, 1)
    assert {count.images for count in done.counts.values()} == {1}
    assert "dropped from train" in (tmp_path / "out/ledger.csv").read_text()


def test_leaks_within_a_split_are_none() -> None:
    copies = [record("a.png", sha="s"), record("b.png", sha="s")]
    ledger = Ledger("error")
    assert drop_leaks({"train": copies, "val": [], "test": []}, ledger)["train"] == copies
    assert not ledger.rows
