"""Where the values of a setting stand on an axis: numbers to scale, names in turn, and null at the end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

MARGIN = 0.07
"""Share of the axis left free at each end."""
DEFAULT = "default"
"""What null is called: the value that the run has of itself."""

Value = float | str | None


@dataclass(frozen=True)
class Ticks:
    """Values along an axis from 0 to 1.

    Args:
        values: in their order; null is the last.
        places: of the values.
        names: of the values.
        joined: whether a line from the value to the one before it means anything.
    """

    values: Sequence[Value]
    places: Sequence[float]
    names: Sequence[str]
    joined: Sequence[bool]

    @property
    def axis(self) -> list[tuple[float, str]]:
        """Places and names."""
        return list(zip(self.places, self.names, strict=True))


def arrange(found: Iterable[Value], percent: bool = False) -> Ticks:
    """Place values: numbers to scale, or to the scale of their logarithms where that spreads them better.

    Args:
        found: numbers, names and null; where there is a name, numbers are names too.
        percent: numbers are shares.
    """
    given = list(dict.fromkeys(found))
    named = any(isinstance(value, str) for value in given)
    values: list[Value] = [value for value in given if value is not None]
    if named:
        steps, joined = [float(i) for i in range(len(values))], [False] * len(values)
    else:
        numbers = sorted(value for value in values if isinstance(value, (int, float)))
        values, steps, joined = list(numbers), _scaled(numbers), [i > 0 for i in range(len(numbers))]
    if None in given:
        gap = steps[-1] / (len(steps) - 1) if len(steps) > 1 else 1.0
        values, steps, joined = [*values, None], [*steps, steps[-1] + gap if steps else 0.0], [*joined, False]
    free = 1 - 2 * MARGIN
    places = [MARGIN + free * step / steps[-1] for step in steps] if len(steps) > 1 else [0.5]
    return Ticks(values, places, [_name(value, percent) for value in values], joined)


def _scaled(numbers: Sequence[float]) -> list[float]:
    """Distances from the first number, linear or of the logarithms."""
    if len(numbers) < 2:
        return [0.0] * len(numbers)
    linear = [number - numbers[0] for number in numbers]
    if numbers[0] <= 0:
        return linear
    log = [math.log2(number / numbers[0]) for number in numbers]
    return log if _evenness(log) > 1.2 * _evenness(linear) else linear


def _evenness(places: Sequence[float]) -> float:
    """The smallest gap as a share of the whole: 1 / gaps where they are all alike."""
    return min(b - a for a, b in pairwise(places)) / places[-1]


def _name(value: Value, percent: bool) -> str:
    if value is None:
        return DEFAULT
    if isinstance(value, str):
        return value
    return f"{100 * value:.4g} %" if percent else f"{value:.10g}"
