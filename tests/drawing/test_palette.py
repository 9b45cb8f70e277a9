"""Colours: as many as there are classes, and each spelled once, for pictures and pages."""

import re

import numpy as np
from repository import ROOT

from humbleyolo.drawing import palette
from humbleyolo.drawing.palette import class_colour, class_colours, css_properties, hex_colour


def test_colours_of_the_first_classes_differ_and_never_run_out() -> None:
    colours = [class_colour(label) for label in range(28)]
    assert len(set(colours)) == 28
    assert all(0 <= part <= 255 for label in range(1000) for part in class_colour(label))


def test_what_marks_a_cell_is_the_colour_of_no_class() -> None:
    for marks in (palette.RESPONSIBLE, palette.CONFIDENT):
        near = min(np.abs(np.subtract(marks, class_colour(label))).sum() for label in range(40))
        assert near > 100  # of 765 from black to white


def test_pages_get_the_colours_by_name() -> None:
    named = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css_properties()))
    assert named["ground-truth"] == hex_colour(palette.GROUND_TRUTH) == "#ffffff"
    assert [named[f"class-{label}"] for label in range(7)] == class_colours(7)


def test_no_page_spells_a_colour_of_the_palette() -> None:
    colours = [value for value in vars(palette).values() if isinstance(value, tuple) and len(value) == 3]
    spelled = {hex_colour(colour) for colour in [*colours, *map(class_colour, range(7))]} - {"#ffffff"}  # white
    pages = [path for path in (ROOT / "src/humbleyolo").rglob("*.*") if path.suffix in (".css", ".js", ".html")]
    assert len(pages) >= 8
    for path in pages:
        assert not spelled & set(re.findall(r"#[0-9a-f]{6}\b", path.read_text("utf-8").lower())), path
        assert set(re.findall(r"var\((--[\w-]+)", path.read_text("utf-8"))) <= {
            *re.findall(r"(--[\w-]+):", css_properties() + path.read_text("utf-8"))
        }, path
