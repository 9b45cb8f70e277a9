"""The lines of training, without a terminal: they fit 80 columns."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.training.progress_bar import TrainingProgress, read_epoch

TERMS = ("xy", "wh", "obj", "noobj", "class")  # of the loss with the most


@given(
    st.integers(1, 999),
    st.lists(
        st.floats(0, 9.99) | st.floats(9.9, 1e38) | st.sampled_from([math.inf, math.nan]), min_size=5, max_size=5
    ),
    st.floats(0, 1) | st.none(),
    st.integers(1, 10**6),
)
def test_the_line_of_an_epoch_fits_80_columns(
    epochs: int, losses: list[float], ap: float | None, images: int
) -> None:
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch, TrainingProgress(epochs, images, 1) as progress:
        patch.setattr(progress._bar, "write", lambda line, file: told.append(line))
        terms = {f"train_{name}": value for name, value in zip(TERMS, losses, strict=True)}
        progress.epoch({"epoch": epochs, "train_total": 99.0, **terms, "val_ap": ap, "val_class": 1.0})
    (line,) = told
    score = "no val object" if ap is None else f"val AP {ap:.3f}"
    assert line.startswith(f"epoch {epochs}/{epochs}: {score}; xy ")
    words = line.partition("; ")[2].partition(";")[0].split()
    assert words[::2] == list(TERMS)
    for word, loss in zip(words[1::2], losses, strict=True):
        assert float(word) == pytest.approx(loss, rel=0.005 if 1 < loss < 9999 else 0.5, abs=0.005, nan_ok=True)
    assert len(line) <= 80
    assert read_epoch(line) == (None if ap is None else (epochs, epochs, round(ap, 3)))


def test_other_lines_tell_of_no_epoch() -> None:
    for line in ("", "epoch 12/12: val AP", "epoch 1/9: no val object; xy 1.00", "x epoch 1/9: val AP 0.500; xy 1"):
        assert read_epoch(line) is None


@pytest.mark.parametrize(
    ("terms", "seconds", "rate"),
    [
        (("box", "class"), 0.5, "; 40 img/s"),
        (("box", "class"), 50.0, "; 0.4 img/s"),
        (TERMS, 4.0, "; 5 img/s"),
        (TERMS, 0.5, ""),
    ],
)
def test_the_speed_stands_in_the_line_where_it_fits(terms: tuple[str, ...], seconds: float, rate: str) -> None:
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch, TrainingProgress(9, 20, 1) as progress:
        patch.setattr(progress._bar, "write", lambda line, file: told.append(line))
        patch.setattr("time.monotonic", lambda: progress._started + seconds)
        progress.epoch({"epoch": 1, **{f"train_{name}": 1.0 for name in terms}, "val_ap": 0.5})
    losses = " ".join(f"{name} 1.00" for name in terms)
    assert told == [f"epoch 1/9: val AP 0.500; {losses}{rate}"]


@pytest.mark.parametrize(("ap", "score"), [(0.5, "held-out AP 0.500"), (None, "no held-out object")])
def test_the_images_of_a_score_have_their_own_name(ap: float | None, score: str) -> None:
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch, TrainingProgress(99, 20, 1, "held-out") as progress:
        patch.setattr(progress._bar, "write", lambda line, file: told.append(line))
        progress.epoch({"epoch": 99, **dict.fromkeys((f"train_{name}" for name in TERMS), 1e38), "val_ap": ap})
    assert told[0].startswith(f"epoch 99/99: {score}; xy 1e38")
    assert len(told[0]) <= 80
    assert read_epoch(told[0]) is None  # a search asks for val alone
