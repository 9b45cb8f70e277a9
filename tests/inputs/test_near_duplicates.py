"""Near-duplicates are found through other formats, sizes, noise, brightness and mirroring; other pictures are not."""

import io
import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from folders import photo
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from humbleyolo.inputs import near_duplicates
from humbleyolo.inputs.image_info import ImageInfo, inspect_image, perceptual_hash
from humbleyolo.inputs.near_duplicates import find_copies, find_near_duplicates, unite
from humbleyolo.storage.array_types import Bools, Uint8s


def encoded(image: Image.Image, kind: str = "PNG", **options: int) -> ImageInfo:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return inspect_image(file.getvalue())


def scene(count: int, seed: int = 0) -> list[ImageInfo]:
    """Pictures of one camera."""
    rng = np.random.default_rng(seed)
    still = np.asarray(photo(seed).convert("L").resize((32, 32)), int)
    thumbs = np.clip(still + rng.normal(0, 2, (count, 32, 32)), 0, 255).astype(np.uint8)
    return [ImageInfo("PNG", 1, 1, 1, f"{seed}:{n}", perceptual_hash(one), one) for n, one in enumerate(thumbs)]


def test_near_duplicates_are_found_and_other_pictures_are_not() -> None:
    """Recall and precision on 50 photographs, a few with six kinds of copies."""
    photos = [photo(seed) for seed in range(50)]
    facts = [encoded(one) for one in photos]
    noisy = np.random.default_rng(0).normal(0, 4, (90, 120, 3))
    copies = [
        copy
        for one in photos[:10]
        for copy in (
            encoded(one, "BMP"),
            encoded(one, "JPEG", quality=50),
            encoded(one.resize((100, 75))),
            encoded(ImageEnhance.Brightness(one).enhance(1.05)),
            encoded(Image.fromarray(np.clip(np.asarray(one) + noisy, 0, 255).astype(np.uint8))),
            encoded(ImageOps.mirror(one), "JPEG", quality=80),
        )
    ]
    truth = [[n, *range(50 + n * 6, 56 + n * 6)] for n in range(10)]
    assert find_near_duplicates(facts + copies) == truth
    order = np.random.default_rng(1).permutation(110).tolist()
    shuffled = find_near_duplicates([(facts + copies)[index] for index in order])
    assert sorted(sorted(order[index] for index in members) for members in shuffled) == truth


def test_each_kind_of_copy_is_found_by_itself() -> None:
    for seed in range(8):
        one = photo(seed)
        for other in (ImageOps.mirror(one), one.resize((64, 48)), ImageOps.mirror(one.resize((60, 45)))):
            assert find_near_duplicates([encoded(one), encoded(other)]) == [[0, 1]]
        for other in (ImageOps.flip(one), one.rotate(90, expand=True), one.crop((30, 20, 120, 90))):
            assert not find_near_duplicates([encoded(one), encoded(other)])


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


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_other_pictures_beside_a_pair_do_not_change_how_alike_it_is(seed: int, others: int) -> None:
    """The limit is laid just above and below the correlation, counted in whole numbers."""
    rng = np.random.default_rng(seed)
    thumbs = rng.integers(0, 256, (others, 32, 32)).astype(np.uint8)
    thumbs[-1] = np.clip(thumbs[0] + rng.integers(-20, 21, (32, 32)), 0, 255)
    one, other = (thumb.astype(object).ravel() for thumb in (thumbs[0], thumbs[-1]))
    common, *squares = (
        1024 * (x * y).sum() - x.sum() * y.sum() for x, y in ((one, other), (one, one), (other, other))
    )
    correlation = common / math.sqrt(squares[0] * squares[1])
    for limit, expected in ((correlation * (1 - 1e-12), True), (correlation * (1 + 1e-12), False)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(near_duplicates, "_CORRELATION", limit)
            assert near_duplicates._alike(thumbs, thumbs)[0, -1] == expected
            assert near_duplicates._alike(thumbs[:1], thumbs[-1:])[0, 0] == expected


def test_plain_pictures() -> None:
    facts = [encoded(Image.new("L", (50, 50), grey)) for grey in (0, 0, 128, 255)]
    assert find_near_duplicates(facts) == find_copies(facts) == [[0, 1]]
    assert find_near_duplicates([]) == find_near_duplicates(facts[:1]) == []


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = [*scene(12), *scene(9, 1), *scene(1, 2), replace(scene(1, 3)[0], sha256="0:5")]
    found = find_near_duplicates(facts)
    assert found == [[*range(12), 22], [*range(12, 21)]]  # the last is said to be the same file as the sixth
    for block in (1, 2, 5):
        monkeypatch.setattr(near_duplicates, "_BLOCK", block)
        assert find_near_duplicates(facts) == found


def test_one_scene_is_not_compared_pair_by_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """All 2 million pairs of 2,000 pictures took 23 s and 800 MiB."""
    facts, compared, alike = scene(2000), [], near_duplicates._alike

    def counted(rows: Uint8s, columns: Uint8s) -> Bools:
        compared.append(len(rows) * len(columns))
        return alike(rows, columns)

    monkeypatch.setattr(near_duplicates, "_alike", counted)
    tracemalloc.start()
    assert find_near_duplicates(facts) == [[*range(2000)]]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e7
    assert sum(compared) <= 2000 * near_duplicates._BLOCK


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_linked_images_have_one_label(links: list[tuple[int, int]]) -> None:
    labels = np.arange(20)
    unite(labels, *np.array(links, np.int64).reshape(-1, 2).T)
    groups = [{index} for index in range(20)]
    for one, two in links:
        joined = {*next(some for some in groups if one in some), *next(some for some in groups if two in some)}
        groups = [some for some in groups if not some & joined] + [joined]
    assert {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())} == {
        frozenset(some) for some in groups
    }
    assert all(label in np.flatnonzero(labels == label) for label in set(labels.tolist()))
