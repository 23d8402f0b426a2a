"""A line chart of a run: what a metric or a fact becomes as a setting or the shifts vary."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.lines import OF_SHIFTS, Line, lines_along
from experiments.report.measure import Measure, Point
from experiments.report.scale import Axis
from experiments.report.standalone import Figure
from experiments.report.streams import Streams
from experiments.report.svg import HEIGHT, WIDTH, Series, depth, key, plot
from experiments.report.ticks import Ticks, Value, arrange
from requery.errors import RunError
from requery.ranking.shifted import BASELINE

STEP = 0.013
"""Share of the axis between the points of two lines at one value, so that whiskers stand side by side."""


def sweep(
    run: Streams, x: str, measure: Measure, shift: str | None = None, tied: Sequence[str] = ()
) -> Figure:
    """Draw a run along a setting or along its shifts.

    Args:
        run: what was tested.
        x: `clean`, `severity` or a setting of the methods.
        measure: the vertical axis.
        shift: the only shift, or, along the shifts, its kind; None for the mean.
        tied: settings that may differ along a line.

    Raises:
        ConfigError: there is no such thing, or it was not varied.
        RunError: the run did not record what is asked for.
    """
    lines = lines_along(run, x, measure.metric, shift, tied)
    measured = [(line, {v: measure.of(run, place) for v, place in line.places.items()}) for line in lines]
    drawn = [(line, points) for line, points in measured if any(points.values())]
    if not drawn:
        raise RunError(f"{run.path}: no method has {measure.title}; choose another --y")
    ticks = arrange([v for line in lines if line.varied for v in line.places], percent=x == "clean")
    colours = _colours([line for line, _ in drawn])
    beside = _beside(sum(line.varied for line, _ in drawn), ticks)
    series = [
        _series(line, points, ticks, colour, beside.pop(0))
        if line.varied
        else _level(line, next(iter(points.values())), colour)
        for (line, points), colour in zip(drawn, colours, strict=True)
    ]
    across = Axis("share of clean queries" if x == "clean" else x, ticks=ticks.axis)
    return Figure(
        title=measure.title[0].upper() + measure.title[1:] if measure.y else measure.title,
        subtitle=_subtitle(run, measure, lines, shift),
        legend=[(key(one.colour, one.dashed), one.label) for one in series],
        body=plot(series, across, Axis(percent=measure.percent, zero=measure.y == "gain")),
        width=WIDTH,
        height=HEIGHT + depth(across),
        caption=_caption(run, x, measure, series, ticks),
    )


def _series(line: Line, points: dict[Value, Point | None], ticks: Ticks, colour: int, aside: float) -> Series:
    """A line through its values; it is broken where the axis is."""
    x: list[float] = []
    found: list[Point | None] = []
    for value, place, joined in zip(ticks.values, ticks.places, ticks.joined, strict=True):
        if value not in points:
            continue
        if x and not joined:
            x.append((x[-1] + place) / 2)
            found.append(None)
        x.append(place + aside)
        found.append(points[value])
    return Series(
        line.label,
        colour,
        x,
        [None if point is None else point.value for point in found],
        [None if point is None else point.low for point in found],
        [None if point is None else point.high for point in found],
        whiskers=True,
    )


def _level(line: Line, point: Point | None, colour: int) -> Series:
    """A method that is not varied: its value from end to end."""
    assert point is not None
    value, low, high = ([part] * 2 for part in (point.value, point.low, point.high))
    return Series(line.label, colour, [0.0, 1.0], value, low, high, dashed=True)


def _colours(lines: Sequence[Line]) -> list[int]:
    """Grey for the source model, the others in turn; past the last colour with another shape."""
    others = iter([shape * 8 + colour for shape in range(9) for colour in (4, 1, 2, 3, 5, 6)])
    return [0 if line.label == BASELINE else next(others) for line in lines]


def _beside(number: int, ticks: Ticks) -> list[float]:
    """Shifts to the side, a few pixels each and never as far as the next value."""
    gaps = [b - a for a, b in zip(ticks.places, ticks.places[1:], strict=False)]
    step = min(STEP, min(gaps, default=1.0) / (2 * number))
    return [step * (i - (number - 1) / 2) for i in range(number)]


def _subtitle(run: Streams, measure: Measure, lines: Sequence[Line], shift: str | None) -> str:
    table = run.first
    shifts = {len(place.shifts) for line in lines for place in line.places.values()}
    of = shift or (f"mean of {max(shifts)} shifts" if max(shifts) > 1 else "one shift")
    orders = f"{table['orders']} orders" if table["orders"] > 1 else "1 order"
    return f"{table['protocol']}, {table['split']}: {of}, {table['queries']:,} queries in {orders}"


def _caption(run: Streams, x: str, measure: Measure, series: Sequence[Series], ticks: Ticks) -> str:
    notes = []
    if any(value is not None for one in series for value in one.low):
        notes.append(measure.interval)
    elif x in OF_SHIFTS:
        notes.append("mean over kinds of shift")
    if any(one.dashed for one in series):
        notes.append(f"dashed: {x} not varied")
    if None in ticks.values:
        notes.append("default: the run's own value")
    text = "; ".join([*notes, f"run {run.name}"])
    return f"{text[0].upper()}{text[1:]}."
