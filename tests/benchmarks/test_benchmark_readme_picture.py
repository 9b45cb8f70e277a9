"""The README's picture is drawn from two runs, and small enough to load at once."""

import sys

from evaluated_project import make_project
from PIL import Image
from repository import ROOT

from benchmarks import readme_picture


def test_it_shows_test_images_of_both_runs(tmp_path, monkeypatch, capsys):
    for run in ("words", "photographs"):
        make_project(tmp_path / run / "data", images=9)
    monkeypatch.setattr(readme_picture, "ROOT", tmp_path / "words")
    monkeypatch.setattr(readme_picture, "PICTURE", tmp_path / "picture.png")
    monkeypatch.setattr(sys, "argv", ["readme_picture", str(tmp_path / "photographs"), "--photographs", "3", "5"])
    readme_picture.main()
    with Image.open(tmp_path / "picture.png") as picture:
        assert f"{picture.width} x {picture.height} pixels" in capsys.readouterr().out
        assert len(picture.convert("RGB").getcolors()) > 20


def test_the_committed_picture_is_small():
    assert readme_picture.PICTURE == ROOT / "docs/detections.png"
    assert readme_picture.PICTURE.stat().st_size < 300_000
