"""The tutorial runs from top to bottom and prints what it says it does."""

import contextlib
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from repository import ROOT

PAGES = ROOT / "docs/tutorial.md"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets() -> list[tuple[str, str | None]]:
    """Return each snippet with the output that stands behind it, if any does."""
    blocks = BLOCK.findall(PAGES.read_text(encoding="utf-8"))
    found: list[tuple[str, str | None]] = []
    for kind, text in blocks:
        if kind == "python":
            found.append((text, None))
        else:
            assert found[-1][1] is None
            found[-1] = (found[-1][0], text)
    return found


@pytest.mark.slow
def test_every_snippet_runs_and_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    shutil.copytree(ROOT / "data/fonts", tmp_path / "data/fonts")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, (code, expected) in enumerate(snippets(), 1):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"snippet {number}", "exec"), names)
        assert printed.getvalue() == (expected or ""), f"snippet {number} prints\n{printed.getvalue()}"
    with Image.open("picture.png") as drawn, Image.open(ROOT / "docs/tutorial/picture.png") as shown:
        np.testing.assert_array_equal(np.asarray(drawn), np.asarray(shown))


def test_its_pictures_and_links_are_there() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", PAGES.read_text(encoding="utf-8"))
    assert len(targets) >= 4
    for target in targets:
        assert (PAGES.parent / target).is_file(), target
