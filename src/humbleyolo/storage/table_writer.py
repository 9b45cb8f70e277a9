"""Tables written as CSV."""

from pathlib import Path

import pandas as pd

from humbleyolo.storage.atomic import atomic_write


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, the same bytes on every system; values that do not exist are empty."""
    with atomic_write(path) as file:
        file.write(table.to_csv(index=False, lineterminator="\n").encode("utf-8", "surrogatepass"))
