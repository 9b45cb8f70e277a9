"""YOLO text: a file an image, a line a box: class index, then centre and lengths as fractions of the image.

    0 0.498828 0.459722 0.152344 0.191667

Names and lists as each tool writes them, in whichever of these places they are:

    Yolo Mark, CVAT     obj.data (classes, train, valid, names), obj.names, train.txt; obj_train_data/
    LabelImg            classes.txt beside the labels
    Ultralytics         data.yaml (names, nc, train, val, test), images/ beside labels/

Without names, `classes` must give them, because a number means nothing. Few decimals (six, as most tools write) put a
box's edge up to 1e-6 of the image beyond its border. Such a box is cut there, with a note. A class index before three
points or more is a polygon or a turned box (YOLO-OBB). The box around it is taken, with a note.
"""

import json
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePosixPath

import numpy as np

from humbleyolo.geometry.boxes import xyxy_to_cxcywh
from humbleyolo.inputs.file_names import is_image, split_of_list, suffix
from humbleyolo.inputs.folder import Source
from humbleyolo.inputs.ledger import BadInput, shorten
from humbleyolo.inputs.parsing.text import numbered_lines, parse_integer, parse_number
from humbleyolo.labels.class_numbers import drop_all, settle_count
from humbleyolo.labels.formats.masks import points_corners
from humbleyolo.labels.formats.yolo_dataset_files import Declared, read_dataset_files
from humbleyolo.labels.formats.yolo_poses import find_poses
from humbleyolo.labels.label_file_pairs import first_label, read_pairs
from humbleyolo.labels.label_set import NUMBERS
from humbleyolo.labels.labelled_image import UncheckedBox, UncheckedImage, UncheckedSet
from humbleyolo.labels.source_reader import SourceReader
from humbleyolo.labels.writing import WrittenSet
from humbleyolo.process.terminal import counted
from humbleyolo.storage.array_types import Floats

IMAGES = "images"
_SLACK = 1e-6
_NUMBER = re.compile("[0-9]{1,9}")  # of a class
_FEWEST_DIGITS, _DIGITS = 3, 6  # decimals that a tool may round to
_SHOWN = 1000  # polygons, of which it is asked if they are poses
_FIELDS = ("centre x", "centre y", "width", "height")


def detect(source: Source) -> str:
    """Return the evidence that a source is in this format; empty if it is not."""
    label = first_label(source, _looks_like_yolo)
    if label:
        return f"{label} has lines of a class index and four fractions"
    for name in source.names:
        if PurePosixPath(name).name in ("obj.data", "obj.names", "data.yaml"):
            return f"there is {name}"
    return ""


def _looks_like_yolo(text: str) -> bool:
    lines = numbered_lines(text)
    columns = lines[0][1].split() if lines else []
    if len(columns) != 5 and not (_is_polygon(columns) and "." in lines[0][1]):
        return False
    try:
        parse_integer(columns[0], "")
        return all(abs(parse_number(column, "")) <= 2 for column in columns[1:])
    except BadInput:
        return False


def _is_polygon(columns: Sequence[str]) -> bool:
    """Tell if a line may be a class index and the x and y of three points or more."""
    return len(columns) >= 7 and len(columns) % 2 == 1


def read(reader: SourceReader) -> UncheckedSet:
    """Return every image that has a label file; see `registry.Format`."""
    declared = read_dataset_files(reader)
    told = reader.options.classes
    nameless = not (told or declared.names)
    without: set[str] = set()  # label files whose numbers have no names
    by_names: dict[tuple[str, ...], list[UncheckedImage]] = defaultdict(list)
    numbers: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)  # of the boxes of these names

    polygons: Counter[int] = Counter()  # by their number of columns
    shown: list[list[str]] = []  # the first of them

    def fill(image: UncheckedImage, text: str) -> None:
        lines = numbered_lines(text)
        image.relative, image.slack = True, _slack(lines)
        names = told or (declared.names_for(image.label_file) if lines else ())
        if lines and nameless:
            names = NUMBERS  # so that other mistakes are found all the same
            without.add(image.label_file)
        by_names[names].append(image)
        for columns in [line.split() for _, line in lines]:
            if _is_polygon(columns) and not declared.keypoint_columns:
                polygons[len(columns)] += 1
                if len(shown) < _SHOWN:
                    shown.append(columns)
        numbers[names].update(int(first) for _, line in lines if _NUMBER.fullmatch(first := line.split()[0]))
        for number, line in lines:
            with reader.ledger.reporting(image.label_file, "box dropped", f"line {number}"), image.losing():
                image.boxes.append(_box(line, number, names, declared.keypoint_columns))
        _note_other_shapes(reader, image.label_file, lines, declared.keypoint_columns)

    images = read_pairs(reader, _looks_like_yolo, fill)
    for names, some in by_names.items():
        settle_count(reader, "yolo", numbers[names], len(names), some)
    if len(polygons) == 1 and (mistake := find_poses(_numbers(shown), polygons.total())):
        if reader.options.format == "auto":
            drop_all(reader, mistake, images)
        else:
            reader.ledger.warn(".", mistake, "read as polygons")
    if without:
        images = [image for image in images if image.label_file not in without]
        _report_nameless(reader, len(without), declared)
    if declared.names and not told:
        _note_shared_names(reader, declared.files, images)
    if declared.lists:
        _mark_splits(reader, declared.lists, images)
    return UncheckedSet(images, classes=declared.names, all_images=True)


def _numbers(polygons: Sequence[list[str]]) -> Floats:
    """Return the numbers behind the class of polygons of as many points each, (N, numbers), where all are numbers."""
    rows = []
    for columns in polygons:
        with suppress(ValueError):
            rows.append([float(column) for column in columns[1:]])
    return np.array(rows, np.float64).reshape(len(rows), len(rows[0]) if rows else 0)


def _report_nameless(reader: SourceReader, files: int, declared: Declared) -> None:
    """Report once that class numbers have no names, unless the mistake of the file that should name them is told."""
    if not declared.broken:
        found = f"only class numbers, in {counted(files, 'file')}"
        fix = "add one, or give classes in the order of the indices (`--classes A,B`)"
        why = f"no obj.names, classes.txt or data.yaml; {fix}"
        reader.ledger.problem(".", BadInput("no-class-names", found, why), "all boxes dropped")


def _slack(lines: list[tuple[int, str]]) -> float:
    """Return the most that the rounding of a file's numbers moves an edge, as a fraction of the image."""
    digits = max((len(column.partition(".")[2]) for _, line in lines for column in line.split()[1:]), default=0)
    return 10.0**-digits if _FEWEST_DIGITS <= digits <= _DIGITS else _SLACK


def _note_other_shapes(reader: SourceReader, file: str, lines: list[tuple[int, str]], keypoints: int) -> None:
    """Note the lines of a file that are more than a box."""
    columns = [line.split() for _, line in lines]
    more = sum(len(some) == 5 + keypoints if keypoints else _is_polygon(some) for some in columns)
    if more:
        found = f"{counted(more, 'line')} with {'keypoints' if keypoints else 'polygons or turned boxes'}"
        done = "their boxes taken" if keypoints else "the boxes around them taken"
        why = "only upright boxes are read" + (not keypoints) * "; Roboflow exports those as COCO or Pascal VOC"
        reader.ledger.note(file, BadInput("not-a-box", found, why), done)


def _note_shared_names(reader: SourceReader, files: list[str], images: list[UncheckedImage]) -> None:
    """Note each top folder of labels that gets the class names of a file in another folder."""
    folders = tuple(f"{folder}/" if (folder := posixpath.dirname(name)) else "" for name in files)
    others = (image.label_file for image in images if not image.label_file.startswith(folders))
    without = {label_file.partition("/")[0] if "/" in label_file else "." for label_file in others}
    for folder in sorted(without):
        why = f"it has no class names of its own; those of {files[0]} are used"
        reader.ledger.note(folder, BadInput("class-names-shared", "numbers alone", why), "read")


def _box(line: str, number: int, names: tuple[str, ...], keypoints: int) -> UncheckedBox:
    columns = line.split()
    if keypoints and len(columns) == 5 + keypoints:
        columns = columns[:5]
    if len(columns) != 5 and (keypoints or not _is_polygon(columns)):
        hint = ""
        if len(columns) == 6:
            hint = "; a sixth is a detector's confidence: these are not labels"
        elif "," in line:
            hint = "; separate them by spaces"
        raise BadInput("columns", f"{len(columns)} columns: {shorten(line)}", f"a line has 5: class x y w h{hint}")
    index = parse_integer(columns[0], "the class")
    if not 0 <= index < len(names):
        why = f"allowed: 0 to {len(names) - 1}; correct it, or add its name"
        raise BadInput("unknown-class", f"class {index}", why)
    titles = _FIELDS if len(columns) == 5 else ("x", "y") * (len(columns) // 2)
    values = [parse_number(text, title) for text, title in zip(columns[1:], titles, strict=True)]
    if max(map(abs, values)) > 1.5:
        why = "must be fractions of the image, 0 to 1; these look like pixels: divide by its width and height"
        raise BadInput("pixels-not-fractions", shorten(line), why)
    if len(columns) > 5:
        return UncheckedBox(f"line {number}", names[index], points_corners(values, f"line {number}"))
    x, y, width, height = values
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return UncheckedBox(f"line {number}", names[index], corners)


def _mark_splits(reader: SourceReader, lists: list[tuple[str, str]], images: list[UncheckedImage]) -> None:
    """Note in each image the lists that hold it, in place of what its folders say.

    An image in none keeps the split of a folder beside those named, if no list is of it: `test/images` beside
    `train/images`.
    """
    by_path = {image.path: image for image in images}
    named = {split for split, _ in lists}
    beside = [folder for _, folder in lists if suffix(folder) != ".txt"]
    of_folders = {
        image.path: image.splits
        for image in images
        if not named & {*image.splits} and any(_is_split_beside(posixpath.dirname(image.path), one) for one in beside)
    }
    for image in images:
        image.splits = ()
    listed = {entry: _listed(reader, entry) for entry in dict.fromkeys(entry for _, entry in lists)}
    taught = {path for split, entry in lists if split == "train" for path in listed[entry]}
    for split, entry in lists:
        if split != "train" and taught and taught == {*listed[entry]}:
            error = BadInput("list-is-train", f"list of {split}", "it names the very images of train")
            reader.ledger.note(entry, error, "as if it were not there")
            continue
        for path in listed[entry]:
            if path in by_path:
                by_path[path].add_split(split)
    for image in images:
        image.splits = image.splits or of_folders.get(image.path, ())


def _is_split_beside(folder: str, other: str) -> bool:
    """Tell if two paths have as many folders, of which one differs: a split's name, such as `test` or `val2017`."""
    parts, others = folder.split("/"), other.rstrip("/").split("/")
    differ = [part for part, its in zip(parts, others, strict=False) if part != its]
    return len(parts) == len(others) and len(differ) == 1 and bool(split_of_list(differ[0].rstrip("0123456789")))


def _listed(reader: SourceReader, entry: str) -> list[str]:
    """Return the images of a list file, or of a folder."""
    if suffix(entry) != ".txt" and entry not in reader.source.names:
        prefix = entry.rstrip("/") + "/"
        return [path for path in reader.images.paths if path.startswith(prefix)]
    images = []
    with reader.ledger.reporting(entry, "file dropped"):
        for number, line in numbered_lines(reader.text(entry)):
            with reader.ledger.reporting(entry, "line dropped", f"line {number}"):
                here = posixpath.dirname(entry)
                whole = "/" in line or "\\" in line or is_image(line)
                images.append((reader.listed.find if whole else reader.listed.stem)(line, "", here))
    return images


def write(out: WrittenSet) -> None:
    """Write `labels`, `data.yaml` and, if images have splits, a list for each.

    Fractions have all the digits that the pixels need to come back. YOLO has no place for flags.
    """
    indices = {name: index for index, name in enumerate(out.classes)}
    for item in out.items:
        size = np.tile([item.image.width, item.image.height], 2)
        rows = xyxy_to_cxcywh(item.image.boxes) / size  # (M, 4), fractions
        lines = [
            f"{indices[label]} {' '.join(map(repr, row))}\n"
            for label, row in zip(item.image.labels, rows.tolist(), strict=True)
        ]
        out.text(f"labels/{item.stem}.txt", "".join(lines))
    content = {"path": "."}
    for split, items in out.splits().items():
        content[split] = f"{split}.txt"
        out.text(content[split], "".join(f"./{IMAGES}/{item.name}\n" for item in items))
    names = "".join(f"  {index}: {json.dumps(name, ensure_ascii=False)}\n" for name, index in indices.items())
    head = "".join(f"{key}: {value}\n" for key, value in content.items())
    out.text("data.yaml", f"{head}nc: {len(indices)}\nnames:{' {}' * (not indices)}\n{names}")
