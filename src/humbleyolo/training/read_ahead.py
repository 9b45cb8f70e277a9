"""Work ahead by one: the next batch is read and decoded while a step computes on this one."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def one_ahead(items: Iterator[Item]) -> Generator[Item]:
    """Yield items in their order; a thread makes the next one meanwhile. What it raises comes in its place.

    Closed early, it waits for the item that is being made.
    """
    none = object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, none)
        while (item := coming.result()) is not none:
            coming = thread.submit(next, items, none)
            yield item  # type: ignore[misc] # it is not none
