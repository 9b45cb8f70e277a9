"""The lines of training, without a terminal: they fit 80 columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.training.progress_bar import TrainingProgress

TERMS = ("xy", "wh", "obj", "noobj", "class")  # of the loss with the most


@given(
    st.integers(1, 999), st.lists(st.floats(0, 9.99), min_size=5, max_size=5), st.floats(0, 1), st.integers(1, 10**6)
)
def test_the_line_of_an_epoch_fits_80_columns(epochs: int, losses: list[float], ap: float, images: int) -> None:
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch, TrainingProgress(epochs, images, 1) as progress:
        patch.setattr(progress._bar, "write", lambda line, file: told.append(line))
        terms = {f"train_{name}": value for name, value in zip(TERMS, losses, strict=True)}
        progress.epoch({"epoch": epochs, "train_total": 99.0, **terms, "val_ap": ap, "val_class": 1.0})
    (line,) = told
    assert line.startswith(f"epoch {epochs}/{epochs}: val AP {ap:.3f}; xy {losses[0]:.2f} wh ")
    assert f"class {losses[-1]:.2f}" in line
    assert len(line) <= 80
