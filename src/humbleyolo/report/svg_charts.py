"""Charts as SVG text, which print and need no library; `script.js` reads values off them.

A line carries its values in `data-points`, and the chart its scales, from which the script finds the value under
the pointer or the arrow keys. Colours are classes (`line-0` ...), which `style.css` gives a colour and a dash each,
so that lines can be told apart without colours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from humbleyolo.report.number_format import number

_WIDTH, _HEIGHT = 460, 290
_LEFT, _TOP, _RIGHT, _BOTTOM = 62, 12, 448, 244  # of the plotted area
_TICKS = 5
STYLES = 6  # of lines, in style.css


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: Name in the legend and beside values that are read off.
        points: x and y, by x; a y of None is a gap.
        group: Group of lines that the reader shows together; empty for lines that are always shown.
        style: Colour and dash, 0 to `STYLES` - 1.
        dots: Radius of the dot at each point; empty for none.
    """

    name: str
    points: Sequence[tuple[float, float | None]]
    group: str = ""
    style: int = 0
    dots: Sequence[float] = ()


@dataclass(frozen=True)
class Scale:
    """One axis.

    Attributes:
        label: Name and unit.
        low: Value at its start.
        high: Value at its end, more than `low`.
        log: True for a logarithmic axis.
    """

    label: str
    low: float
    high: float
    log: bool = False

    def part(self, value: float) -> float:
        """Return the place of a value: 0 at the start, 1 at the end, never outside."""
        if self.log:
            value = max(value, self.low)
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return min(max(part, 0.0), 1.0)

    def ticks(self) -> list[float]:
        """Return the values that are written beside the axis."""
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            stride = max(1, math.ceil((last - first) / _TICKS))
            factors = (1, 2, 5) if last - first <= 2 else (1,)
            places = [factor * 10.0**power for power in range(first, last + 1, stride) for factor in factors]
            return [place for place in places if self.low <= place <= self.high]
        step = _round_step((self.high - self.low) / _TICKS)
        start, end = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(place * step, 10) for place in range(start, end + 1)]


UNIT = (0.0, 1.0)


def line_chart(
    name: str,
    description: str,
    across: Scale,
    up: Scale,
    lines: Sequence[Line],
    *,
    diagonal: bool = False,
    mark: float | None = None,
) -> Markup:
    """Draw lines.

    `name` is the chart's id in the page, `description` a text for screen readers. `diagonal` draws a faint line from
    corner to corner, `mark` a vertical line at a value of the x axis.
    """
    parts = [_axes(across, up)]
    if diagonal:
        parts.append(_tag("line", class_="diagonal", x1=_LEFT, y1=_BOTTOM, x2=_RIGHT, y2=_TOP))
    if mark is not None:
        x = _x(across, mark)
        parts.append(_tag("line", class_="mark", x1=x, y1=_TOP, x2=x, y2=_BOTTOM))
    parts += [_line(line, across, up) for line in lines]
    pointer = _tag("line", y1=_TOP, y2=_BOTTOM)
    parts.append(_tag("g", pointer, class_="pointer", hidden=""))
    data = {f"data_{key}": f"{axis.low} {axis.high} {int(axis.log)}" for key, axis in (("x", across), ("y", up))}
    size = {"width": _RIGHT - _LEFT, "height": _BOTTOM - _TOP}
    parts.append(_tag("rect", class_="area", x=_LEFT, y=_TOP, **size, **data))
    return _chart(name, "chart", "lines", _HEIGHT, description, parts) + _legend(lines)


def column_chart(
    name: str, description: str, across: Scale, label: str, bins: Sequence[tuple[float, float, int]]
) -> Markup:
    """Draw a histogram: (low, high, count) for each bin."""
    highest = max((count for _, _, count in bins), default=0)
    up = Scale(label, 0, _round_up(highest))
    parts = [_axes(across, up)]
    for low, high, count in bins:
        left, right, top = _x(across, low), _x(across, high), _y(up, count)
        words = f"{number(low)} to {number(high)}: {count:,}"
        width, height = max(round(right - left - 1, 2), 0.5), round(_BOTTOM - top, 2)
        parts.append(_column(words, left + 0.5, top, width, height))
    return _chart(name, "chart", "columns", _HEIGHT, description, parts)


def bar_chart(name: str, description: str, bars: Sequence[tuple[str, float, str]]) -> Markup:
    """Draw horizontal bars: (name, value of 0 or more, the value in words) for each."""
    step = 30
    longest = max((value for _, value, _ in bars), default=0) or 1
    parts = []
    for position, (words, value, shown) in enumerate(bars):
        y = position * step + 4
        width = round(max(value, 0) / longest * (_WIDTH - 110 - 150), 2)
        parts += [
            _tag("text", words, class_="end", x=104, y=y + 15),
            _column(f"{words}: {shown}", 110, y, max(width, 1), 20),
            _tag("text", shown, x=round(116 + width, 2), y=y + 15),
        ]
    return _chart(name, "chart bars", "columns", step * len(bars) + 8, description, parts)


def interval_bar(value: float, low: float | None, high: float | None) -> Markup:
    """Draw a number between 0 and 1 as a bar, with its interval as a line over it."""
    parts = [
        _tag("rect", class_="track", width=100, height=10),
        _tag("rect", class_="value", width=round(100 * min(max(value, 0), 1), 2), height=10),
    ]
    if low is not None and high is not None:
        left, right = (100 * min(max(end, 0), 1) for end in (low, high))
        width = round(max(right - left, 0.5), 2)
        parts.append(_tag("rect", class_="range", x=round(left, 2), y=3, width=width, height=4))
    return _tag(
        "svg", *parts, class_="interval", viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true"
    )


def _tag(name: str, *inside: str, **attributes: object) -> Markup:
    """Return an element; `class_` stands for `class`, `data_x` for `data-x`, and texts are escaped."""
    words = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None
    )
    if not inside:
        return Markup("<{}{}/>").format(name, words)
    return Markup("<{0}{1}>{2}</{0}>").format(name, words, Markup("").join(inside))


def _chart(name: str, style: str, kind: str, height: int, description: str, parts: Sequence[Markup]) -> Markup:
    return _tag(
        "svg", "", *parts, id=name, class_=style, data_kind=kind, viewBox=f"0 0 {_WIDTH} {height}", role="img",
        tabindex=0, aria_label=description,
    )  # fmt: skip


def _line(line: Line, across: Scale, up: Scale) -> Markup:
    kept = [(x, y) for x, y in line.points if y is not None and math.isfinite(y)]
    dots = [
        _tag("circle", cx=_x(across, x), cy=_y(up, y), r=round(radius, 1))
        for (x, y), radius in zip(line.points, line.dots, strict=bool(line.dots))
        if y is not None
    ]
    return _tag(
        "g", _tag("path", d=_path(line.points, across, up)), *dots, class_=f"line line-{line.style % STYLES}",
        data_name=line.name, data_group=line.group, data_points=" ".join(f"{x:.6g},{y:.4g}" for x, y in kept),
        hidden="" if line.group else None,
    )  # fmt: skip


def _column(words: str, x: float, y: float, width: float, height: float) -> Markup:
    title = _tag("title", words)
    return _tag("rect", title, class_="column", x=x, y=y, width=width, height=height, data_words=words)


def _axes(across: Scale, up: Scale) -> Markup:
    parts = []
    for tick in across.ticks():
        x = _x(across, tick)
        parts.append(_tag("line", class_="rule", x1=x, y1=_TOP, x2=x, y2=_BOTTOM))
        parts.append(_tag("text", number(tick), class_="middle", x=x, y=_BOTTOM + 18))
    for tick in up.ticks():
        y = _y(up, tick)
        parts.append(_tag("line", class_="rule", x1=_LEFT, y1=y, x2=_RIGHT, y2=y))
        parts.append(_tag("text", number(tick), class_="end", x=_LEFT - 6, y=y + 4))
    middle, down = (_LEFT + _RIGHT) / 2, (_TOP + _BOTTOM) / 2
    parts.append(_tag("text", across.label, class_="middle", x=middle, y=_BOTTOM + 38))
    parts.append(_tag("text", up.label, class_="middle", x=14, y=down, transform=f"rotate(-90 14 {down})"))
    return Markup("").join(parts)


def _legend(lines: Sequence[Line]) -> Markup:
    """Return a key and a name for each of two or more lines."""
    entries = []
    for line in lines:
        path = _tag("g", _tag("path", d="M1 4H25"), class_=f"line line-{line.style % STYLES}")
        key = _tag("svg", path, class_="key", viewBox="0 0 26 8", aria_hidden="true")
        hidden = "" if line.group else None
        entries.append(_tag("li", key, " ", _tag("bdi", line.name), data_group=line.group, hidden=hidden))
    return _tag("ul", *entries, class_="legend") if len(lines) > 1 else Markup("")


def _path(points: Sequence[tuple[float, float | None]], across: Scale, up: Scale) -> str:
    steps, pen_up = [], True
    for x, y in points:
        if y is None or not math.isfinite(y):
            pen_up = True
            continue
        steps.append(f"{'M' if pen_up else 'L'}{_x(across, x):g} {_y(up, y):g}")
        pen_up = False
    return "".join(steps)


def _x(across: Scale, value: float) -> float:
    return round(_LEFT + across.part(value) * (_RIGHT - _LEFT), 2)


def _y(up: Scale, value: float) -> float:
    return round(_BOTTOM - up.part(value) * (_BOTTOM - _TOP), 2)


def _round_step(least: float) -> float:
    """Return the least of 1, 2, 5 times a power of ten that is `least` or more."""
    power = 10.0 ** math.floor(math.log10(least))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9)))


def _round_up(value: float) -> float:
    """Return a round number of `value` or more, at least 1."""
    step = _round_step(max(value, 1) / _TICKS)
    return max(math.ceil(value / step) * step, 1.0)
