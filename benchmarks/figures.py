"""Pictures of the measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.report.scale import Axis
from experiments.report.standalone import Figure, document
from experiments.report.svg import HEIGHT, WIDTH, Series, key, plot
from experiments.report.ticks import arrange
from requery.files import atomic_bytes

FEEDBACK = "a round of feedback, "
"""What the measurements of feedback begin with."""


def write(made: Mapping[str, Any], folder: Path) -> None:
    """Write the pictures of a record into a folder.

    Raises:
        RunError: they cannot be written.
    """
    rows = [row for row in made["rows"] if row["measurement"].startswith(FEEDBACK)]
    atomic_bytes(folder / "feedback_cost.svg", document(feedback_cost(rows)).encode())


def feedback_cost(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Seconds of a round and of a plain search as the gallery grows.

    Args:
        rows: of the record; `size` is queries × images × dimensions.
    """
    lines: dict[str, dict[float, float]] = {}
    for row in rows:
        images = float(row["size"].split(" × ")[1].replace(",", ""))
        lines.setdefault(row["measurement"].removeprefix(FEEDBACK), {})[images] = row["seconds"]
        lines.setdefault(row["baseline"], {})[images] = row["baseline_seconds"]
    ticks = arrange(next(iter(lines.values())))
    series = [
        Series(name, colour, ticks.places, list(points.values()), dashed=name == rows[0]["baseline"])
        for colour, (name, points) in enumerate(lines.items(), start=1)
    ]
    queries, _, dim = rows[0]["size"].split(" × ")
    return Figure(
        title="Seconds of a round of feedback",
        subtitle=f"{queries} queries, {dim} dimensions, half precision mapped from disk",
        legend=[(key(line.colour, line.dashed), line.label) for line in series],
        body=plot(series, Axis("images in the gallery", ticks=ticks.axis), Axis("seconds", log=True)),
        width=WIDTH,
        height=HEIGHT,
        caption="Best turns. A round is one search and the look-up of the shown images or their captions.",
    )
