"""Splits that networks are trained on in no time."""

import pytest
from small_training import ODD, TINY, draw_split

from humbleyolo.dataset.encoded_split import EncodedSplit


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return draw_split(tmp_path_factory.mktemp("odd"), ODD, 16)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    return draw_split(tmp_path_factory.mktemp("tiny"), TINY, 10, objects=1)
