"""Fixtures of videos."""

from collections.abc import Iterator

import pytest
from clips import Visits


@pytest.fixture
def visits() -> Iterator[Visits]:
    """A door that nothing should knock at."""
    one = Visits()
    yield one
    one.door.close()
