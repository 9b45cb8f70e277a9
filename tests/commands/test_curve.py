"""`humbleyolo curve`: the worth of more images as a sentence, a table and a page, as a user calls it."""

import csv
import json
import re
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rectangle_project import objects, write_project

from humbleyolo.cli import main
from humbleyolo.commands.curve import _next_step
from humbleyolo.training import planned_runs


@pytest.fixture(autouse=True)
def oracle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Networks that find a part of the objects by the images that they learned; in place of a training."""
    known: dict[str, Any] = {"found": {6: 0.3, 12: 0.5, 24: 0.8}}

    def detect(settings: Any, run: Any, epochs: int, split: Any, network: Any, folder: Path) -> np.ndarray:
        rng = np.random.default_rng(1)
        part = known["found"][len(np.unique(network.seen))]
        rows = [
            [image, label, rng.uniform(0.9, 1), *box]
            for image in network.shown.tolist()
            for box, label in objects(image)
            if rng.uniform() < part
        ]
        return np.array(rows).reshape(-1, 7)

    monkeypatch.setattr(planned_runs, "train_and_detect", detect)
    monkeypatch.setattr(planned_runs, "start_runtime", lambda _: None)
    monkeypatch.chdir(tmp_path)
    return known


def curve(*options: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["curve", "--epochs", "34", *options])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_last_lines_say_what_more_images_are_worth_and_where_it_is_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    write_project(tmp_path)
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace(" epochs: 20", " epochs: 40"))
    before = {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()}
    assert curve() == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    said = " ".join(" ".join(lines).split())
    assert "3 networks of 34 epochs of as many steps (as asked for), scored on 24 boxes on 8 images of val" in said
    assert "note: that is less than train.epochs, 40" in said
    assert [line.split()[0] for line in lines if re.match(r" +\d+ ", line)] == ["6", "12", "24"]
    assert re.search(r"10 more images are worth about 0\.\d\d AP \(-?0\.\d\d to 0\.\d\d\)", said)
    assert "page: curve/curve.html; table: curve/curve.csv; all numbers: curve/curve.json next: label 10 more" in said
    assert {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()} == before
    numbers = json.loads(Path("curve/curve.json").read_text())
    assert numbers["low"] > 0
    with Path("curve/curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["images"] for row in rows] == ["6", "12", "24"]
    assert [float(row["ap"]) for row in rows] == [point["ap"] for point in numbers["points"]]
    page = Path("curve/curve.html").read_text()
    assert numbers["text"] in page
    assert page.count("<circle") == 5
    assert "<script" not in page


def test_a_gain_that_may_be_chance_is_told_as_such(
    tmp_path: Path, oracle: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    oracle["found"] = {6: 0.3, 12: 0.8, 24: 0.8}
    write_project(tmp_path)
    assert curve("--output", "elsewhere") == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    said = " ".join(" ".join(lines).split())
    assert "10 more images are worth about 0.00 AP (0.00 to 0.00): more images of the same" in said
    assert "next: look at the mistakes in data/render/report.html before you label more of the same" in said
    assert Path("elsewhere/curve.html").exists()


def test_trainings_that_are_too_short_say_nothing_but_how_long_it_takes(
    tmp_path: Path, oracle: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    oracle["found"] = {6: 0.3, 12: 0.8, 24: 0.7}
    write_project(tmp_path)
    assert curve("--epochs", "3") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "what more images are worth cannot be told: 18 steps are too few to learn much from" in said
    assert said.endswith("next: give --epochs 34")  # 204 steps; no minutes were given, nor measured
    page = Path("curve/curve.html").read_text()
    assert "more images are worth about" not in said + page
    assert page.count("<circle") == 3


def test_a_training_by_minutes_is_lengthened_by_minutes() -> None:
    learned: Any = SimpleNamespace(epochs=3)
    for longer, said in ((1 / 0.15, "give --minutes 134, or --epochs 20"), (10.01, "give --epochs 31")):
        short: Any = SimpleNamespace(too_short=True, trained=0.15, longer=longer)
        assert _next_step(short, learned, Namespace(epochs=None, minutes=20.0)) == said


def test_networks_that_learned_nothing_leave_no_old_page(
    tmp_path: Path, oracle: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    oracle["found"] = dict.fromkeys((6, 12, 24), 0.0)
    write_project(tmp_path)
    Path("curve").mkdir()
    for name in ("curve.html", "curve.csv", "curve.json", "mine.txt"):
        Path("curve", name).write_text("of other data")
    assert curve() == 2
    assert "nothing can be told: AP on val is 0.000 with all images" in capsys.readouterr().err
    assert {path.name for path in Path("curve").iterdir()} == {"plan.json", "mine.txt"}


@pytest.mark.parametrize(
    ("options", "changes", "said"),
    [
        (("--epochs", "0"), {}, "--epochs 0 is not allowed; allowed: 1 to 100,000"),
        ((), {"resamples: 1000": "resamples: 0"}, "evaluate.resamples is 0, so chance cannot be told"),
        ((), {"batch: 4 ": "batch: 7 "}, "a quarter of the 24 images of train is 6, fewer than train.batch 7"),
        ((), {"rows: 3": "rows: 6"}, "not up to date; run `dvc repro encode`"),
    ],
)
def test_what_cannot_work_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], changes: dict[str, str], said: str
) -> None:
    write_project(tmp_path)
    text = Path("params.yaml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    Path("params.yaml").write_text(text)
    Path("curve").mkdir()
    Path("curve/curve.csv").write_text("of an earlier run")
    assert curve(*options) == 2
    assert said in capsys.readouterr().err
    assert Path("curve/curve.csv").read_text() == "of an earlier run"


def test_outside_a_project_it_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert curve() == 2
    assert "params.yaml: no such file" in capsys.readouterr().err


def test_a_stop_says_that_the_same_command_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    write_project(tmp_path)
    monkeypatch.setattr(planned_runs, "train_and_detect", stopped)
    assert curve() == 130
    assert "the same command resumes here" in capsys.readouterr().err
