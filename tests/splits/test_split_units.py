"""Units of images that stay together: joined, and cut at the fractions."""

from itertools import accumulate, pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.splits.split_units import cut, join_units, target_ends

FRACTIONS = st.sampled_from([(0.7, 0.15, 0.15), (0.4, 0.3, 0.3), (0.9, 0.05, 0.05), (0.34, 0.33, 0.33), (0.8, 0.2)])
SEEDS = st.integers(0, 2**63 - 1)
SIZES = st.one_of(
    st.lists(st.integers(1, 40), min_size=3, max_size=40),
    st.lists(st.sampled_from([1, 1, 30]), min_size=3, max_size=40),
)


def images_of(sizes: list[int], parts: list[int], count: int) -> list[int]:
    return [sum(size for size, part in zip(sizes, parts, strict=True) if part == own) for own in range(count)]


def wanted(images: int, fractions: tuple[float, ...]) -> list[int]:
    return [after - before for before, after in pairwise([0, *target_ends(images, fractions)])]


def parts_of(sizes: list[int], fractions: tuple[float, ...], seed: int, strata: list[str] | None = None) -> list[int]:
    return cut(sizes, [f"{unit}" for unit in range(len(sizes))], fractions, seed, strata)


def test_the_counts_of_120_images() -> None:
    counts = [images_of([1] * 120, parts_of([1] * 120, (0.7, 0.15, 0.15), seed), 3) for seed in range(5)]
    assert counts == [[84, 18, 18]] * 5


@given(st.integers(3, 400), FRACTIONS, SEEDS)
def test_single_images_are_cut_at_the_exact_counts(images: int, fractions: tuple[float, ...], seed: int) -> None:
    counts = images_of([1] * images, parts_of([1] * images, fractions, seed), len(fractions))
    assert counts == wanted(images, fractions)
    assert sum(counts) == images
    for count, fraction in zip(counts, fractions, strict=True):
        assert count == 1 or abs(count - images * fraction) < 2


@given(SIZES, FRACTIONS, SEEDS)
def test_counts_are_right_to_within_the_largest_unit(
    sizes: list[int], fractions: tuple[float, ...], seed: int
) -> None:
    counts = images_of(sizes, parts_of(sizes, fractions, seed), len(fractions))
    targets = wanted(sum(sizes), fractions)
    assert min(counts) > 0
    if sum(size <= max(1, min(targets[1:])) for size in sizes) >= len(fractions) - 1:  # enough small ones
        assert max(abs(count - target) for count, target in zip(counts, targets, strict=True)) <= max(sizes)


@given(SIZES, FRACTIONS, SEEDS, st.integers(0, 10**6))
def test_one_image_more_moves_few_others(
    sizes: list[int], fractions: tuple[float, ...], seed: int, number: int
) -> None:
    keys = [f"{unit}" for unit in range(len(sizes))]
    before = cut(sizes, keys, fractions, seed, None)
    after = cut([*sizes, 1], [*keys, f"new {number}"], fractions, seed, None)
    moved = sum(size for size, one, two in zip(sizes, before, after, strict=False) if one != two)
    assert moved <= (len(fractions) - 1 if max(sizes) == 1 else 5 * max(sizes))
    single = cut([1] * len(sizes), keys, fractions, seed, None)
    more = cut([1] * (len(sizes) + 1), [*keys, f"new {number}"], fractions, seed, None)
    assert sum(one != two for one, two in zip(single, more, strict=False)) <= len(fractions) - 1


@given(SIZES, FRACTIONS, SEEDS, st.randoms(use_true_random=False))
def test_the_order_decides_nothing_and_the_seed_does(
    sizes: list[int], fractions: tuple[float, ...], seed: int, random: Random
) -> None:
    units = [(size, f"{unit}", "ab"[unit % 2]) for unit, size in enumerate(sizes)]
    shuffled = list(units)
    random.shuffle(shuffled)
    for stratified in (False, True):
        found = []
        for some in (units, shuffled):
            strata = [one[2] for one in some] if stratified else None
            parts = cut([one[0] for one in some], [one[1] for one in some], fractions, seed, strata)
            found.append({one[1]: part for one, part in zip(some, parts, strict=True)})
        assert found[0] == found[1]


def test_another_seed_gives_another_split() -> None:
    assert parts_of([1] * 100, (0.7, 0.15, 0.15), 1) != parts_of([1] * 100, (0.7, 0.15, 0.15), 2)


@given(st.lists(st.integers(1, 200), min_size=2, max_size=4), FRACTIONS, SEEDS)
def test_each_part_gets_its_share_of_each_stratum(totals: list[int], fractions: tuple[float, ...], seed: int) -> None:
    strata = [name for name, total in zip("abcd", totals, strict=False) for _ in range(total)]
    parts = parts_of([1] * len(strata), fractions, seed, strata)
    if len(strata) >= len(fractions):
        assert [parts.count(part) for part in range(len(fractions))] == wanted(len(strata), fractions)
    for name, total in zip("abcd", totals, strict=False):
        own = [part for part, stratum in zip(parts, strata, strict=True) if stratum == name]
        for end, share in enumerate(accumulate(fractions)):
            assert abs(sum(part <= end for part in own) - total * share) <= 1.5 + len(totals) / 2


def test_strata_of_few_images_add_up() -> None:
    """Each of 60 classes of 4 images: none can have its share, all together do."""
    parts = parts_of([1] * 240, (0.7, 0.15, 0.15), 1, [f"{unit // 4}" for unit in range(240)])
    assert [parts.count(part) for part in range(3)] == [168, 36, 36]


def test_a_unit_too_large_for_the_smallest_part_goes_to_the_first() -> None:
    for seed in range(100):
        counts = images_of([1, 1, 50, 1, 1, 50], parts_of([1, 1, 50, 1, 1, 50], (0.7, 0.15, 0.15), seed), 3)
        assert counts[0] >= 50
    assert [parts_of([9] * units, (0.7, 0.15, 0.15), 1) for units in (1, 0)] == [[0], []]


@given(
    st.lists(st.sampled_from("abcdefghij"), max_size=30).flatmap(
        lambda keys: st.tuples(
            st.just(keys),
            st.lists(st.lists(st.integers(0, max(len(keys) - 1, 0)), min_size=2, max_size=4), max_size=5),
        )
    )
)
def test_what_is_linked_is_one_unit(given_units: tuple[list[str], list[list[int]]]) -> None:
    keys, groups = given_units
    indices = [3 * place for place in range(len(keys))]
    linked = [{index} for index in indices]  # the oracle: sets merged until none overlap
    for members in [*([3 * place for place in group] for group in groups if keys), *(
        [index for index, key in zip(indices, keys, strict=True) if key == name] for name in set(keys)
    )]:  # fmt: skip
        inside = [some for some in linked if some & set(members)]
        linked = [some for some in linked if not some & set(members)] + [set().union(*inside)]
    units = join_units(
        dict(zip(indices, keys, strict=True)), [[3 * place for place in group] for group in groups if keys]
    )
    assert sorted(units) == sorted(sorted(some) for some in linked)


def test_fractions_of_two_parts() -> None:
    assert target_ends(100, (0.7 / 0.85, 0.15 / 0.85)) == [82, 100]


def test_one_image_more_brings_no_large_unit_back_to_its_place() -> None:
    sizes = [18, 18] + [1] * 82  # val and test are to have 17 or 18
    keys = [str(number) for number in range(len(sizes) + 1)]
    for seed in range(20):
        before = cut(sizes, keys[:-1], (0.7, 0.15, 0.15), seed, None)
        after = cut([*sizes, 1], keys, (0.7, 0.15, 0.15), seed, None)
        moved = sum(size for size, one, other in zip(sizes, before, after[:-1], strict=True) if one != other)
        assert moved <= 2
