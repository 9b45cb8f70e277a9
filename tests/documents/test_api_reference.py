"""The site's reference is of modules that exist; its build shows if their docstrings can be read."""

import importlib.util
import re

from repository import ROOT

REFERENCE = (ROOT / "docs/api.rst").read_text(encoding="utf-8")
INDEX = (ROOT / "docs/index.rst").read_text(encoding="utf-8")


def test_every_module_of_the_reference_exists() -> None:
    modules = re.findall(r"^\.\. automodule:: (\S+)$", REFERENCE, re.MULTILINE)
    assert {"humbleyolo.detection.detector", "humbleyolo.detection.result", "humbleyolo.errors"} <= set(modules)
    for module in modules:
        assert importlib.util.find_spec(module), module


def test_every_module_of_the_reference_shows_its_members() -> None:
    directives = re.split(r"^\.\. ", REFERENCE, flags=re.MULTILINE)
    bare = [one.split()[1] for one in directives if one.startswith("automodule::") and "   :members:" not in one]
    assert bare == []


def test_every_page_is_in_the_site_once() -> None:
    pages = re.findall(r"^   ([\w-]+)$", INDEX, re.MULTILINE)
    assert sorted(pages) == sorted(
        path.stem for kind in ("*.md", "*.rst") for path in (ROOT / "docs").glob(kind) if path.stem != "index"
    )
