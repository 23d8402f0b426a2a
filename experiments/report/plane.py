"""Queries and targets in a plane: before and under shifts, method by method."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from experiments.config_file import did_you_mean
from experiments.report.standalone import Figure
from experiments.report.streams import Streams
from experiments.report.svg import COLOURS
from requery.errors import ConfigError, RunError

FILE = "features.safetensors"
SIDE, GAP = 150, 14
"""Side of a panel and space between two, in pixels."""
ROW = SIDE + 3 * 17 + GAP
"""Height of a row: its name, the panels, two lines of numbers."""
LETTERS = 20
"""Letters of a method's name in a line above its panel."""
POINTS = 400
"""Most points of a cloud."""
TARGETS = 7
"""Colour of the targets."""

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Panel:
    """A cloud of queries, `(Q, D)`, and what is known of it."""

    queries: Array
    uniformity: float | None
    gap: float | None


def has_features(run: Streams) -> bool:
    """Whether a run kept its embeddings."""
    return (run.path / FILE).is_file()


def feature_plane(run: Streams, shifts: Sequence[str] = (), limit: int | None = None) -> Figure:
    """Draw a row per shift and a column per method, after one of the clean queries.

    The plane is that of the first two principal components of clean queries and targets together, so that
    it does not turn with what a method does.

    Args:
        run: what was tested.
        shifts: in this order; empty for all.
        limit: the most shifts, of all.

    Raises:
        ConfigError: there is no such shift.
        RunError: the run kept no embeddings, or the file is damaged.
    """
    found = _read(run)
    streams = {name.partition("/")[0] for name in found if "/" in name}
    every = [shift for shift in run.rows(run.first["metric"]) if shift in streams]
    methods = run.first["methods"]
    for shift in shifts:
        if shift not in every:
            raise ConfigError(f"no embeddings under {shift!r}: {did_you_mean(shift, every)}")
    clean, targets = found["clean"], found["targets"]
    rows = [
        (shift, [_clean(clean, targets), *(_panel(run, found, shift, method) for method in methods)])
        for shift in (shifts or every)[:limit]
    ]
    view = _View(clean, targets, [panel.queries for _, row in rows for panel in row])
    head = max(len(_wrapped(name)) for name in methods) * 14 + 8
    parts = [_headings(["clean queries", *methods], head)]
    for number, (shift, panels) in enumerate(rows):
        top = head + number * ROW
        parts.append(Markup('<text class="ink" x="0" y="{}">{}</text>').format(top + 12, shift))
        for column, panel in enumerate(panels):
            place = f"translate({column * (SIDE + GAP)} {top + 18})"
            parts.append(
                Markup('<g transform="{}">{}</g>').format(place, view.draw(panel, targets, 1 + column % 6))
            )
    return Figure(
        title="Queries and targets in one plane",
        subtitle=f"{run.first['protocol']}, {run.first['split']} ({run.name})",
        legend=[(_dot(4), "queries, a colour for each method"), (_dot(TARGETS), "their targets")],
        body=Markup("").join(parts),
        width=(len(methods) + 1) * (SIDE + GAP) - GAP,
        height=head + len(rows) * ROW - GAP + 4,
        caption=view.caption,
    )


class _View:
    """The plane, and the square of it that holds everything shown.

    Args:
        clean: `(Q, D)` clean queries.
        targets: `(Q, D)`.
        shown: further clouds.
    """

    def __init__(self, clean: Array, targets: Array, shown: Sequence[Array]) -> None:
        both = np.concatenate([clean, targets])
        self.mean = both.mean(0)
        values, vectors = np.linalg.eigh(np.cov(both - self.mean, rowvar=False))
        self.shares = values[::-1][:2] / values.sum()
        axes = vectors[:, ::-1][:, :2]
        self.axes = axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])  # of two directions always the same
        flat = np.concatenate([self(cloud) for cloud in (targets, *shown)])
        low, high = flat.min(0), flat.max(0)
        self.centre, self.scale = (low + high) / 2, (SIDE - 12) / float((high - low).max())
        self.every = -(-len(clean) // POINTS)
        self.number = len(clean)

    def __call__(self, cloud: Array) -> Array:
        """`(Q, 2)` coordinates."""
        flat: Array = (cloud - self.mean) @ self.axes
        return flat

    def draw(self, panel: Panel, targets: Array, colour: int) -> Markup:
        """A panel with its numbers."""
        parts = [Markup('<rect class="frame" width="{0}" height="{0}" rx="4"/>').format(SIDE)]
        parts += [self._cloud(targets, TARGETS), self._cloud(panel.queries, colour)]
        for line, (name, value) in enumerate((("uniformity", panel.uniformity), ("gap", panel.gap))):
            y = SIDE + 16 + 15 * line
            parts.append(Markup('<text x="0" y="{}">{}</text>').format(y, name))
            text = "–" if value is None else f"{value:.3f}"
            parts.append(
                Markup('<text class="ink" x="{}" y="{}" text-anchor="end">{}</text>').format(SIDE, y, text)
            )
        return Markup("").join(parts)

    def _cloud(self, cloud: Array, colour: int) -> Markup:
        """One path of dots: a line of no length has round ends."""
        flat = SIDE / 2 + (self(cloud[:: self.every]) - self.centre) * self.scale * (1, -1)
        strokes = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in flat)
        return Markup('<path class="cloud c{}" d="{}"/>').format(colour % COLOURS, strokes)

    @property
    def caption(self) -> str:
        """How to read the picture."""
        first, second = (f"{100 * share:.0f} %" for share in self.shares)
        some = f" One query in {self.every} of {self.number:,} is shown." if self.every > 1 else ""
        return (
            "The plane of the first two principal components of clean queries and targets together "
            f"({first} and {second} of their variance), with the same axes everywhere; the first order of "
            "each stream, as it was ranked. Uniformity: mean exp(-t |q - mean|), 1 = all alike. Gap: "
            "distance between the means of queries and of their nearest candidates, for the clean queries "
            f"among the targets.{some}"
        )


def _read(run: Streams) -> Mapping[str, Array]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = run.path / FILE
    if not has_features(run):
        raise RunError(f"{path} is missing: test the run again with model.features: true")
    try:
        found = {name: rows.astype(np.float64) for name, rows in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} is damaged ({error}); test the run again") from error
    shapes = {rows.shape for rows in found.values()}
    if (
        not {"clean", "targets"} < found.keys()
        or len(shapes) > 1
        or not all(len(shape) == 2 for shape in shapes)
    ):
        raise RunError(f"{path} does not hold clean, targets and streams alike in shape; test the run again")
    return found


def _clean(clean: Array, targets: Array) -> Panel:
    """The clean queries' numbers, which no stream gives, by the methods' own formulas."""
    import torch

    from requery.adaptation import modality_gap, query_uniformity

    queries, items = (torch.nn.functional.normalize(torch.from_numpy(rows)) for rows in (clean, targets))
    nearest = items[(queries @ items.T).argmax(1)]
    return Panel(clean, float(query_uniformity(queries)), float(modality_gap(queries, nearest)))


def _panel(run: Streams, found: Mapping[str, Array], shift: str, method: str) -> Panel:
    name = f"{shift}/{method}"
    if name not in found:
        raise RunError(f"{run.path / FILE} has no {name}; test the run again")
    here = [fact for fact in run.facts if (fact["shift"], fact["method"]) == (shift, method)]
    first = min(here, key=lambda fact: fact["order"], default=None)
    if first is None:
        return Panel(found[name], None, None)
    return Panel(found[name], first["uniformity"], first["gap"])


def _headings(names: Sequence[str], bottom: int) -> Markup:
    parts = []
    for column, name in enumerate(names):
        lines = _wrapped(name)
        for number, line in enumerate(lines):
            y = bottom - 8 - 14 * (len(lines) - 1 - number)
            parts.append(
                Markup('<text class="ink" x="{}" y="{}">{}</text>').format(column * (SIDE + GAP), y, line)
            )
    return Markup("").join(parts)


def _wrapped(name: str) -> list[str]:
    return [name] if len(name) <= LETTERS else textwrap.wrap(name.replace("(", " ("), LETTERS)


def _dot(colour: int) -> Markup:
    return Markup('<path class="cloud c{}" style="stroke-width:7" d="M14 6h0"/>').format(colour)
