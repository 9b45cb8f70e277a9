import math
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humbleyolo.report.svg_charts import UNIT, Line, Scale, bar_chart, column_chart, interval_bar, line_chart

finite = st.floats(-1e6, 1e6)


def svg(markup):
    """Parse a chart, which must be well-formed."""
    return ET.fromstring(f"<div>{markup}</div>")


@given(low=finite, span=st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_on_the_axis(low, span):
    scale = Scale("x", low, low + span)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 12
    assert ticks == sorted(set(ticks))
    assert all(low - 1e-6 * (abs(low) + span) <= tick <= low + span * 1.001 + 1e-6 * abs(low) for tick in ticks)


@given(low=st.floats(1e-9, 1e3), factor=st.floats(1.5, 1e12))
def test_logarithmic_ticks_are_powers_of_ten_or_their_double_and_fivefold(low, factor):
    ticks = Scale("x", low, low * factor, log=True).ticks()
    assert len(ticks) <= 10
    for tick in ticks:
        assert low <= tick <= low * factor
        assert any(math.isclose(tick, n * 10.0 ** math.floor(math.log10(tick) + 1e-9)) for n in (1, 2, 5))


@given(st.floats(allow_nan=False), st.booleans())
def test_no_value_leaves_the_axis(value, log):
    assert 0 <= Scale("x", 0.5, 8, log).part(value) <= 1


def test_the_ends_and_the_middle_of_an_axis():
    assert [Scale("", 2, 6).part(value) for value in (2, 4, 6)] == [0, 0.5, 1]
    assert [Scale("", 1, 100, log=True).part(value) for value in (1, 10, 100)] == pytest.approx([0, 0.5, 1])


def test_a_line_carries_its_values_and_breaks_where_there_are_none():
    points = [(0.0, 1.0), (0.5, None), (0.75, math.nan), (0.9, 0.25), (1.0, 0.0)]
    chart = svg(line_chart("c", "d", Scale("x", *UNIT), Scale("y", *UNIT), [Line("a", points)]))
    (line,) = chart.findall(".//g[@data-points]")
    assert line.get("data-points") == "0,1 0.9,0.25 1,0"
    path = line.find("path").get("d")
    assert [step[0] for step in re.findall("[ML][^ML]*", path)] == ["M", "M", "L"]
    area = chart.find(".//rect[@class='area']")
    left, top, wide, high = (float(area.get(key)) for key in ("x", "y", "width", "height"))
    assert path.startswith(f"M{left:g} {top:g}")  # (0, 1) is the upper left corner
    assert path.endswith(f"L{left + wide:g} {top + high:g}")  # (1, 0) the lower right
    assert area.get("data-x") == "0.0 1.0 0"


def test_a_point_has_a_dot_where_it_has_a_value():
    line = Line("a", [(0, 0.5), (0.5, None), (1, 0.25)], dots=[1, 2, 3])
    chart = svg(line_chart("c", "d", Scale("x", *UNIT), Scale("y", *UNIT), [line]))
    assert [float(dot.get("r")) for dot in chart.findall(".//circle")] == [1, 3]


def test_lines_of_a_class_are_hidden_until_they_are_asked_for():
    lines = [Line("all", [(0, 1)]), Line("<b>", [(0, 1)], group="3", style=7)]
    chart = svg(line_chart("c", "d", Scale("x", *UNIT), Scale("y", *UNIT), lines))
    hidden = [node for node in chart.iter() if node.get("data-group") == "3"]
    assert [node.tag for node in hidden] == ["g", "li"]
    assert (
        str(line_chart("c", "d", Scale("x", *UNIT), Scale("y", *UNIT), lines)).count(" hidden") == 3
    )  # and the pointer
    assert hidden[0].get("data-name") == "<b>"
    assert hidden[0].get("class") == "line line-1"


def test_names_are_escaped():
    hostile = '"><script>alert(1)</script>'
    markup = line_chart(hostile, hostile, Scale(hostile, 0, 1), Scale(hostile, 0, 1), [Line(hostile, [])] * 2)
    markup += bar_chart(hostile, hostile, [(hostile, 1.0, hostile)])
    markup += column_chart(hostile, hostile, Scale(hostile, 0, 1), hostile, [(0, 1, 2)])
    assert "<script" not in markup
    assert not re.search(r'aria-label=""', markup)


def test_columns_are_as_high_as_they_count():
    chart = svg(column_chart("c", "d", Scale("IoU", *UNIT), "boxes", [(0, 0.5, 10), (0.5, 1, 5), (0.9, 1, 0)]))
    heights = [float(node.get("height")) for node in chart.findall(".//rect[@class='column']")]
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.02)
    assert heights[2] == 0
    assert chart.find(".//rect[@class='column']").get("data-words") == "0 to 0.5: 10"


@pytest.mark.parametrize("bins", [[], [(0, 1, 0)], [(0, 1, 10**9)]])
def test_a_histogram_of_nothing_or_very_much_is_drawn(bins):
    svg(column_chart("c", "d", Scale("x", *UNIT), "y", bins))


def test_bars_are_as_long_as_their_values_and_never_negative():
    chart = svg(bar_chart("c", "d", [("a", 0.2, "AP 0.2"), ("b", 0.1, "AP 0.1"), ("c", -0.1, "AP -0.1")]))
    widths = [float(node.get("width")) for node in chart.findall(".//rect[@class='column']")]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.02)
    assert widths[2] == 1
    svg(bar_chart("c", "d", [("a", 0.0, "AP 0")]))
    svg(bar_chart("c", "d", []))


def test_an_interval_lies_around_its_value():
    bar = svg(interval_bar(0.5, 0.4, 0.7))
    value, reach = bar.find(".//rect[@class='value']"), bar.find(".//rect[@class='range']")
    assert float(value.get("width")) == 50
    assert (float(reach.get("x")), float(reach.get("width"))) == (40, 30)
    assert svg(interval_bar(0.5, None, None)).find(".//rect[@class='range']") is None
