"""Near-duplicates are found through other formats, sizes, noise and brightness; other pictures are not."""

import io

import numpy as np
from folders import photo
from PIL import Image, ImageEnhance

from humbleyolo.labels.image_info import ImageInfo, inspect_image
from humbleyolo.labels.near_duplicates import find_near_duplicates


def encoded(image: Image.Image, kind: str = "PNG", **options: int) -> ImageInfo:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return inspect_image(file.getvalue())


def test_near_duplicates_are_found_and_other_pictures_are_not() -> None:
    """Recall and precision on 100 photographs, each with five kinds of copies."""
    photos = [photo(seed) for seed in range(100)]
    facts = [encoded(one) for one in photos]
    noisy = np.random.default_rng(0).normal(0, 4, (90, 120, 3))
    copies = [
        copy
        for one in photos[:20]
        for copy in (
            encoded(one, "BMP"),
            encoded(one, "JPEG", quality=50),
            encoded(one.resize((100, 75))),
            encoded(ImageEnhance.Brightness(one).enhance(1.05)),
            encoded(Image.fromarray(np.clip(np.asarray(one) + noisy, 0, 255).astype(np.uint8))),
        )
    ]
    pairs = {(pair.first, pair.second) for pair in find_near_duplicates(facts + copies)}
    truth = {(n, 100 + n * 5 + k) for n in range(20) for k in range(5)}
    truth |= {(100 + n * 5 + j, 100 + n * 5 + k) for n in range(20) for k in range(5) for j in range(k)}
    assert pairs == truth


def test_words_on_black_are_not_all_alike() -> None:
    """Sparse pictures: few pixels differ, and all of them matter."""
    facts = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        pixels = np.zeros((64, 64), np.uint8)
        for _ in range(3):
            x, y = rng.integers(0, 44, 2)
            pixels[y : y + 9, x : x + 20] = rng.integers(0, 2, (9, 20)) * 255
        facts.append(encoded(Image.fromarray(pixels)))
    assert not find_near_duplicates(facts)


def test_plain_pictures() -> None:
    facts = [encoded(Image.new("L", (50, 50), grey)) for grey in (0, 0, 128, 255)]
    assert [(pair.first, pair.second, pair.same) for pair in find_near_duplicates(facts)] == [(0, 1, True)]
