"""Colours: as many as there are classes, each named once, in CSS too."""

from humbleyolo.drawing.palette import class_colour


def test_colours_of_the_first_classes_differ_and_never_run_out() -> None:
    colours = [class_colour(label) for label in range(28)]
    assert len(set(colours)) == 28
    assert all(0 <= part <= 255 for label in range(1000) for part in class_colour(label))
