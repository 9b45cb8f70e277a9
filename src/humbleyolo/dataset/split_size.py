"""The size of a split that scores can be told from."""

FEWEST = 16
"""Least number of images, and of objects, of val or test: of fewer, a share of one half is off by 0.25 and more.

That is half of the 95 % interval of a share, 1.96 x 0.5 / the root of their number. It is that of AP, roughly.
"""


def is_small(images: int, objects: int) -> bool:
    """Tell if a split with so many images and objects is too small to tell a good model from a bad one."""
    return min(images, objects) < FEWEST
