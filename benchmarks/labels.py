"""Measure time and memory of reading large labels: a COCO file as large as train2017's, many images, many boxes.

python -m benchmarks.labels FOLDER [--only coco] [--images 118287] [--boxes 860001]

    coco    instances_train2017.json: 450 MB, polygons too, in COCO's own order of lists; the labels alone are read
    auto    `check` of 20,000 small images in YOLO text and in VOC, the format to be found
    boxes   `check --html` of one image with 50,000 boxes of 2,000 classes

FOLDER is made, with the files that it lacks; all are drawn from a seed. Each measurement is a process of its own. To
compare with another commit, set PYTHONPATH to its `src`.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

SEED = 1
CLASSES = 80
_POINTS = 26  # of a polygon, so that 860,001 of them make 450 MB
_HUNDREDTHS = [f"{n / 100:.2f}" for n in range(100 * 640)]
_BLOCK = 10_000  # boxes drawn at a time
_LINK = "http://images.cocodataset.org/train2017/"


def write_coco(folder: Path, images: int, boxes: int) -> None:
    """Write a COCO file as train2017 has it, and its images, which are empty files."""
    rng = np.random.default_rng(SEED)
    (folder / "annotations").mkdir(parents=True)
    (folder / "train2017").mkdir()
    ids = np.sort(rng.choice(600_000, images, replace=False))
    owners = np.sort(rng.integers(0, images, boxes))
    with (folder / "annotations/instances_train2017.json").open("w") as file:
        file.write('{"info": {"year": 2017},"licenses": [{"id": 1,"name": "none","url": ""}],"images": [')
        for place, number in enumerate(ids.tolist()):
            name = f"{number:012}.jpg"
            (folder / "train2017" / name).touch()
            file.write(
                f'{", " * (place > 0)}{{"license": 1,"file_name": "{name}","coco_url": "{_LINK}{name}","height": 480,'
                '"width": 640,"date_captured": "2013-11-14 11:18:45","flickr_url": '
                f'"http://farm1.staticflickr.com/1/{name}","id": {number}}}'
            )
        file.write('],"annotations": [')
        for start in range(0, boxes, _BLOCK):
            edges = (rng.integers(100, 23_900, (_BLOCK, 4)) / 100).tolist()
            points = rng.integers(0, 64_000, (_BLOCK, 2 * _POINTS)).tolist()
            for place, owner in enumerate(owners[start : start + _BLOCK].tolist()):
                left, top, width, height = edges[place]
                number = start + place
                corners = ",".join([_HUNDREDTHS[n] for n in points[place]])
                file.write(
                    f'{", " * (number > 0)}{{"segmentation": [[{corners}]],'
                    f'"area": {width * height / 2},"iscrowd": 0,"image_id": {ids[owner]},'
                    f'"bbox": [{left},{top},{width},{height}],"category_id": {number % CLASSES + 1},'
                    f'"id": {number + 1}}}'
                )
        names = ", ".join(
            f'{{"supercategory": "thing","id": {n},"name": "class {n}"}}' for n in range(1, CLASSES + 1)
        )
        file.write(f'],"categories": [{names}]}}')


def write_many(folder: Path, images: int) -> None:
    """Write small images that differ, each with two boxes, as YOLO text and as VOC, in a folder each."""
    rng = np.random.default_rng(SEED)
    for name in ("yolo", "voc"):
        (folder / name).mkdir(parents=True)
    (folder / "yolo/classes.txt").write_text("cat\ndog\n")
    box = (
        "<object><name>%s</name><bndbox><xmin>4</xmin><ymin>%d</ymin><xmax>20</xmax><ymax>%d</ymax></bndbox></object>"
    )
    for number in range(images):
        pixels = np.kron(rng.integers(0, 256, (8, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
        for name in ("yolo", "voc"):
            Image.fromarray(pixels).save(folder / name / f"{number:06}.jpg")
        (folder / f"yolo/{number:06}.txt").write_text("0 0.25 0.25 0.25 0.25\n1 0.25 0.75 0.25 0.25\n")
        (folder / f"voc/{number:06}.xml").write_text(
            f"<annotation><filename>{number:06}.jpg</filename><size><width>64</width><height>64</height></size>"
            f"{box % ('cat', 8, 24)}{box % ('dog', 40, 56)}</annotation>"
        )


def write_boxes(folder: Path, boxes: int, classes: int) -> None:
    """Write one image with many boxes."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    Image.fromarray(rng.integers(0, 256, (300, 400, 3), np.uint8)).resize((4000, 3000)).save(folder / "a.jpg")
    corners = rng.integers(0, [3940, 2940], (boxes, 2))
    both = np.hstack([corners, corners + rng.integers(8, 50, (boxes, 2))])
    lines = [f"a.jpg,class {n % classes:04},{','.join(map(str, box))}" for n, box in enumerate(both.tolist())]
    (folder / "labels.csv").write_text("\n".join(["image,label,xmin,ymin,xmax,ymax", *lines]) + "\n")


def read_coco(folder: Path) -> str:
    """Find the format of the labels and read them, without their images."""
    from humbleyolo.inputs.joined_source import open_source
    from humbleyolo.inputs.ledger import Ledger
    from humbleyolo.labels.formats import coco
    from humbleyolo.labels.labelled_image import ReadOptions
    from humbleyolo.labels.source_reader import SourceReader

    ledger = Ledger("error")
    with open_source(folder) as source:
        started = time.perf_counter()
        found = coco.detect(source)
        detected = time.perf_counter() - started
        read = coco.read(SourceReader(source, ReadOptions(), ledger))
    boxes = sum(len(image.boxes) for image in read.images)
    return (
        f"{found}; found in {detected:.1f} s; {len(read.images)} images, {boxes} boxes, {len(ledger.rows)} findings"
    )


def check(folder: Path, *options: str) -> str:
    """Run `humbleyolo check`, and return what it prints in short."""
    from contextlib import redirect_stdout, suppress
    from io import StringIO

    from humbleyolo.cli import main

    with redirect_stdout(StringIO()) as printed, suppress(SystemExit):
        main(["check", str(folder), *options])
    lines = printed.getvalue().splitlines()
    return f"{lines[0]}; {len(lines)} lines printed"


MEASURED: dict[str, Callable[[Path], str]] = {
    "coco": read_coco,
    "auto/yolo": check,
    "auto/voc": check,
    "boxes": lambda folder: check(folder, "--html", str(folder.parent / "boxes.html")),
}


def main() -> None:
    """Write the folders that are missing, and print a line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=MEASURED, help="measure this alone")
    parser.add_argument("--images", type=int, default=118_287, help="of the COCO file; default: %(default)s")
    parser.add_argument("--boxes", type=int, default=860_001, help="of the COCO file; default: %(default)s")
    parser.add_argument("--small-images", type=int, default=20_000, help="default: %(default)s")
    parser.add_argument("--once", choices=MEASURED, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        started = time.perf_counter()
        told = MEASURED[given.once](given.folder / given.once)
        seconds, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
        core, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        print(f"{given.once:<10}{seconds:>8.1f} s, {core:.1f} s of a core, {peak:.0f} MiB: {told}")
        return
    writers = {
        "coco": lambda folder: write_coco(folder, given.images, given.boxes),
        "auto": lambda folder: write_many(folder, given.small_images),
        "boxes": lambda folder: write_boxes(folder, 50_000, 2_000),
    }
    for name in [given.only] if given.only else MEASURED:
        folder = given.folder / name.partition("/")[0]
        if not folder.exists():
            writers[folder.name](folder)
        subprocess.run([sys.executable, __file__, str(given.folder), "--once", name], check=True)


if __name__ == "__main__":
    main()
