"""The words of params.yaml with the article's labels, as a folder that somebody labelled.

python -m benchmarks.article_labels FOLDER [--seed 1]

The images are those that `generate` draws. The article's boxes are about the middle of the word, 10 pixels high and 6
wide per letter, whatever its visible ink measures. So they are in train and val. In test they are the visible ink, to
see the cost of such labels. Read them with `dataset.source: labelled`, `labelled.format: article` and
`labelled.split.by: lists`.
"""

import argparse
from pathlib import Path

from tqdm import tqdm

from humbleyolo.params.loader import load_params
from humbleyolo.params.sections import Synthetic
from humbleyolo.storage.png import encode_png
from humbleyolo.synthetic.fonts import Fonts
from humbleyolo.synthetic.painter import SPLITS, Painter, Word

ROOT = Path(__file__).resolve().parent.parent
LETTER_PX, HEIGHT_PX = 6, 10


def write_folder(folder: Path, params: Synthetic, fonts: Path, seed: int) -> None:
    """Write `<split>/Images/N.PNG` and `<split>/Labels/N.txt` into a new folder.

    Raises:
        FileExistsError: If the folder holds some.
    """
    painter, ink = Painter(params, fonts, seed), Fonts(fonts)
    for split in SPLITS:
        images, labels = folder / split / "Images", folder / split / "Labels"
        images.mkdir(parents=True)
        labels.mkdir()
        for index in tqdm(range(getattr(params.images, split)), split, disable=None, leave=False):
            sample = painter.draw(split, index)
            (images / f"{index:06}.PNG").write_bytes(encode_png(sample.pixels))
            lines = []
            for word in sample.words:
                one_hot = [int(label == word.label) for label in range(len(params.words) + 1)]
                box = _visible(word) if split == "test" else _article(word, params.words[word.label], ink)
                lines += [" ".join(map(str, one_hot)), " ".join(f"{value:g}" for value in box), "1"]
            (labels / f"{index:06}.txt").write_text("\n".join([*lines, "---", ""]))


def _visible(word: Word) -> tuple[float, float, float, float]:
    """Return centre x, y, width and height of the visible ink."""
    left, top, width, height = word.box_ltwh
    return left + width / 2, top + height / 2, width, height


def _article(word: Word, text: str, fonts: Fonts) -> tuple[float, float, float, float]:
    """Return centre x, y, width and height as the article has them."""
    ink = fonts.ink(text, word.font, word.px, word.angle_deg)
    return word.left + ink.width / 2, word.top + ink.height / 2, LETTER_PX * len(text), HEIGHT_PX


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parsed = parser.parse_args()
    (dataset,) = load_params(ROOT / "params.yaml", "dataset")
    write_folder(parsed.folder, dataset.synthetic, ROOT / "data/fonts", parsed.seed)
    print(f"images and labels of {', '.join(SPLITS)} written into {parsed.folder}")


if __name__ == "__main__":
    main()
