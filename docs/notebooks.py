"""Pages whose Python blocks run: as MyST notebooks, and compared with what they show.

A block of Python is followed by a `text` block with its output, and by the picture that it makes, if there are any.
On GitHub these are seen; in the site, those of the run take their place. `text about` marks output whose numbers
depend on the machine: only its words are compared.
"""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_CODE = re.compile(
    r"^```python\n(?P<code>.*?)^```\n"
    r"(?:\n```text(?P<about> about)?\n(?P<output>.*?)^```\n)?"
    r"(?:\n!\[(?P<alt>[^\]]*)\]\((?P<picture>tutorial/[\w-]+\.png)\)\n)?",
    re.MULTILINE | re.DOTALL,
)
_HEAD = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n"
_DOWNLOAD = '<p><a href="{name}.ipynb" download>This page as a notebook</a>, to run in the root of a clone.</p>\n'
_BESIDE = re.compile(r"\]\((?=[\w/-]+\.(?:md|png))")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


class Outcome(NamedTuple):
    """What a block has made."""

    output: str
    picture: bytes  # PNG; empty: none


def as_notebook(page: str, name: str, folder: Path) -> str:
    """Return a page of this name as a MyST notebook that runs in a folder."""

    def cell(found: re.Match[str]) -> str:
        alt = f'---\nmystnb:\n  image:\n    alt: "{found["alt"]}"\n---\n' if found["alt"] else ""
        return f"```{{code-cell}} ipython3\n{alt}{found['code']}```\n"

    first = f"```{{code-cell}} ipython3\n:tags: [remove-cell]\n%cd -q {folder}\n```\n\n"
    title, rest = page.split("\n", 1)
    return f"{_HEAD}{title}\n\n{first}{_DOWNLOAD.format(name=name)}\n{_CODE.sub(cell, rest)}"


def without_folder(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook that has run without its cell that goes to the folder."""
    return notebook | {
        "cells": [cell for cell in notebook["cells"] if "remove-cell" not in cell["metadata"].get("tags", [])]
    }


def with_links_into(notebook: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return a notebook for the folder above its own: links to pages and pictures beside it lead into its folder."""
    cells = [
        cell | {"source": _BESIDE.sub(f"]({folder}/", "".join(cell["source"])).replace("/readme.md", "/../README.md")}
        if cell["cell_type"] == "markdown"
        else cell
        for cell in notebook["cells"]
    ]
    return notebook | {"cells": cells}


def outcomes(notebook: dict[str, Any]) -> list[Outcome]:
    """Return what each cell of such a notebook has made."""
    found = []
    for cell in [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]:
        streams = ["".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream"]
        pictures = [
            output["data"]["image/png"] for output in cell["outputs"] if "image/png" in output.get("data", {})
        ]
        found.append(Outcome("".join(streams), base64.b64decode("".join(pictures))))
    return found


def differences(page: str, made: list[Outcome]) -> Iterator[str]:
    """Yield a line for each block whose outcome is not what the page shows."""
    blocks = list(_CODE.finditer(page))
    if len(blocks) != len(made):
        yield f"{len(blocks)} blocks, but {len(made)} ran"
    for block, outcome in zip(blocks, made, strict=False):
        shown, printed = block["output"] or "", outcome.output
        if block["about"]:
            shown, printed = _NUMBER.sub("#", shown), _NUMBER.sub("#", printed)
        if shown != printed or bool(block["picture"]) != bool(outcome.picture):
            line = page.count("\n", 0, block.start()) + 1
            picture = "with" if outcome.picture else "without"
            yield f"line {line}: the block makes, {picture} a picture,\n{outcome.output}"


def record(page: str, made: list[Outcome], folder: Path) -> str:
    """Write the pictures that were made below a folder, and return the page with what was printed."""
    each = iter(made)

    def rewrite(block: re.Match[str]) -> str:
        outcome = next(each)
        if block["picture"]:
            (folder / block["picture"]).write_bytes(outcome.picture)
        if block["output"] is None:
            return block[0]
        start, end = (place - block.start() for place in block.span("output"))
        return block[0][:start] + outcome.output + block[0][end:]

    return _CODE.sub(rewrite, page)
