"""The measurements as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import Row
from requery.environment import environment
from requery.files import atomic_write

PACKAGES = ("torch", "numpy", "lightning", "jsonargparse")

PAGE = """\
# Performance

Written by `make bench`. Times are the best of {turns} turns; a baseline takes its turns between those of what
is held against it, so that the ratio is what to compare. Memory is what is held above the inputs at the peak.
Growth is x where the time grows with size to the x, over the sizes of the measurement.

| measurement | size | time | baseline | its time | ratio | memory | growth |
|---|---|---:|---|---:|---:|---:|---:|
{rows}

- {started}, commit {commit}
- {machine}; {threads} threads
- Python {python}, {packages}
"""


def record(rows: Sequence[Row], turns: int) -> dict[str, Any]:
    """The measurements with where they were made; times in seconds, memory in bytes."""
    here = environment()
    return {
        "started": here["started"],
        "git": here["git"],
        "hardware": here["hardware"],
        "threads": torch.get_num_threads(),
        "python": here["python"],
        "packages": {name: here["packages"][name] for name in PACKAGES},
        "turns": turns,
        "rows": [{**asdict(row), "ratio": row.ratio} for row in rows],
    }


def page(made: dict[str, Any]) -> str:
    """Make the page of a record."""
    hardware, git = made["hardware"], made["git"] or {"commit": None, "dirty": False}
    machine = [hardware["cpu"], f"{hardware['cores']} cores", f"{hardware['memory_bytes'] / 2**30:.0f} GiB"]
    return PAGE.format(
        turns=made["turns"],
        rows="\n".join(_line(row) for row in made["rows"]),
        started=made["started"],
        commit=(git["commit"] or "unknown")[:12] + (" with changes" if git["dirty"] else ""),
        machine=", ".join([*machine, *hardware["gpus"]]),
        threads=made["threads"],
        python=made["python"],
        packages=", ".join(f"{name} {version}" for name, version in made["packages"].items()),
    )


def _line(row: dict[str, Any]) -> str:
    memory = "" if row["memory_bytes"] is None else f"{row['memory_bytes'] / 2**20:,.0f} MiB"
    growth = "" if row["exponent"] is None else f"{row['exponent']:.2f}"
    times = _time(row["seconds"]), row["baseline"], _time(row["baseline_seconds"])
    cells = [row["measurement"], row["size"], *times, f"{row['ratio']:.3g}", memory, growth]
    return f"| {' | '.join(cells)} |"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def write(made: dict[str, Any], output: Path) -> None:
    """Write the page, and the record beside it as JSON.

    Raises:
        RunError: they cannot be written.
    """
    with atomic_write(output) as file:
        file.write(page(made))
    with atomic_write(output.with_suffix(".json")) as file:
        file.write(json.dumps(made, indent=2) + "\n")
