"""The files of a learning curve: a page with its chart, and tables of its numbers."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from humbleyolo.drawing.html_page import render_page
from humbleyolo.evaluation.learning_gain import LearningGain, Point
from humbleyolo.process.terminal import counted
from humbleyolo.report.number_format import metric, number
from humbleyolo.report.svg_charts import Line, Scale, line_chart
from humbleyolo.storage.atomic import atomic_write
from humbleyolo.storage.json import write_json
from humbleyolo.storage.table_writer import write_table

PAGE, TABLE, NUMBERS = "curve.html", "curve.csv", "curve.json"
_DOT = 4.0  # radius
_ROOM = 1.15  # beyond the first and the last number of images, as a factor


def write_curve(folder: Path, gain: LearningGain, facts: Sequence[str]) -> None:
    """Write the page, the points as a table, and all numbers as JSON; `facts` are lines about the networks.

    Raises:
        UserError: If a file cannot be written.
    """
    numbers = asdict(gain)
    write_table(folder / TABLE, pd.DataFrame(numbers["points"]))
    write_json(folder / NUMBERS, {**numbers, "facts": list(facts), "text": str(gain)})
    with atomic_write(folder / PAGE) as file:
        file.write(build_curve_page(gain, facts))


def build_curve_page(gain: LearningGain, facts: Sequence[str]) -> bytes:
    """Return the page, UTF-8, which needs nothing beside it; `facts` are lines about the networks."""
    page = render_page(
        "report", "curve.html", "style.css", gain=gain, facts=facts, chart=curve_chart(gain), n=number, m=metric
    )
    return page.encode("utf-8", "replace")


def curve_chart(gain: LearningGain) -> Markup:
    """Draw the points, their intervals, and the line to the images that are not there yet."""
    points = [(one.images, one.ap) for one in gain.points]
    last = gain.points[-1]
    ahead = last.images + gain.more
    low, high = (None if end is None else last.ap + end for end in (gain.low, gain.high))
    ends: list[tuple[float, float | None]] = []
    promised = [] if gain.too_short else [Point(ahead, last.ap + gain.gain, low, high)]
    for one in (*gain.points, *promised):
        ends += [(one.images, one.low), (one.images, one.high), (one.images, None)]
    lines = [
        Line("AP on val", points, style=0, dots=[_DOT] * len(points)),
        Line("95 % interval", ends, style=5),
        *(
            Line("promised", [(last.images, last.ap), (one.images, one.ap)], style=1, dots=[0.0, _DOT])
            for one in promised
        ),
    ]
    shown = [value for line in lines for _, value in line.points if value is not None]
    margin = max(0.02, 0.1 * (max(shown) - min(shown)))
    across = Scale("images learned", gain.points[0].images / _ROOM, ahead * _ROOM, log=True)
    up = Scale("AP on val", max(0.0, min(shown) - margin), min(1.0, max(shown) + margin))
    measured = "; ".join(f"{counted(one.images, 'image')}: {metric(one.ap)}" for one in gain.points)
    return line_chart("chart-curve", f"AP on val by the images learned. {measured}. {gain}", across, up, lines)
