"""`reproduce.html`: the same on one page, in the report's dress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.report.templates import templates
from experiments.reproduce.show import folded, number, protocols, ran, verdict

if TYPE_CHECKING:
    from experiments.reproduce.result import Result

HERE = Path(__file__).parent


def render(result: Result) -> str:
    """Write the page."""
    environment = templates(HERE)
    environment.filters.update(number=number, protocols=protocols, ran=ran, verdict=verdict)
    return environment.get_template("reproduce.html").render(result=result, lines=folded(result.cells))
