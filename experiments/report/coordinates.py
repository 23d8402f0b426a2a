"""Parallel coordinates: an axis for each setting of a sweep and one for the metric, a line for each trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from experiments.report.scale import Axis, Scale
from experiments.report.standalone import Figure
from experiments.report.svg import WIDTH, key, marker
from experiments.report.trials import Trial, Trials, short_names, shown
from requery.errors import RunError

TOP, BOTTOM, APART, EDGE = 34, 300, 128, 70
"""Pixels: first and last place of an axis, from one axis to the next, beside the outer ones."""
LINE = 14
"""Pixels between two values' names, at least."""
LETTERS = 16
"""Letters of a value's name that are shown."""
BEST, OTHERS, PRUNED = 1, 4, 7
"""Line colours."""
FAINTEST, STRONGEST = 0.3, 0.85
"""Opacity of the worst finished trial, and of the best but one."""
STOPPED = 0.45
"""Opacity of pruned ones."""


def coordinates(found: Trials) -> Figure:
    """Draw a sweep.

    Raises:
        RunError: no trial has a value.
    """
    drawn = [trial for trial in found.ranked if trial.value is not None]
    if not drawn:
        raise RunError(f"{found.name}: no trial has a value yet; let the sweep finish one")
    room = max(APART, (WIDTH - 2 * EDGE) / len(found.varied))
    places = [EDGE + room * i for i in range(len(found.varied) + 1)]
    scales = [*(_scale(p) for p in found.parameters if p["name"] in found.varied), _values(found, drawn)]
    names = [*short_names(found.varied), found.heading]
    lines = [_line(found, trial, places, scales, share) for trial, share in _from_worst(found, drawn)]
    axes = [_axis(*each) for each in zip(names, places, scales, strict=True)]
    return Figure(
        title=f"{found.name}: {found.metric} by settings",
        subtitle=f"{found.method} sweep of {found.command}, {_counts(found)}",
        legend=_legend(found, drawn),
        body=Markup("").join([*lines, *axes]),
        width=places[-1] + EDGE,
        height=BOTTOM + 14,
        caption="One line a trial, through its settings to what it reached; the stronger, the better. "
        "Axes span what the sweep may choose.",
    )


def _counts(found: Trials) -> str:
    states = [trial.state for trial in found.trials]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def _legend(found: Trials, drawn: Sequence[Trial]) -> list[tuple[Markup, str]]:
    legend = [(key(OTHERS), "finished")] if sum(t.state == "finished" for t in drawn) > 1 else []
    if found.best is not None:
        legend.insert(0, (key(BEST), f"{found.best.name}, the best: {found.measured(found.best.value)}"))
    return [*legend, (key(PRUNED, True), "pruned")] if any(t.state == "pruned" for t in drawn) else legend


def _from_worst(found: Trials, drawn: Sequence[Trial]) -> list[tuple[Trial, float]]:
    """Trials with their place among the finished ones, 0 for the worst to 1, in the order they are drawn."""
    finished = [trial for trial in drawn if trial.state == "finished"][::-1]
    others = [(trial, 0.0) for trial in drawn if trial.state != "finished"]
    return [*others, *((trial, i / max(1, len(finished) - 1)) for i, trial in enumerate(finished))]


def _scale(parameter: Mapping[str, Any]) -> Scale:
    """A setting's axis, upwards."""
    if parameter["values"]:
        names = [shown(value) for value in parameter["values"]]
        steps = max(1, len(names) - 1)
        ticks = [(i / steps, _cut(name)) for i, name in enumerate(names)]
        return Scale(Axis(ticks=ticks), 0.0, 1.0, BOTTOM, TOP)
    axis = Axis(log=parameter["log"])
    scale = Scale(axis, parameter["low"], parameter["high"], BOTTOM, TOP, tight=True)
    ends = [parameter["low"], parameter["high"]]
    inner = [t for t in scale.ticks if all(abs(scale(t) - scale(end)) >= LINE for end in ends)]
    scale.ticks = sorted([*ends, *(t for t in inner if not parameter["whole"] or t == round(t))])
    return scale


def _values(found: Trials, drawn: Sequence[Trial]) -> Scale:
    """The metric's axis; better is higher, shares are in percent."""
    values = [trial.value for trial in drawn if trial.value is not None]
    axis = Axis(percent=found.percent)
    ends = (BOTTOM, TOP) if found.goal == "maximize" else (TOP, BOTTOM)
    return Scale(axis, min(values), max(values), *ends, tight=True)


def _cut(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"


def _line(
    found: Trials, trial: Trial, places: Sequence[float], scales: Sequence[Scale], share: float
) -> Markup:
    best = trial == found.best
    colour = BEST if best else OTHERS if trial.state == "finished" else PRUNED
    by_name = {parameter["name"]: parameter for parameter in found.parameters}
    heights = [
        scale(_place(by_name[name], trial.settings[name]))
        for name, scale in zip(found.varied, scales, strict=False)
    ]
    assert trial.value is not None
    heights.append(scales[-1](trial.value))
    points = "L".join(f"{x:.1f} {y}" for x, y in zip(places, heights, strict=True))
    given = zip(short_names(found.varied), (trial.settings[name] for name in found.varied), strict=True)
    tip = f"{trial.name}: {found.measured(trial.value)}; " + ", ".join(f"{n}={shown(v)}" for n, v in given)
    pruned = trial.state == "pruned"
    opacity = 1.0 if best else STOPPED if pruned else FAINTEST + (STRONGEST - FAINTEST) * share
    dashed = " dashed" if pruned else ""
    return Markup(
        '<g opacity="{:.2f}"><path class="line c{}{}" d="M{}"{}><title>{}</title></path>{}</g>'
    ).format(
        opacity,
        colour,
        dashed,
        points,
        Markup(' style="stroke-width:3"') if best else "",
        tip,
        marker(colour, places[-1], heights[-1], tip, filled=not dashed),
    )


def _place(parameter: Mapping[str, Any], value: Any) -> float:
    """Where a value is on its axis' scale."""
    choices = list(parameter["values"])
    return choices.index(value) / max(1, len(choices) - 1) if choices else float(value)


def _axis(name: str, x: float, scale: Scale) -> Markup:
    centred, right = Markup('text-anchor="middle"'), Markup('text-anchor="end"')
    word = Markup('<text class="{}over" x="{:.1f}" y="{:.1f}" {}>{}</text>')
    stroke = Markup('<path class="{}" d="M{:.1f} {:.1f}{}"/>')
    parts = [stroke.format("axis", x, TOP, f"V{BOTTOM}"), word.format("ink ", x, TOP - 16, centred, name)]
    for tick in scale.ticks:
        y = scale(tick)
        parts += [stroke.format("tick", x, y, "h-5"), word.format("", x - 9, y + 4, right, scale.text(tick))]
    return Markup("").join(parts)
