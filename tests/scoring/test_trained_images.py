"""The images that a model was trained on, and the warning of `humbleyolo score` on them."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML
from split_writer import write_split
from stub_models import RedFinder, facts

from humbleyolo.cli import main
from humbleyolo.detection.backends.metadata import ExportedModel, Metadata
from humbleyolo.scoring.trained_images import read_trained_images
from humbleyolo.storage.hashes import dvc_digest, sha256_of

IMAGES = {"train": 3, "val": 2, "test": 2}


def picture(number: int) -> bytes:
    """An image of 64 x 32 pixels with a red square of its own."""
    pixels = np.random.default_rng(number).integers(0, 9, (32, 64, 3), np.uint8)
    pixels[8:24, 4 * number : 4 * number + 16, 0] = 250
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that ran: 3, 2 and 2 of the 8 images in its labelled folder are in train, val and test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("humbleyolo.detection.detector.open_model", lambda *_: RedFinder())
    (tmp_path / "labelled").mkdir()
    numbers = iter(range(8))
    for split, count in IMAGES.items():
        with write_split(tmp_path / "data/dataset" / split, ("rat",)) as archive:
            for number in [next(numbers) for _ in range(count)]:
                archive.add(f"{number}.png", picture(number), 32, 64, np.zeros((0, 4)), np.zeros(0, np.int64))
    for number in range(8):
        (tmp_path / f"labelled/{number}.png").write_bytes(picture(number))
    coco = {
        "images": [{"id": n + 1, "file_name": f"{n}.png", "width": 64, "height": 32} for n in range(8)],
        "categories": [{"id": 1, "name": "rat"}],
        "annotations": [
            {"id": n + 1, "image_id": n + 1, "category_id": 1, "bbox": [4 * n, 8, 16, 16], "area": 256, "iscrowd": 0}
            for n in range(8)
        ],
    }
    (tmp_path / "labelled/labels.json").write_text(json.dumps(coco))
    (tmp_path / "data/model").mkdir()
    (tmp_path / "data/model/model.json").write_text("{}")
    (tmp_path / "data/model/weights.npz").write_bytes(b"weights")
    lock(tmp_path)
    return tmp_path


def lock(project: Path, include_val: bool = False, **other: str) -> None:
    """Write a `dvc.lock` as DVC does; `other`: arrays of a split that train learned from, in place of encode's."""

    def listed(hashes: dict[str, str]) -> list[dict[str, str]]:
        return [{"path": path, "hash": "md5", "md5": digest} for path, digest in hashes.items()]

    dataset = {path: dvc_digest(project / path, project) for path in (f"data/dataset/{split}" for split in IMAGES)}
    grid = {f"data/grid/{split}": split for split in IMAGES}
    learned = {f"data/grid/{split}": other.get(split, split) for split in ("train", "val")}
    weights = {"data/model/weights.npz": dvc_digest(project / "data/model/weights.npz", project)}
    stages = {
        "encode": {"cmd": "encode", "deps": listed(dataset), "outs": listed(grid)},
        "train": {
            "cmd": "train", "deps": listed(learned), "outs": listed(weights),
            "params": {"params.yaml": {"train": {"include_val": include_val}}},
        },
    }  # fmt: skip
    with (project / "dvc.lock").open("w") as file:
        YAML().dump({"schema": "2.0", "stages": stages}, file)


def scored(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["score", *arguments])
    assert ended.value.code in (0, None)
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("include_val", [False, True])
def test_score_counts_the_images_that_the_model_was_trained_on(
    include_val: bool, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(project, include_val)
    count, parts = (5, "3 of train and 2 of val") if include_val else (3, "3 of train")
    said = scored(capsys, "labelled", "data/model", "--output", "out")
    warning = f"warning: data/model was trained on {count} of these 8 images ({parts}), so that"
    assert said.startswith(warning)
    assert "the numbers are too good; it has not seen data/dataset/test: score that labels: 8 images" in said
    assert warning in " ".join((project / "out/report.html").read_text().split())

    for number in range(count):
        (project / f"labelled/{number}.png").write_bytes(picture(number + 8))
    assert "warning" not in scored(capsys, "labelled", "data/model")


def test_the_images_are_those_whose_arrays_taught_these_weights(project: Path) -> None:
    model = project / "data/model"
    found = read_trained_images(model)
    assert found is not None
    assert found.split_of == {hashlib.sha256(picture(number)).hexdigest(): "train" for number in range(3)}
    assert found.dataset == Path("data/dataset")

    lock(project, val="another")  # not learned
    assert read_trained_images(model) is not None
    lock(project, train="another")
    assert read_trained_images(model) is None
    lock(project)
    (model / "weights.npz").write_bytes(b"of another training")
    assert read_trained_images(model) is None
    lock(project)
    (project / "data/dataset/train/all.zip").write_bytes(b"")
    assert read_trained_images(model) is None


def test_a_model_without_its_project_is_not_judged(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("", "stages: [", "stages: {train: {}, encode: {}}"):
        (project / "dvc.lock").write_text(text)
        assert "warning" not in scored(capsys, "labelled", "data/model")
    (project / "dvc.lock").unlink()
    assert read_trained_images(project / "data/model") is None
    assert read_trained_images(Path("https://example.org/project.git")) is None


def finds_nothing(images: np.ndarray) -> dict[str, np.ndarray]:
    """Return the outputs of an export that sees no object."""
    shapes = {"boxes": (1, 4), "scores": (1,), "labels": (1,), "count": (), "grid": (3, 5, 7)}
    return {name: np.zeros((len(images), *shape)) for name, shape in shapes.items()}


def test_an_export_is_judged_by_the_weights_that_it_was_made_from(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    weights = project / "data/model/weights.npz"
    told = Metadata.of(facts(), version="0", precision="float32", weights_sha256=sha256_of(weights))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setattr(
        "humbleyolo.detection.detector.open_model", lambda path, *_: ExportedModel(told, finds_nothing, Path(path))
    )
    for export in ("exports/model.onnx", str(elsewhere / "model.tflite")):  # the second by the working folder alone
        said = scored(capsys, "labelled", export)
        assert said.startswith(f"warning: {export} was trained on 3 of these 8 images (3 of train), so that")
    monkeypatch.chdir(elsewhere)  # the first by its own folder alone
    inside = str(project / "exports/model.onnx")
    assert f"warning: {inside} was" in scored(capsys, str(project / "labelled"), inside)
    assert "warning" not in scored(capsys, str(project / "labelled"), "model.tflite")

    weights.write_bytes(b"of another training")
    lock(project)
    assert "warning" not in scored(capsys, str(project / "labelled"), inside)
    weights.unlink()
    assert "warning" not in scored(capsys, str(project / "labelled"), inside)
