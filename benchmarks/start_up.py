"""How long the command line takes to answer, against a Python that only imports."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.measure import Row, best_seconds

ROOT = Path(__file__).resolve().parents[1]

COMMANDS = {
    "--help": "pass",
    "fit --help": "import lightning.pytorch.cli",
}
"""Arguments of `python -m experiments`, and what any such program would have to run."""


def measure(quick: bool, turns: int) -> list[Row]:
    """Each command as a process of its own; only the first one where it must be quick."""
    rows = []
    for command, floor in list(COMMANDS.items())[: 1 if quick else None]:
        contestants = {
            "command": partial(python, "-m", "experiments", *command.split()),
            "floor": partial(python, "-c", floor),
        }
        seconds = best_seconds(turns, contestants)
        rows.append(
            Row(
                f"`python -m experiments {command}`",
                "a new process",
                seconds["command"],
                f'`python -c "{floor}"`',
                seconds["floor"],
            )
        )
    return rows


def python(*arguments: str) -> None:
    """Run Python in the checkout, its output thrown away."""
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
