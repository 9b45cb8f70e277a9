"""The site: uv run --group docs sphinx-build -W docs site/html.

With `-D record=1`, the pages that run get what they print and draw written into them.
"""

import json
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS), str(DOCS.parent / "src")]

import notebooks  # noqa: E402

project = "humbleyolo"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["**/.*"]
html_theme = "furo"
html_title = project
html_copy_source = False
html_show_search_summary = False  # it would be fetched, which a page in a file may not
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 1200
nb_execution_raise_on_error = True
nb_execution_show_tb = True
autodoc_member_order = "bysource"
napoleon_use_ivar = True  # attributes once, not in the class's text and again after it
EXECUTED = ["tutorial"]
_IMAGE = re.compile(r'<img src="docs/(?P<file>[^"]+)"[^>]* alt="(?P<alt>[^"]+)">')
_ELSEWHERE = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?!https?:|#)(?![a-z-]+\.(?:md|png))[^)]*\)")  # of no page


def run_pages(_app: Sphinx, name: str, source: list[str]) -> None:
    """Make notebooks of the pages that run, and a page of README, to which links lead."""
    if name in EXECUTED:
        source[0] = notebooks.as_notebook(source[0], name, DOCS.parent)
    if name == "readme":
        text = (DOCS.parent / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")
        source[0] = _ELSEWHERE.sub(r"\g<text>", _IMAGE.sub(r"![\g<alt>](\g<file>)", text))
    source[0] = source[0].replace("](../README.md", "](readme.md")


def compare_pages(app: Sphinx, error: Exception | None) -> None:
    """Compare what the pages made with what they show, or record it."""
    for name in [] if error else EXECUTED:
        page, out = DOCS / f"{name}.md", Path(app.outdir)
        ran = json.loads((out.parent / f"jupyter_execute/{name}.ipynb").read_text(encoding="utf-8"))
        notebook = notebooks.without_folder(ran)
        shared = json.dumps(notebooks.with_links_into(notebook, DOCS.name), indent=1)
        (out / f"{name}.ipynb").write_text(shared, encoding="utf-8")
        text, made = page.read_text(encoding="utf-8"), notebooks.outcomes(notebook)
        if app.config.record:
            page.write_text(notebooks.record(text, made, DOCS), encoding="utf-8")
        elif found := list(notebooks.differences(text, made)):
            raise ExtensionError(f"{page}:\n" + "\n".join(found) + "\nfix: see them, then build with -D record=1")


def write_formula(writer: HTML5Translator, node: nodes.Element) -> None:
    """Write a formula as MathML, which browsers show without a program from elsewhere."""
    block = isinstance(node, nodes.math_block)
    formula = tex2mathml(node.astext(), as_block=block)
    formula = formula.replace("<mtd>", '<mtd style="text-align: left">')
    writer.body.append(f'<div style="margin: 1rem 0">{formula}</div>' if block else formula)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Connect the above."""
    app.add_config_value("record", False, "", bool)
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))
    app.connect("source-read", run_pages)
    app.connect("build-finished", compare_pages)
