"""Numbers and names of a file of detections, and the images and classes that they stand for."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from detection_forms import (
    detectron2,
    image_id_of,
    joined,
    labels_in,
    name_of,
    rows,
    scored,
    table,
    ultralytics,
    write_coco,
    yolo_text,
)
from scoring_cases import table_of_detections, table_of_truths

from humbleyolo.errors import UserError
from humbleyolo.labels.convert import convert
from humbleyolo.labels.labelled_image import ReadOptions
from humbleyolo.metrics.tables import DetectionTable, TruthTable
from humbleyolo.scoring.detection_files import read_detection_file
from humbleyolo.scoring.number_readings import image_readings
from humbleyolo.scoring.score_text import report_lines

NAMES = ["chat", "rat", "souris"]
IMAGES = 8


def truths_of(classes: int = 2, images: int = IMAGES) -> TruthTable:
    """Two objects an image, of the first classes in turn; none elsewhere overlaps them."""
    boxes = [
        (image, [10 + 60 * place, 10, 50, 40], (image + place) % classes, False)
        for image in range(images)
        for place in (0, 1)
    ]
    return table_of_truths(images, boxes)


def found_on(truths: TruthTable) -> DetectionTable:
    columns = zip(truths.images.tolist(), truths.boxes_ltwh.tolist(), truths.labels.tolist(), strict=True)
    return table_of_detections(truths.image_count, [(*one, 0.005 * at) for at, one in enumerate(columns)])


def told(folder: Path, path: Path, split: str | None = None, **readings: str) -> str:
    with labels_in(folder, split) as labels:
        return " ".join(joined(labels, path, **readings).told)


@pytest.mark.parametrize(("first", "words"), [(0, "counts from 0"), (1, "counts from 1")])
def test_where_classes_count_from_is_decided_by_the_boxes_and_told(first: int, words: str, tmp_path: Path) -> None:
    two = truths_of()
    truths = replace(two, labels=two.labels + 1 - first)  # the numbers are 1 and 2, which can be read both ways
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    path = ultralytics(tmp_path / "p.json", found_on(truths), first)
    said = told(folder, path)
    assert f"{words} (so {len(truths)} of the surest lie on an object of their class, read otherwise 0" in said
    assert "image_id is the number in the file's name" in said
    assert scored(folder, path).found.metrics["ap"] == 1


def test_numbers_that_the_boxes_do_not_explain_are_an_error_that_names_the_options(tmp_path: Path) -> None:
    folder = write_coco(tmp_path / "labels", truths_of(), NAMES)
    nowhere = table_of_detections(IMAGES, [(image, [300, 300, 9, 9], image % 2, 0.5) for image in range(IMAGES)])
    path = ultralytics(tmp_path / "p.json", nowhere)
    with pytest.raises(UserError, match=r"read in 2 ways(?s:.)*--categories 0(?s:.)*--categories 1"):
        told(folder, path)
    assert "none of the surest lie on an object" in told(folder, path, categories="1")
    assert "counts from 0" in told(folder, path, categories="0")


def test_a_reading_that_is_only_somewhat_better_is_not_taken(tmp_path: Path) -> None:
    truths = truths_of()
    numbers = np.ones(len(truths), np.int64)
    numbers[np.flatnonzero(truths.labels == 1)[:2]] = 2  # counted from 1, 10 of 16 are right, from 0 the other 6
    found = replace(found_on(truths), labels=numbers)
    path = ultralytics(tmp_path / "p.json", found, 0)
    with pytest.raises(UserError, match=r"from 0: 6 on an object(?s:.)*from 1: 10 on an object"):
        told(write_coco(tmp_path / "labels", truths, NAMES), path)


def test_image_ids_that_are_ids_and_names_are_decided_by_the_boxes(tmp_path: Path) -> None:
    truths = truths_of()
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    content = json.loads((folder / "annotations.json").read_text())
    number = {image_id_of(image): 3 * (IMAGES - 1 - image) + 5 for image in range(IMAGES)}  # names of other images
    for one in content["images"]:
        one["id"] = number[one["id"]]
    for one in content["annotations"]:
        one["image_id"] = number[one["image_id"]]
        one["bbox"][0] += one["image_id"]  # no image is like another
    (folder / "annotations.json").write_text(json.dumps(content))
    found = [one | {"score": 0.5} for one in content["annotations"] if one["image_id"] % 2]
    path = tmp_path / "found.json"
    path.write_text(json.dumps(found))
    with labels_in(folder) as labels:
        both = [joined(labels, path, way).detections.images.tolist() for way in ("file", "name")]
        assert not set(both[0]) & set(both[1])
        chosen = joined(labels, path)
    assert chosen.detections.images.tolist() == both[0]
    assert "image_id is the id in annotations.json" in chosen.told[0]


def test_files_that_give_ids_are_named_or_counted(tmp_path: Path) -> None:
    truths = truths_of()
    path = detectron2(tmp_path / "c.json", found_on(truths))
    with labels_in(write_coco(tmp_path / "labels", truths, NAMES)) as labels:
        many = replace(labels, ids=replace(labels.ids, files=tuple("abcde")))
        words = image_readings(read_detection_file(path), many)[0].words
    assert words == "image_id is the id in a, b, c and 2 more"


def test_ids_that_are_written_as_texts_are_ids(tmp_path: Path) -> None:
    truths = truths_of()
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    path = detectron2(tmp_path / "c.json", found_on(truths))
    found = json.loads(path.read_text())
    path.write_text(json.dumps([one | {"image_id": str(one["image_id"])} for one in found]))
    assert "image_id is the id in annotations.json" in told(folder, path)
    assert scored(folder, path).found.metrics["ap"] == 1


def with_ids(path: Path, id_of: Callable[[int], int | str]) -> Path:
    """Give the images of COCO labels, or of COCO results, other ids: `id_of` takes their places."""
    content = json.loads(path.read_text())
    place_of = {image_id_of(image): image for image in range(IMAGES)}
    labelled = isinstance(content, dict)
    images, boxes = (content["images"], content["annotations"]) if labelled else ([], content)
    for entries, key in ((images, "id"), (boxes, "image_id")):
        for entry in entries:
            entry[key] = id_of(place_of[entry[key]])
    path.write_text(json.dumps(content))
    return path


def mixed(image: int) -> int | str:
    return image if image % 2 else f"x{image}"


def crossed(image: int) -> int | str:
    """The numbers of some images as numbers, and the same numbers of others as texts."""
    return image // 2 if image % 2 else str((image // 2 + 1) % (IMAGES // 2))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("{}_x".format, "{}_x".format),
        (int, "{}".format),
        ("{}".format, int),
        (mixed, mixed),
        (crossed, crossed),
        ("{}".format, "{}".format),
        (lambda image: str(mixed(image)), mixed),
    ],
)
def test_texts_are_ids_where_the_labels_have_such(
    theirs: Callable[[int], int | str], ours: Callable[[int], int | str], tmp_path: Path
) -> None:
    """As Detectron2 writes both files of a dataset of Pascal VOC."""
    truths = truths_of()
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    with_ids(folder / "annotations.json", ours)
    path = with_ids(detectron2(tmp_path / "c.json", found_on(truths)), theirs)
    assert "image_id is the id in annotations.json" in told(folder, path)
    assert scored(folder, path).found.metrics["ap"] == 1


def test_names_of_files_are_no_ids(tmp_path: Path) -> None:
    """The id of each image is the name of the next one: what has names goes by names, results as the boxes lie."""
    truths = truths_of()
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    with_ids(folder / "annotations.json", lambda image: name_of((image + 1) % IMAGES).removesuffix(".png"))
    text = yolo_text(tmp_path / "text", found_on(truths))
    assert scored(folder, text).found.metrics["ap"] == 1
    assert "images: by their names; classes" in told(folder, text)
    assert "of the surest" not in told(folder, text)  # which decide where there are two readings
    by_id = with_ids(
        detectron2(tmp_path / "i.json", found_on(truths)), lambda at: name_of((at + 1) % IMAGES).removesuffix(".png")
    )
    assert scored(folder, by_id, image_ids="file").found.metrics["ap"] == 1
    by_name = with_ids(detectron2(tmp_path / "n.json", found_on(truths)), lambda at: name_of(at).removesuffix(".png"))
    assert scored(folder, by_name, image_ids="name").found.metrics["ap"] == 1


def test_texts_of_images_that_are_not_scored_are_no_names(tmp_path: Path) -> None:
    """The ids of train are the names of val's files."""
    truths = truths_of()
    folder = write_coco(tmp_path / "labels", truths, NAMES, "_train")
    half = IMAGES // 2

    def id_of(image: int) -> str:
        return name_of(image + half).removesuffix(".png") if image < half else f"v{image}"

    content = json.loads(with_ids(folder / "annotations_train.json", id_of).read_text())
    for split, mine in (("train", range(half)), ("val", range(half, IMAGES))):
        ids = {id_of(image) for image in mine}
        part = content | {
            "images": [one for one in content["images"] if one["id"] in ids],
            "annotations": [one for one in content["annotations"] if one["image_id"] in ids],
        }
        (folder / f"annotations_{split}.json").write_text(json.dumps(part))
    path = with_ids(detectron2(tmp_path / "c.json", found_on(truths)), id_of)
    assert "8 detections on 4 images" in told(folder, path, "val")
    with labels_in(folder, "val") as labels:
        assert sorted(set(joined(labels, path).detections.images.tolist())) == [0, 1, 2, 3]
        assert len(joined(labels, path).detections) == 8


def test_texts_that_two_files_give_to_different_images_are_told(tmp_path: Path) -> None:
    truths = truths_of()
    folder = write_coco(tmp_path / "labels", truths, NAMES, "_train")
    content = json.loads(with_ids(folder / "annotations_train.json", "i{}".format).read_text())
    (folder / "more").mkdir()
    for image in content["images"]:
        (folder / "more" / image["file_name"]).write_bytes((folder / image["file_name"]).read_bytes() + b" ")
    (folder / "more" / "annotations_val.json").write_text(json.dumps(content))
    path = with_ids(detectron2(tmp_path / "c.json", found_on(truths)), "i{}".format)
    with pytest.raises(UserError, match="two COCO files give ids to different images: score one --split"):
        told(folder, path)


def test_coco_s_own_91_numbers_are_known_where_80_classes_are_labelled(tmp_path: Path) -> None:
    names = [f"class {label:02}" for label in range(80)]
    truths = truths_of(80, 80)
    folder = write_coco(tmp_path / "labels", truths, names)
    known = [number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]
    assert (known[0], known[11], known[79]) == (1, 13, 90)  # person, stop sign, toothbrush
    content = [
        {"image_id": image_id_of(image), "category_id": known[label], "bbox": box, "score": score}
        for image, label, box, score in rows(found_on(truths))
    ]
    (tmp_path / "r.json").write_text(json.dumps(content))
    assert "COCO's own, 1 to 90" in told(folder, tmp_path / "r.json")
    assert scored(folder, tmp_path / "r.json").found.metrics["ap"] == 1


@pytest.mark.parametrize("kind", ["names", "file"])
def test_classes_can_be_given_in_another_order(kind: str, tmp_path: Path) -> None:
    truths = truths_of()
    folder, text = write_coco(tmp_path / "labels", truths, NAMES), yolo_text(tmp_path / "text", found_on(truths))
    for file in text.iterdir():
        file.write_text("".join(f"{1 - int(line[0])}{line[1:]}\n" for line in file.read_text().splitlines()))
    given = "rat,chat"
    if kind == "file":
        given = str(tmp_path / "theirs.json")
        Path(given).write_text('{"categories": [{"id": 0, "name": "rat"}, {"id": 1, "name": "chat"}]}')
    assert scored(folder, text, categories=given).found.metrics["ap"] == 1


@pytest.mark.parametrize(("images", "small"), [(15, True), (16, False)])
def test_labels_that_are_too_few_to_judge_by_are_told(images: int, small: bool, tmp_path: Path) -> None:
    truths = truths_of(images=images)
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    text = "\n".join(report_lines(scored(folder, detectron2(tmp_path / "c.json", found_on(truths)))))
    assert (f"note: {images} images with {2 * images} objects are too few" in text) == small


def test_what_cannot_be_joined_is_told(tmp_path: Path) -> None:
    truths = truths_of()
    found = found_on(truths)
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    content = json.loads(detectron2(tmp_path / "r.json", found.take(found.images != 3)).read_text())
    content += [content[0] | {"image_id": 5}, content[0] | {"image_id": 5}, content[0] | {"category_id": 77}]
    (tmp_path / "r.json").write_text(json.dumps(content))
    said = told(folder, tmp_path / "r.json")
    assert "2 detections on 1 image (5) that the labels do not have" in said
    assert "1 detection of 1 class (77) that the labels lack" in said
    assert f"no detection on 1 of 8 images ({name_of(3)!r})" in said


def test_images_of_another_split_are_told_apart_from_unknown_ones(tmp_path: Path) -> None:
    truths = truths_of()
    folder = write_coco(tmp_path / "labels", truths, NAMES, "_train")
    content = json.loads((folder / "annotations_train.json").read_text())
    ids = {one["id"] for one in content["images"][:3]}
    for split, mine in (("train", False), ("val", True)):
        part = content | {
            "images": [one for one in content["images"] if (one["id"] in ids) == mine],
            "annotations": [one for one in content["annotations"] if (one["image_id"] in ids) == mine],
        }
        (folder / f"annotations_{split}.json").write_text(json.dumps(part))
    found = table(tmp_path / "t.csv", found_on(truths), NAMES)
    said = told(folder, found, "val")
    assert "10 detections on 5 images" in said
    assert "are not scored (of another split, or without labels)" in said
    assert "not scored" not in told(folder, found)
    of_val = table(tmp_path / "v.csv", found_on(truths).take(found_on(truths).images < 2), NAMES)
    assert "; --split val scores the images of that list alone" in told(folder, of_val)
    assert "no detection on 1 of 3 images" in (of_list := told(folder, of_val, "val"))
    assert "--split" not in of_list
    lines = of_val.read_text().splitlines()
    other = table(tmp_path / "t.csv", found_on(truths).take(found_on(truths).images > 5), NAMES).read_text()
    of_val.write_text(
        "\n".join([*lines, *other.replace("chat", "ours").replace("rat", "ours").splitlines()[1:]]) + "\n"
    )
    assert "--split" not in told(folder, of_val)  # there are boxes of train, of an unknown class
    with pytest.raises(UserError, match="no image of the split test; its lists: train 5, val 3"):
        told(folder, found, "test")


def test_a_name_in_two_folders_is_not_guessed(tmp_path: Path) -> None:
    truths = truths_of(images=4)
    for folder in ("one", "other"):
        write_coco(tmp_path / "labels" / folder, truths, NAMES)
    for file in (tmp_path / "labels/other").glob("*.png"):
        file.write_bytes((tmp_path / "labels/one" / file.name).read_bytes() + b" ")
    only_names = yolo_text(tmp_path / "text", found_on(truths))
    said = "no detection is of one image of the labels; it has '000005', .*several images have such a name.*write"
    with pytest.raises(UserError, match=said):
        told(tmp_path / "labels", only_names)


def test_nothing_in_common_is_an_error_with_both_sides(tmp_path: Path) -> None:
    truths = truths_of()
    folder, others = write_coco(tmp_path / "labels", truths, NAMES), [f"no {name}" for name in NAMES]
    with pytest.raises(
        UserError, match="'no chat', 'no rat', the labels 'chat', 'rat', 'souris'; names must be equal"
    ):
        told(folder, table(tmp_path / "t.csv", found_on(truths), others))
    path = detectron2(tmp_path / "c.json", found_on(truths))
    path.write_text(path.read_text().replace('"category_id": ', '"category_id": 8000'))
    with pytest.raises(UserError, match=r"class of the labels; it has 8000\d+, .*; say them with --categories"):
        told(folder, path)
    path = detectron2(tmp_path / "r.json", found_on(truths))
    path.write_text(path.read_text().replace('"image_id": ', '"image_id": 7'))
    with pytest.raises(UserError, match="no detection is of an image of the labels; it has 7100000"):
        told(folder, path)


def test_labels_of_other_formats_are_joined_by_name(tmp_path: Path) -> None:
    truths = truths_of()
    found = found_on(truths)
    theirs = [table(tmp_path / "t.csv", found, NAMES), ultralytics(tmp_path / "p.json", found, 0)]
    theirs.append(yolo_text(tmp_path / "text", found))
    coco = write_coco(tmp_path / "coco", truths, NAMES)
    for to in ("voc", "yolo", "cvat", "csv"):
        convert(coco, tmp_path / to, to, ReadOptions())
        for path in theirs:
            readings = {} if path.suffix == ".csv" else {"categories": "0" if to in ("yolo", "cvat") else "chat,rat"}
            metrics = scored(tmp_path / to, path, **readings).found.metrics
            assert (metrics["ap"], metrics["objects"]) == (1, len(truths)), (to, path.name)


def test_many_names_are_one_screen(tmp_path: Path) -> None:
    truths = truths_of()
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    found = table(tmp_path / "t.csv", found_on(truths), NAMES)
    with found.open("a") as file:
        file.writelines(f"{number}.png,class {number},0.5,1,2,30,40,512,1024\n" for number in range(500))
    with labels_in(folder) as labels:
        lines = joined(labels, found).told
    assert len(lines) < 6
    assert max(map(len, lines)) < 200
    assert np.count_nonzero(["500 detections" in line for line in lines]) == 2


@pytest.mark.parametrize("form", ["text", "csv", "json"])
@pytest.mark.parametrize("first", [0, 1])
def test_classes_whose_names_are_numbers_do_not_swallow_class_numbers(form: str, first: int, tmp_path: Path) -> None:
    truths = truths_of(3)
    folder, found = write_coco(tmp_path / "labels", truths, ["1", "2", "3"]), found_on(truths)
    path = {
        "text": lambda: yolo_text(tmp_path / "text", replace(found, labels=found.labels + first)),
        "csv": lambda: table(tmp_path / "t.csv", found, [str(label + first) for label in range(3)]),
        "json": lambda: ultralytics(tmp_path / "p.json", found, first, file_names=True),
    }[form]()
    assert scored(folder, path).found.metrics["ap"] == 1
    assert scored(folder, path, categories=str(first)).found.metrics["ap"] == 1
    if first == 0:
        assert "of 1 class" in told(folder, path, categories="names")  # 0 is no name


def test_names_that_are_numbers_are_names_where_the_boxes_say_so(tmp_path: Path) -> None:
    truths = truths_of(3)
    folder = write_coco(tmp_path / "labels", truths, ["0", "1", "7"])
    path = table(tmp_path / "t.csv", found_on(truths).take(truths.labels < 2), ["0", "1", "7"])
    said = told(folder, path)  # 0 and 1 can count from 0, too: that is the same
    assert "classes: by their names" in said
    path = table(tmp_path / "u.csv", found_on(truths), ["0", "1", "7"])
    assert scored(folder, path).found.metrics["ap"] == 1
    other = write_coco(tmp_path / "other", truths, ["1", "0", "cat"])
    path = table(tmp_path / "v.csv", found_on(truths), ["1", "0", "cat"])  # digits beside a name are names
    assert scored(other, path).found.metrics["ap"] == 1


def test_names_that_are_given_count_from_where_the_boxes_say(tmp_path: Path) -> None:
    truths = truths_of(3)
    folder = write_coco(tmp_path / "labels", truths, NAMES)
    turned = replace(found_on(truths), labels=np.array([2, 0, 1])[truths.labels])
    for first in (0, 1):
        path = ultralytics(tmp_path / f"{first}.json", turned, first, file_names=True)
        part = turned.take(turned.labels == 1 - first)  # number 1 alone
        some = ultralytics(tmp_path / f"some{first}.json", part, first, file_names=True)
        for theirs in ("rat,souris,chat", f"{first}:rat,souris,chat", "rat,souris,chat,dog,cow"):
            assert scored(folder, path, categories=theirs).found.metrics["ap"] == 1, theirs
        assert f"from {first} (so " in told(folder, some, categories="rat,souris,chat")
    said = told(folder, tmp_path / "1.json", categories="0:rat,souris,chat")
    assert "(3) that --categories does not name" in said
    said = told(folder, tmp_path / "1.json", categories="rat,mouse,chat")
    assert "of 1 class (2) whose name in --categories no label has" in said
    nowhere = replace(turned, boxes_ltwh=turned.boxes_ltwh + 200).take(turned.labels == 1)
    with pytest.raises(UserError, match=r"--categories 0:rat,souris,chat\)(?s:.*)--categories 1:rat,souris,chat\)"):
        told(folder, ultralytics(tmp_path / "n.json", nowhere, file_names=True), categories="rat,souris,chat")


def test_given_names_that_the_labels_lack_are_named(tmp_path: Path) -> None:
    truths = truths_of()
    folder, path = write_coco(tmp_path / "labels", truths, NAMES), ultralytics(tmp_path / "p.json", found_on(truths))
    with pytest.raises(UserError, match="--categories 'bogus': has no class of the labels, which are 'chat'"):
        told(folder, path, categories="bogus")
    far = replace(found_on(truths), labels=truths.labels + 40)
    with pytest.raises(UserError, match="--categories 0:chat,rat has no class of the labels under these numbers"):
        told(folder, ultralytics(tmp_path / "f.json", far, file_names=True), categories="chat,rat")
