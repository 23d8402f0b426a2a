"""A figure as a file of its own: the picture with its title, legend, caption and colours."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from experiments.report.svg import COLOURS

HERE = Path(__file__).parent
MARGIN, LINE = 20, 17
"""Around the picture and from one line of text to the next, in pixels."""
LETTER = 6.6
"""Pixels that a letter takes in running text."""


@dataclass(frozen=True)
class Figure:
    """A picture with its words.

    Args:
        title: what is shown.
        subtitle: of which run.
        legend: marks, 28 by 12, and what they stand for.
        body: the picture.
        width: of the picture, in pixels.
        height: of the picture.
        caption: how to read it.
    """

    title: str
    subtitle: str
    legend: Sequence[tuple[Markup, str]]
    body: Markup
    width: float
    height: float
    caption: str


def document(figure: Figure) -> str:
    """Write a figure as an SVG file."""
    parts = [_text(figure.title, 0, 13, "title"), _text(figure.subtitle, 0, 13 + LINE)]
    x, y = 0.0, 13.0 + 2.6 * LINE
    for mark, label in figure.legend:
        room = 34 + LETTER * len(label)
        if x and x + room > figure.width:
            x, y = 0.0, y + LINE + 2
        parts.append(Markup('<g transform="translate({:.0f} {:.0f})">{}</g>').format(x, y - 10, mark))
        parts.append(_text(label, x + 34, y))
        x += room + 16
    y += LINE / 2
    parts.append(Markup('<g transform="translate(0 {:.0f})">{}</g>').format(y, figure.body))
    y += figure.height + LINE
    for line in textwrap.wrap(figure.caption, int(figure.width / LETTER)):
        y += LINE
        parts.append(_text(line, 0, y))
    width, height = figure.width + 2 * MARGIN, y + 2 * MARGIN
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="{0:.0f}" height="{1:.0f}" '
        'viewBox="0 0 {0:.0f} {1:.0f}" role="img" aria-label="{2}"><style>{3}</style>'
        '<rect class="paper" width="{0:.0f}" height="{1:.0f}"/>'
        '<g transform="translate({4} {4})">{5}</g></svg>\n'
    ).format(width, height, figure.title, Markup(_style()), MARGIN, Markup("").join(parts))


def _text(text: str, x: float, y: float, kind: str = "") -> Markup:
    return Markup('<text{} x="{:.0f}" y="{:.0f}">{}</text>').format(
        Markup(f' class="{kind}"') if kind else "", x, y, text
    )


def _style() -> str:
    """The charts' rules with the page's colours written out: drawing programs know no variables."""
    light, dark = _palettes((HERE / "style.css").read_text(encoding="utf-8"))
    font = 'text{font-family:system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}'
    big = ".chart .title{font-size:15px;font-weight:600;fill:var(--ink)}"
    rules = [*(HERE / "chart.css").read_text(encoding="utf-8").split("\n"), big]
    return (
        f"{font}{_written_out(rules, light)}@media (prefers-color-scheme:dark){{{_written_out(rules, dark)}}}"
    )


def _palettes(css: str) -> tuple[dict[str, str], dict[str, str]]:
    """Name -> colour, of the light and the dark page."""
    light, dark = (
        dict(re.findall(r"--([\w-]+):(#\w+)", block)) for block in re.findall(r":root{([^}]*)}", css)
    )
    return light, dark


def _written_out(rules: Sequence[str], palette: Mapping[str, str]) -> str:
    """Rules without variables; one that depends on the line's colour becomes one for each."""
    every = [
        f".c{number}{rule}".replace("var(--c)", f"var(--c{number})")
        for rule in rules
        for number in range(COLOURS if "var(--c)" in rule else 1)
        if "var(--c)" in rule
    ]
    every += [rule for rule in rules if "var(--c)" not in rule]
    return re.sub(r"var\(--([\w-]+)\)", lambda found: palette[found[1]], "".join(every))
