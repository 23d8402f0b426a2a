"""Figures of a ladder: what each method adds, and which combinations are worth their time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.ladder.results import EVERY, Contribution
from experiments.report.scale import Axis
from experiments.report.standalone import Figure
from experiments.report.svg import HEIGHT, WIDTH, Series, depth, key, plot
from requery.episodes import CLEAN
from requery.ranking.significance import Difference

KINDS = (("alone", "added to nothing"), ("last", "added to all others"), ("shapley", "Shapley value"))


def contribution_figure(task: str, metric: str, adds: Sequence[Contribution]) -> Figure:
    """Draw what each method adds to clean queries and under shift, three ways.

    Args:
        task: its name.
        metric: the headline.
        adds: of this task.
    """
    kinds = [EVERY] if any(one.shift == EVERY for one in adds) else [o.shift for o in adds if o.severity]
    adds = [one for one in adds if one.shift in (CLEAN, *kinds)]
    places = [(one.shift, one.severity, one.method) for one in adds]
    width = 1 / max(1, len(places))
    centre = {place: width * (number + 0.5) for number, place in enumerate(places)}
    across = Axis(ticks=[(centre[place], _label(*place)) for place in places])
    series = []
    for number, (kind, label) in enumerate(KINDS):
        found: list[Difference] = [getattr(one, kind) for one in adds]
        aside = (number - 1) * width / 5
        for place, one in zip(places, found, strict=True):
            whiskers = {"low": [one.low], "high": [one.high], "whiskers": True}
            series.append(Series(label, number + 1, [centre[place] + aside], [one.value], **whiskers))
    body = plot(series, across, Axis(percent=True, zero=True))
    return Figure(
        title=f"What each method adds: {task}",
        subtitle=f"points of {metric}",
        legend=[(key(number + 1), label) for number, (_, label) in enumerate(KINDS)],
        body=body,
        width=WIDTH,
        height=HEIGHT + depth(across),
        caption="Paired over the queries; whiskers: 95 % intervals. Shapley values sum to what all methods "
        "add together.",
    )


def front_figure(task: str, metric: str, points: Mapping[str, tuple[float, float, bool]]) -> Figure:
    """Draw recall against time: every combination, and a line through those that none beats.

    Args:
        task: its name.
        metric: the headline.
        points: combination -> milliseconds, value, whether none beats it.
    """
    best = sorted((ms, value) for ms, value, on in points.values() if on)
    line = Series(
        "none is faster and better", 0, [ms for ms, _ in best], [value for _, value in best], dashed=True
    )
    series = [line]
    legend = [(key(0, dashed=True), line.label)]
    for number, (name, (ms, value, _)) in enumerate(points.items(), 1):
        series.append(Series(name, number, [ms], [value]))
        legend.append((key(number), name))
    return Figure(
        title=f"Worth its time: {task}",
        subtitle=f"mean {metric} over the clean queries and all shifts",
        legend=legend,
        body=plot(series, Axis("milliseconds a query", log=True), Axis(percent=True)),
        width=WIDTH,
        height=HEIGHT,
        caption="Time of one query on this machine: expansion by the model, encoder, adaptation, feedback, "
        "search; the gallery is encoded beforehand.",
    )


def _label(shift: str, severity: int, method: str) -> str:
    where = "all shifts" if shift == EVERY else f"{shift} {severity or ''}".rstrip()
    return f"{method}, {where}"
