"""The tutorial runs twice in one session, with short trainings; the build of the site runs it whole, and compares."""

import argparse
import re
import runpy
import shutil
from pathlib import Path

import pytest
from repository import ROOT

from humbleyolo.cli import COMMANDS

PAGE = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
NOTEBOOKS = runpy.run_path(str(ROOT / "docs/notebooks.py"))
SMALL = """# Title

```python
print(1 + 1)
```

```text
2
```

Prose.

```python
picture(0.25)
```

```text about
near 0.3
```

![A picture](tutorial/small.png)
"""


def made(*outputs: tuple[str, bytes]) -> list[object]:
    return [NOTEBOOKS["Outcome"](*output) for output in outputs]


def test_a_page_becomes_a_notebook_without_what_the_run_makes(tmp_path: Path) -> None:
    notebook = NOTEBOOKS["as_notebook"](SMALL, "small", tmp_path)
    assert notebook.count("```{code-cell} ipython3\n") == 3  # the first goes to the folder
    assert f"%cd -q {tmp_path}" in notebook
    assert "Prose." in notebook
    assert 'href="small.ipynb"' in notebook
    assert 'alt: "A picture"' in notebook
    assert "```text" not in notebook
    assert "small.png" not in notebook


@pytest.mark.parametrize(
    ("outputs", "wrong"),
    [
        ([("2\n", b""), ("near 0.71\n", b"png")], []),  # only the words count
        ([("3\n", b""), ("near 0.3\n", b"png")], ["line 3"]),
        ([("2\n", b""), ("far 0.3\n", b"png")], ["line 13"]),
        ([("2\n", b""), ("near 0.3\n", b"")], ["line 13"]),
        ([("2\n", b"png"), ("near 0.3\n", b"png")], ["line 3"]),
        ([("2\n", b"")], ["2 blocks, but 1 ran"]),
    ],
)
def test_what_a_page_shows_is_compared_with_what_it_makes(outputs: list[tuple[str, bytes]], wrong: list[str]) -> None:
    assert [line.split(":")[0] for line in NOTEBOOKS["differences"](SMALL, made(*outputs))] == wrong


def test_a_recorded_page_shows_what_it_makes(tmp_path: Path) -> None:
    (tmp_path / "tutorial").mkdir()
    outputs = made(("3\n", b""), ("far 0.7\n", b"png"))
    page = NOTEBOOKS["record"](SMALL, outputs, tmp_path)
    assert not list(NOTEBOOKS["differences"](page, outputs))
    assert (tmp_path / "tutorial/small.png").read_bytes() == b"png"
    assert NOTEBOOKS["record"](page, outputs, tmp_path) == page


def test_links_of_a_notebook_in_the_root_lead_into_the_folder() -> None:
    prose = {
        "cell_type": "markdown",
        "source": ["[a](use.md), [b](../README.md), [c](https://x.org/y.md) ![d](t/e.png)"],
    }
    code = {"cell_type": "code", "source": ["x[0](use.md)"]}
    (told, same) = NOTEBOOKS["with_links_into"]({"cells": [prose, code]}, "docs")["cells"]
    assert told["source"] == "[a](docs/use.md), [b](../README.md), [c](https://x.org/y.md) ![d](docs/t/e.png)"
    assert same == code


def test_each_command_of_the_page_can_be_read() -> None:
    """What they do is tested with the page on a first detector."""
    commands = re.findall(r"^uv run (.*)$", PAGE, re.MULTILINE)
    assert [line for line in commands if not line.startswith("humbleyolo ")] == ["--group docs ipython", "dvc repro"]
    for line in commands:
        if line.startswith("humbleyolo "):
            name, *arguments = line.split()[1:]
            parser = argparse.ArgumentParser()
            COMMANDS[name].add_arguments(parser)
            parser.parse_args(arguments)


def test_every_output_stands_behind_a_block() -> None:
    blocks = [match[0] for match in NOTEBOOKS["_CODE"].finditer(PAGE)]
    for kind in (r"^```python$", r"^```text", r"\]\(tutorial/"):
        assert len(re.findall(kind, PAGE, re.MULTILINE)) == sum(
            len(re.findall(kind, block, re.MULTILINE)) for block in blocks
        )


def test_every_picture_is_shown() -> None:
    shown = set(re.findall(r"\]\(tutorial/([\w-]+\.png)\)", PAGE))
    assert shown == {path.name for path in (ROOT / "docs/tutorial").iterdir()}


@pytest.mark.slow
def test_it_runs_twice_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    shutil.copytree(ROOT / "data/fonts", tmp_path / "data/fonts")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    before = sorted(tmp_path.rglob("*"))
    page = PAGE.replace("draw_many(1500", "draw_many(32").replace("draw_many(200", "draw_many(20")
    page = re.sub(r"train\((network|young), \d+,", r"train(\1, 1,", page)
    page = re.sub(r"^assert recall.*$", "", page, flags=re.MULTILINE)  # of a network that has learned
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 30
    until_training = [code for code in blocks if page.index(code) < page.index("## 9. Training")]
    names: dict[str, object] = {}
    for code in [*blocks, *until_training]:
        exec(compile(code, "docs/tutorial.md", "exec"), names)
    assert sorted(tmp_path.rglob("*")) == before
