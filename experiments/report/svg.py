"""Line charts as inline SVG: no script, colours from the page's style sheet, light and dark alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 42
COLOURS = 8
"""The style sheet has this many line colours, `.c0` and on."""


@dataclass(frozen=True)
class Series:
    """One line, with an optional band.

    Args:
        label: what the line is, read out and shown on its points.
        colour: which of the page's line colours.
        x: ascending places of the points.
        y: heights; None leaves a gap.
        low: lower edge of the band, aligned with `y`.
        high: upper edge.
        dashed: draw it dashed.
    """

    label: str
    colour: int
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """A scale from data to pixels.

    Args:
        label: written along the axis.
        log: logarithmic.
        percent: values are fractions, printed in percent.
        zero: a linear scale starts at 0.
    """

    label: str = ""
    log: bool = False
    percent: bool = False
    zero: bool = False


def line_chart(title: str, series: Sequence[Series], x: Axis, y: Axis) -> Markup:
    """Draw lines over a grid.

    Args:
        title: the chart's accessible name.
        series: the lines; a log axis leaves out what is not positive.
        x: the horizontal axis.
        y: the vertical axis.
    """
    xs = [value for line in series for value in line.x if not x.log or value > 0]
    ys = [
        value
        for line in series
        for part in (line.y, line.low, line.high)
        for value in part
        if value is not None and (not y.log or value > 0)
    ]
    if not xs or not ys:
        return Markup('<p class="empty">nothing recorded</p>')
    across = _Scale(x, min(xs), max(xs), LEFT, WIDTH - RIGHT, tight=True)
    up = _Scale(y, min(ys), max(ys), HEIGHT - BOTTOM, TOP)
    parts = [*_grid(across, up), *(_band(line, across, up) for line in series)]
    parts += [_line(line, across, up) for line in series]
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, Markup("").join(parts)
    )


class _Scale:
    """Maps values to pixels and knows its ticks."""

    def __init__(
        self, axis: Axis, low: float, high: float, start: float, end: float, tight: bool = False
    ) -> None:
        self.axis, self.start, self.end = axis, start, end
        if axis.zero:
            low = min(low, 0.0)
        if high <= low:
            low, high = (low / 2, high * 2) if axis.log else (low - 0.5, high + 0.5)
        self.ticks = _log_ticks(low, high) if axis.log else _ticks(low, high)
        if not tight:
            low, high = min(low, self.ticks[0]), max(high, self.ticks[-1])
        self.ticks = [tick for tick in self.ticks if low <= tick <= high]
        self.low, self.high = low, high

    def __call__(self, value: float) -> float:
        change = math.log if self.axis.log else float
        share = (change(value) - change(self.low)) / (change(self.high) - change(self.low))
        return round(self.start + share * (self.end - self.start), 1)

    def shows(self, value: float | None) -> bool:
        return value is not None and (value > 0 or not self.axis.log)

    def text(self, value: float) -> str:
        if self.axis.percent:
            value *= 100
        return f"{round(value, 10):,.10g}"


def _ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, from just below `low` to just above `high`."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * power for unit in (1, 2, 5, 10) if unit * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 times powers of ten around the range; powers of ten alone where it is wide."""
    units = (1, 2, 5) if high / low < 2000 else (1,)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    every = [unit * 10.0**power for power in powers for unit in units]
    below = [tick for tick in every if tick <= low * 1.0001]
    above = [tick for tick in every if tick >= high * 0.9999]
    return [tick for tick in every if below[-1] <= tick <= above[0]]


def _grid(across: _Scale, up: _Scale) -> list[Markup]:
    parts = []
    for tick in up.ticks:
        parts.append(
            Markup(
                '<path class="rule" d="M{} {}H{}"/><text x="{}" y="{}" text-anchor="end">{}</text>'
            ).format(LEFT, up(tick), WIDTH - RIGHT, LEFT - 8, up(tick) + 4, up.text(tick))
        )
    for tick in across.ticks:
        parts.append(
            Markup(
                '<path class="tick" d="M{} {}v5"/><text x="{}" y="{}" text-anchor="middle">{}</text>'
            ).format(across(tick), HEIGHT - BOTTOM, across(tick), HEIGHT - BOTTOM + 19, across.text(tick))
        )
    parts.append(
        Markup('<path class="axis" d="M{} {}H{}"/><text x="{}" y="{}" text-anchor="middle">{}</text>').format(
            LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, across.axis.label
        )
    )
    return parts


def _band(line: Series, across: _Scale, up: _Scale) -> Markup:
    edges = [
        (across(x), up(low), up(high))
        for x, low, high in zip(line.x, line.low, line.high, strict=False)
        if across.shows(x) and up.shows(low) and up.shows(high) and low is not None and high is not None
    ]
    if len(edges) < 2:
        return Markup("")
    there = [f"{x} {high}" for x, _, high in edges]
    back = [f"{x} {low}" for x, low, _ in reversed(edges)]
    return Markup('<path class="band c{}" d="M{}Z"/>').format(line.colour % COLOURS, "L".join(there + back))


def _line(line: Series, across: _Scale, up: _Scale) -> Markup:
    strokes: list[str] = []
    dots = []
    pen = "M"
    for x, y in zip(line.x, line.y, strict=True):
        if y is None or not (across.shows(x) and up.shows(y)):
            pen = "M"
            continue
        strokes.append(f"{pen}{across(x)} {up(y)}")
        pen = "L"
        tip = f"{line.label}: {up.text(float(f'{y:.4g}'))} at {across.text(x)}"
        dots.append(marker(line.colour, across(x), up(y), tip, filled=not line.dashed))
    path = Markup('<path class="line c{}{}" d="{}"/>').format(
        line.colour % COLOURS, " dashed" if line.dashed else "", "".join(strokes)
    )
    step = max(1, len(dots) // 10)  # the shapes tell lines apart without colour; a few are enough
    return path + Markup("").join(dots[::-1][::step][::-1])


def marker(colour: int, x: float, y: float, tip: str = "", filled: bool = True) -> Markup:
    """A series' point: its colour and its own shape."""
    r = 3.6
    shapes = (
        f"M{-r} 0a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0Z",
        "M-3.2 -3.2h6.4v6.4h-6.4Z",
        "M0 -4.2L4 3.2H-4Z",
        "M0 -4.6L4.6 0L0 4.6L-4.6 0Z",
        "M0 4.2L4 -3.2H-4Z",
    )
    title = Markup("<title>{}</title>").format(tip) if tip else ""
    return Markup('<path class="dot c{}{}" transform="translate({} {})" d="{}">{}</path>').format(
        colour % COLOURS, "" if filled else " hollow", x, y, shapes[colour % len(shapes)], title
    )


def swatch(colour: int, dashed: bool = False) -> Markup:
    """A series' line and point for a legend."""
    return Markup(
        '<svg class="swatch" viewBox="0 0 28 12" aria-hidden="true">'
        '<path class="line c{}{}" d="M1 6H27"/>{}</svg>'
    ).format(colour % COLOURS, " dashed" if dashed else "", marker(colour, 14, 6, filled=not dashed))
