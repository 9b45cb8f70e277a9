"""The commands of docs/first-detector.md, one after the other, on a small folder, and what the page shows of them."""

import re
from pathlib import Path

import numpy as np
import pytest
from documents import blocks
from PIL import Image, ImageDraw
from repository import ROOT
from tiny_project import Project

PAGE = (ROOT / "docs/first-detector.md").read_text(encoding="utf-8")
COMMANDS = [line for block in blocks(PAGE) for line in block.splitlines()]
CARDS = {"ace": "red", "jack": "lime", "king": "blue", "nine": "yellow", "queen": "cyan", "ten": "magenta"}
SIZES = ((126, 168), (168, 126), (84, 84))  # width, height; the last of one image
SMALL = "; val and test are too small to judge a model: label more"  # as the page's are not
OF_THE_DATA = "next: boxes that fit badly cost"  # what costs most is another thing for a network of a few steps


def label_cards(folder: Path) -> None:
    """Make photographs of cards as the page has them: two splits, XML beside images, the same in tables, look-alikes.

    A card is a rectangle in its class's colour. A few labels are wrong.
    """
    for split, count in (("train", 60), ("test", 14)):
        (folder / split).mkdir(parents=True)
        rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
        for number in range(count):
            file = f"IMG_{number + 100 * (split == 'test')}"
            twin = number - number % 20 if number % 20 == 1 else number  # 1 and 21 look like 0 and 20
            rng = np.random.default_rng([twin, split == "test"])
            size = SIZES[2] if (split, number) == ("test", 3) else SIZES[number % 5 == 4]
            noise = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
            image, objects = noise.resize(size, Image.Resampling.BICUBIC), ""
            for place in range(2):
                left, top = (int(rng.integers(2, side // 2 - 24) + place * side // 2) for side in size)
                wide, high = (int(side) for side in rng.integers(16, 22, 2))
                name = list(CARDS)[(2 * twin + place) % 6]
                ImageDraw.Draw(image).rectangle((left, top, left + wide - 1, top + high - 1), fill=CARDS[name])
                told = "jack" if name == "ace" and twin in (30, 33, 36) else name
                corners = {"xmin": left, "ymin": top, "xmax": left + wide, "ymax": top + high}
                box = "".join(f"<{key}>{value}</{key}>" for key, value in corners.items())
                objects += f"\n<object><name>{told}</name><bndbox>{box}</bndbox></object>"
                rows.append(f"{file}.JPG,{size[0]},{size[1]},{told},{','.join(map(str, corners.values()))}")
            image.save(folder / split / f"{file}.JPG", quality=95 - 3 * (number - twin))
            sides = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
            xml = f"<annotation><filename>{file}.JPG</filename>{sides}{objects}\n</annotation>\n"
            (folder / split / f"{file}.xml").write_text(xml)
        (folder / f"{split}_labels.csv").write_text("\n".join(rows) + "\n")


def skeleton(text: str) -> str:
    """Return a text in one line, without what depends on the data and on the machine."""
    text = re.sub(r",\s+(?:if\s+idle\s+\(busy:\s+\S+\s+s\)|as\s+measured\s+here)", "", text)
    text = re.sub(r"(?:(?:train|test)/)?IMG_\d+\.\w+", "FILE", text)
    text = re.sub(rf"\b(?:{'|'.join(CARDS)})\b", "CARD", text)
    text = " ".join(re.sub(r"\d[\d,]*(?:\.\d+)?", "#", text).split())
    return re.sub(r"# (?:box-shifted|class-swapped)(?:, # class-swapped)?", "# DOUBTED", text)


def shown() -> dict[str, list[str]]:
    """Return the lines that the page shows below each command, without the dots of those left out."""
    found = {}
    for command, block in re.findall(r"^```console\nuv run (.*?)\n```\n\n```text\n(.*?)^```$", PAGE, re.M | re.S):
        lines = re.sub(r",\s+if idle \(.*?\)", "", block, flags=re.S).splitlines()
        found[command.split()[1]] = [line for line in lines if line != "..." and not line.startswith(OF_THE_DATA)]
    return found


@pytest.mark.slow
def test_each_command_works_as_written_and_prints_what_the_page_shows(tmp_path: Path) -> None:
    project = Project.create(tmp_path)
    label_cards(tmp_path / "data/labelled/cards")
    said = {}
    for command in COMMANDS:
        short = re.sub(r"--minutes \S+", "--minutes 0.4", command.removeprefix("uv run "))
        done = project.command(*short.split(), check=True)
        said[short.split()[1]] = done.stdout if "repro" not in short else done.stdout + done.stderr
    assert list(said) == ["check", "init", "repro", "score"]
    for made in ("cards.html", "data/model/augmented.png", "data/render/report.html"):
        assert (tmp_path / made).stat().st_size > 1000
    assert "# init: " in (tmp_path / "params.yaml").read_text()

    page = shown()
    assert list(page) == ["check", "init", "repro"]
    for command, lines in page.items():
        printed, stale = skeleton(said[command].replace(SMALL, "")), []
        for line in lines:
            cut = line.rpartition(" ")[0] if line.endswith("...") else line  # a name that was shortened
            if skeleton(cut) not in printed:
                stale.append(line)
        assert stale == [], said[command]
