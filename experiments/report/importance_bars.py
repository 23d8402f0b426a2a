"""Bars: how much each setting of a sweep decides whether a trial is among the best."""

from __future__ import annotations

from markupsafe import Markup

from experiments.report.standalone import Figure
from experiments.report.svg import WIDTH
from experiments.report.trials import Trials, short_names
from requery.errors import RunError

NAMES, ROW, BAR, VALUE = 170, 30, 14, 60
"""Pixels for names, from one bar to the next, of a bar, and for the number behind the longest one."""
COLOUR = 4


def importance_bars(found: Trials) -> Figure:
    """Draw a sweep's importances.

    Raises:
        RunError: they are not known.
    """
    if not found.importances:
        raise RunError(f"{found.name}: no importances yet; they need ten trials with different values")
    names = dict(zip(found.varied, short_names(found.varied), strict=True))
    most = max(found.importances.values()) or 1.0
    parts: list[Markup] = []
    bar = '<path class="dot c{}" d="M{} {}h{:.1f}v{}h{:.1f}Z"/>'
    name, number = (
        '<text x="{}" y="{}" text-anchor="end">{}</text>',
        '<text class="ink" x="{:.1f}" y="{}">{:.0f} %</text>',
    )
    for row, (key, share) in enumerate(found.importances.items()):
        y, length = ROW * row + ROW / 2, (WIDTH - NAMES - VALUE) * share / most
        parts += [
            Markup(name).format(NAMES - 12, y + 4, names[key]),
            Markup(bar).format(COLOUR, NAMES, y - BAR / 2, length, BAR, -length),
            Markup(number).format(NAMES + length + 8, y + 4, 100 * share),
        ]
    ended = sum(trial.value is not None for trial in found.trials)
    return Figure(
        title=f"{found.name}: importance of settings",
        subtitle=f"for {found.metric}, over {ended} trials",
        legend=[],
        body=Markup("").join(parts),
        width=WIDTH,
        height=ROW * len(found.importances),
        caption="Importance of settings by PED-ANOVA: how far the values that the best trials took lie from "
        "those of all trials, as shares. With few trials a hint, no more.",
    )
