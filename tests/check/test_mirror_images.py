"""Mirror images: letters lose their meaning, things that stand either way round do not."""

import io

import numpy as np
import pytest
from folders import Maker, voc
from PIL import Image, ImageDraw, ImageOps

from humbleyolo.check.mirror_images import Mirrored, judge_mirrored
from humbleyolo.drawing.label_font import font
from humbleyolo.labels.joined_source import open_source


def sign(text: str, mirrored: bool, seed: int) -> bytes:
    """A picture of 60 x 60 pixels with two letters on it."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (60, 60), tuple(rng.integers(0, 90, 3).tolist()))
    ImageDraw.Draw(image).text(
        (30, 30), text, font=font(26), fill=tuple(rng.integers(150, 255, 3).tolist()), anchor="mm"
    )
    file = io.BytesIO()
    (ImageOps.mirror(image) if mirrored else image).save(file, "PNG")
    return file.getvalue()


def judged(make: Maker, either_way: bool, texts: tuple[str, ...] = ("bb", "dd")) -> Mirrored | None:
    """The outcome for images mirrored left to right."""
    files: dict[str, bytes | str] = {}
    for number in range(240):
        text = texts[number % len(texts)]
        mirrored = either_way and number % 4 >= 2
        files[f"{number:03}.png"] = sign(text, mirrored, number)
        box = f"{text} 10 10 50 50"
        files[f"{number:03}.xml"] = voc(f"{number:03}.png", box, width=60, height=60)
    folder = make.folder(files)
    labelled = make.open(folder)
    with open_source(folder) as source:
        return judge_mirrored(labelled.images, labelled.classes, source).get("flip")


def test_letters_that_are_each_others_mirror_images_are_told(make: Maker) -> None:
    found = judged(make, either_way=False)
    assert found is not None
    assert found.boxes == 240
    assert found.right > 200
    assert found.hurts


def test_two_classes_among_many_that_are_mirror_images_are_told(make: Maker) -> None:
    found = judged(make, either_way=False, texts=("bb", "dd", "OO", "XX", "II", "HH", "TT", "AA"))
    assert found is not None
    assert found.tells
    assert found.lost - found.won < 0.4 * found.right
    assert found.hurts
    assert {"bb", "dd"} & set(found.hurt)
    assert not {"OO", "XX", "HH"} & set(found.hurt)


def test_things_seen_from_either_side_are_not(make: Maker) -> None:
    found = judged(make, either_way=True, texts=("OO", "XX"))
    assert found is not None
    assert found.right > 200
    assert not found.hurts


def test_one_class_cannot_tell(make: Maker) -> None:
    assert judged(make, either_way=False, texts=("bb",)) is None


@pytest.mark.parametrize(("lost", "won", "hurts"), [(30, 2, True), (10, 2, False), (30, 25, False), (0, 0, False)])
def test_only_a_large_loss_beyond_chance_counts(lost: int, won: int, hurts: bool) -> None:
    assert Mirrored(120, 100, 100 - lost + won, lost, won).hurts == hurts
