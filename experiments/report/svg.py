"""Line charts as inline SVG: no script, colours from the page's style sheet, light and dark alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from experiments.report.scale import Axis, Scale

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 42
COLOURS = 8
"""The style sheet has this many line colours, `.c0` and on."""
CHARACTER = 6.7
"""Pixels that a character of a tick's name takes, at most."""
MIDDLE = Markup('text-anchor="middle"')


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
        whiskers: draw `low` to `high` as a whisker at each point in place of the band.
    """

    label: str
    colour: int
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    dashed: bool = False
    whiskers: bool = False


def line_chart(title: str, series: Sequence[Series], x: Axis, y: Axis) -> Markup:
    """Draw lines over a grid.

    Args:
        title: the chart's accessible name.
        series: the lines; a log axis leaves out what is not positive.
        x: the horizontal axis.
        y: the vertical axis.
    """
    drawn = plot(series, x, y)
    if not drawn:
        return Markup('<p class="empty">nothing recorded</p>')
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, drawn
    )


def plot(series: Sequence[Series], x: Axis, y: Axis) -> Markup:
    """Draw lines over a grid, to be put into an SVG of `WIDTH` by `HEIGHT`; empty where there is nothing.

    Args:
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
        return Markup("")
    across = Scale(x, min(xs), max(xs), LEFT, WIDTH - RIGHT, tight=True)
    up = Scale(y, min(ys), max(ys), HEIGHT - BOTTOM, TOP)
    parts = [*_grid(across, up), *(_spread(line, across, up) for line in series)]
    parts += [_line(line, across, up) for line in series]
    return Markup("").join(parts)


def depth(axis: Axis) -> float:
    """Pixels below `HEIGHT` that the horizontal axis needs for its names, which are slanted where crowded."""
    places = sorted(place for place, _ in axis.ticks)
    room = min((b - a for a, b in pairwise(places)), default=1.0) * (WIDTH - LEFT - RIGHT)
    longest = CHARACTER * max((len(name) for _, name in axis.ticks), default=0)
    return 0.0 if longest < room else 0.87 * longest  # sin 60°


def _grid(across: Scale, up: Scale) -> list[Markup]:
    parts = []
    below = depth(across.axis)
    for tick in up.ticks:
        kind = "axis" if tick == 0 and up.low < 0 else "rule"
        parts.append(
            Markup('<path class="{}" d="M{} {}H{}"/><text x="{}" y="{}" text-anchor="end">{}</text>').format(
                kind, LEFT, up(tick), WIDTH - RIGHT, LEFT - 8, up(tick) + 4, up.text(tick)
            )
        )
    for tick in across.ticks:
        x, y = across(tick), HEIGHT - BOTTOM + 19
        way = Markup('text-anchor="end" transform="rotate(-60 {} {})"').format(x, y) if below else MIDDLE
        parts.append(
            Markup('<path class="tick" d="M{} {}v5"/><text x="{}" y="{}" {}>{}</text>').format(
                x, HEIGHT - BOTTOM, x, y, way, across.text(tick)
            )
        )
    parts.append(
        Markup('<path class="axis" d="M{} {}H{}"/><text x="{}" y="{}" text-anchor="middle">{}</text>').format(
            LEFT,
            HEIGHT - BOTTOM,
            WIDTH - RIGHT,
            (LEFT + WIDTH - RIGHT) / 2,
            HEIGHT - 4 + below,
            across.axis.label,
        )
    )
    return parts


def _spread(line: Series, across: Scale, up: Scale) -> Markup:
    """The band or the whiskers from `low` to `high`."""
    edges = [
        (across(x), up(low), up(high))
        for x, low, high in zip(line.x, line.low, line.high, strict=False)
        if across.shows(x) and up.shows(low) and up.shows(high) and low is not None and high is not None
    ]
    if line.whiskers and edges:
        strokes = "".join(f"M{x - 2.5:.1f} {low}h5M{x} {low}V{high}m-2.5 0h5" for x, low, high in edges)
        return Markup('<path class="whisker c{}" d="{}"/>').format(line.colour % COLOURS, strokes)
    if len(edges) < 2:
        return Markup("")
    there = [f"{x} {high}" for x, _, high in edges]
    back = [f"{x} {low}" for x, low, _ in reversed(edges)]
    return Markup('<path class="band c{}" d="M{}Z"/>').format(line.colour % COLOURS, "L".join(there + back))


def _line(line: Series, across: Scale, up: Scale) -> Markup:
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
    return Markup('<svg class="swatch" viewBox="0 0 28 12" aria-hidden="true">{}</svg>').format(
        key(colour, dashed)
    )


def key(colour: int, dashed: bool = False) -> Markup:
    """What a swatch shows, 28 by 12."""
    return Markup('<path class="line c{}{}" d="M1 6H27"/>{}').format(
        colour % COLOURS, " dashed" if dashed else "", marker(colour, 14, 6, filled=not dashed)
    )
