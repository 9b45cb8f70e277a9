"""Charts as SVG text: drawn here, so that they print and need no library; `script.js` reads values off them.

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
        name: In the legend and beside values that are read off.
        points: x and y, by x; a y of None is a gap.
        group: Of lines that are shown together, when the reader asks for them; empty: always shown.
        style: 0 to `STYLES` - 1.
        dots: Radius of the dot at each point; none without.
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
        label: What and in which unit.
        low: Value at its start.
        high: Value at its end, more than `low`.
        log: Whether it is logarithmic.
    """

    label: str
    low: float
    high: float
    log: bool = False

    def part(self, value: float) -> float:
        """Return where a value lies, 0 at the start, 1 at the end, never outside."""
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

    Args:
        name: An id of the page, and the name that its script knows the chart by.
        description: What a screen reader says of it.
        across: The x axis.
        up: The y axis.
        lines: In the order of the legend.
        diagonal: Whether the line from corner to corner is drawn faintly.
        mark: Where a line stands across.
    """
    parts = [_open(name, "lines", description), _axes(across, up)]
    if diagonal:
        parts.append(
            Markup('<line class="diagonal" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
                _LEFT, _BOTTOM, _RIGHT, _TOP
            )
        )
    if mark is not None:
        parts.append(
            Markup('<line class="mark" x1="{0}" y1="{1}" x2="{0}" y2="{2}"/>').format(
                _x(across, mark), _TOP, _BOTTOM
            )
        )
    for line in lines:
        kept = [(x, y) for x, y in line.points if y is not None and math.isfinite(y)]
        data = " ".join(f"{x:.6g},{y:.4g}" for x, y in kept)
        drawn = [
            Markup('<circle cx="{}" cy="{}" r="{}"/>').format(_x(across, x), _y(up, y), round(radius, 1))
            for (x, y), radius in zip(line.points, line.dots, strict=bool(line.dots))
            if y is not None
        ]
        parts.append(
            Markup(
                '<g class="line line-{}" data-name="{}" data-group="{}" data-points="{}"{}><path d="{}"/>{}</g>'
            ).format(
                line.style % STYLES,
                line.name,
                line.group,
                data,
                Markup(' hidden=""') if line.group else "",
                _path(line.points, across, up),
                Markup("").join(drawn),
            )
        )
    scale = (
        Markup('<g class="pointer" hidden=""><line y1="{}" y2="{}"/></g>').format(_TOP, _BOTTOM)
        + Markup('<rect class="area" x="{}" y="{}" width="{}" height="{}"').format(
            _LEFT, _TOP, _RIGHT - _LEFT, _BOTTOM - _TOP
        )
        + Markup(' data-x="{} {} {}" data-y="{} {} {}"/>').format(
            across.low, across.high, int(across.log), up.low, up.high, int(up.log)
        )
    )
    return Markup("").join([*parts, scale, Markup("</svg>"), _legend(lines)])


def column_chart(
    name: str, description: str, across: Scale, label: str, bins: Sequence[tuple[float, float, int]]
) -> Markup:
    """Draw a histogram: (low, high, count) for each bin."""
    highest = max((count for _, _, count in bins), default=0)
    up = Scale(label, 0, _round_up(highest))
    parts = [_open(name, "columns", description), _axes(across, up)]
    for low, high, count in bins:
        left, right, top = _x(across, low), _x(across, high), _y(up, count)
        words = f"{number(low)} to {number(high)}: {count:,}"
        parts.append(
            Markup(
                '<rect class="column" x="{}" y="{}" width="{}" height="{}" data-words="{}"><title>{}</title></rect>'
            ).format(
                left + 0.5, top, max(round(right - left - 1, 2), 0.5), round(_BOTTOM - top, 2), words, words
            )
        )
    return Markup("").join([*parts, Markup("</svg>")])


def bar_chart(name: str, description: str, bars: Sequence[tuple[str, float, str]]) -> Markup:
    """Draw horizontal bars: (name, value of 0 or more, the value in words) for each."""
    step = 30
    height = step * len(bars) + 8
    longest = max((value for _, value, _ in bars), default=0) or 1
    parts = [
        Markup(
            '<svg id="{}" class="chart bars" data-kind="columns" viewBox="0 0 {} {}" role="img" tabindex="0" '
            'aria-label="{}">'
        ).format(name, _WIDTH, height, description)
    ]
    room = _WIDTH - 110 - 150
    for position, (words, value, shown) in enumerate(bars):
        y = position * step + 4
        width = round(max(value, 0) / longest * room, 2)
        parts.append(
            Markup(
                '<text class="end" x="104" y="{}">{}</text>'
                '<rect class="column" x="110" y="{}" width="{}" height="20" data-words="{}"><title>{}</title></rect>'
                '<text x="{}" y="{}">{}</text>'
            ).format(
                y + 15,
                words,
                y,
                max(width, 1),
                f"{words}: {shown}",
                f"{words}: {shown}",
                round(116 + width, 2),
                y + 15,
                shown,
            )
        )
    return Markup("").join([*parts, Markup("</svg>")])


def interval_bar(value: float, low: float | None, high: float | None) -> Markup:
    """Draw a number between 0 and 1 as a bar, with its interval as a line over it."""
    words = Markup(
        '<svg class="interval" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="10"/><rect class="value" width="{}" height="10"/>'
    ).format(round(100 * min(max(value, 0), 1), 2))
    if low is not None and high is not None:
        left, right = (100 * min(max(end, 0), 1) for end in (low, high))
        words += Markup('<rect class="range" x="{}" y="3" width="{}" height="4"/>').format(
            round(left, 2), round(max(right - left, 0.5), 2)
        )
    return words + Markup("</svg>")


def _open(name: str, kind: str, description: str) -> Markup:
    return Markup(
        '<svg id="{}" class="chart" data-kind="{}" viewBox="0 0 {} {}" role="img" tabindex="0" aria-label="{}">'
    ).format(name, kind, _WIDTH, _HEIGHT, description)


def _axes(across: Scale, up: Scale) -> Markup:
    parts = []
    for tick in across.ticks():
        x = _x(across, tick)
        parts.append(
            Markup('<line class="rule" x1="{0}" y1="{1}" x2="{0}" y2="{2}"/>').format(x, _TOP, _BOTTOM)
        )
        parts.append(
            Markup('<text class="middle" x="{}" y="{}">{}</text>').format(x, _BOTTOM + 18, number(tick))
        )
    for tick in up.ticks():
        y = _y(up, tick)
        parts.append(
            Markup('<line class="rule" x1="{1}" y1="{0}" x2="{2}" y2="{0}"/>').format(y, _LEFT, _RIGHT)
        )
        parts.append(
            Markup('<text class="end" x="{}" y="{}">{}</text>').format(_LEFT - 6, y + 4, number(tick))
        )
    middle = (_LEFT + _RIGHT) / 2
    parts.append(
        Markup('<text class="middle" x="{}" y="{}">{}</text>').format(middle, _BOTTOM + 38, across.label)
    )
    down = (_TOP + _BOTTOM) / 2
    parts.append(
        Markup('<text class="middle" x="14" y="{0}" transform="rotate(-90 14 {0})">{1}</text>').format(
            down, up.label
        )
    )
    return Markup("").join(parts)


def _legend(lines: Sequence[Line]) -> Markup:
    entries = [
        Markup(
            '<li data-group="{}"{}><svg class="key" viewBox="0 0 26 8" aria-hidden="true">'
            '<g class="line line-{}"><path d="M1 4H25"/></g></svg> <bdi>{}</bdi></li>'
        ).format(line.group, Markup(' hidden=""') if line.group else "", line.style % STYLES, line.name)
        for line in lines
    ]
    return (
        Markup('<ul class="legend">{}</ul>').format(Markup("").join(entries))
        if len(lines) > 1
        else Markup("")
    )


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
