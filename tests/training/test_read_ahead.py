"""Items that a thread makes ahead: the order, the number made ahead, and what becomes of errors."""

import threading
from collections.abc import Iterator

import pytest

from humbleyolo.training.read_ahead import one_ahead

MOST_S = 30.0


def test_items_come_in_order_and_only_once() -> None:
    assert list(one_ahead(iter(range(100)))) == list(range(100))
    assert list(one_ahead(iter([None, 0]))) == [None, 0]
    assert list(one_ahead(iter(()))) == []


def test_the_next_item_is_made_while_this_one_is_used_and_no_further_one() -> None:
    made = [threading.Event() for _ in range(4)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    ahead = one_ahead(items())
    assert next(ahead) == 0
    assert made[1].wait(MOST_S)
    assert not made[2].wait(0.1)
    assert next(ahead) == 1
    assert made[2].wait(MOST_S)
    ahead.close()
    assert not made[3].is_set()


def test_an_error_comes_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise OSError("gone")

    before = threading.active_count()
    ahead = one_ahead(items())
    assert next(ahead) == 0
    with pytest.raises(OSError, match="gone"):
        next(ahead)
    assert threading.active_count() == before
