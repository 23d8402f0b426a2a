"""Axes: values to pixels, and the ticks between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """A scale from data to pixels.

    Args:
        label: written along the axis.
        log: logarithmic.
        percent: values are fractions, printed in percent.
        zero: a linear scale has 0 on it.
        ticks: places and their names in place of round numbers; the axis then goes from 0 to 1.
    """

    label: str = ""
    log: bool = False
    percent: bool = False
    zero: bool = False
    ticks: Sequence[tuple[float, str]] = ()


class Scale:
    """Maps values to pixels and knows its ticks.

    Args:
        axis: what is asked for.
        low: smallest value.
        high: largest value.
        start: pixel of the axis' first end.
        end: pixel of its other end.
        tight: end at `low` and `high`, not at the ticks around them.
    """

    def __init__(
        self, axis: Axis, low: float, high: float, start: float, end: float, tight: bool = False
    ) -> None:
        self.axis, self.start, self.end = axis, start, end
        if axis.zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if high <= low:
            low, high = (low / 2, high * 2) if axis.log else (low - 0.5, high + 0.5)
        if axis.ticks:
            low, high = 0.0, 1.0
            self.ticks = [place for place, _ in axis.ticks]
        else:
            self.ticks = log_ticks(low, high) if axis.log else round_ticks(low, high)
        if not tight:
            low, high = min(low, self.ticks[0]), max(high, self.ticks[-1])
        self.ticks = [tick for tick in self.ticks if low <= tick <= high]
        self.low, self.high = low, high

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        change = math.log if self.axis.log else float
        share = (change(value) - change(self.low)) / (change(self.high) - change(self.low))
        return round(self.start + share * (self.end - self.start), 1)

    def shows(self, value: float | None) -> bool:
        """Whether a value has a place."""
        return value is not None and (value > 0 or not self.axis.log)

    def text(self, value: float) -> str:
        """A value as its tick says it."""
        if self.axis.ticks:
            return min(self.axis.ticks, key=lambda tick: abs(tick[0] - value))[1]
        if self.axis.percent:
            value *= 100
        return f"{round(value, 10):,.10g}"


def round_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, from just below `low` to just above `high`."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * power for unit in (1, 2, 5, 10) if unit * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 times powers of ten around the range; powers of ten alone where it is wide."""
    units = (1, 2, 5) if high / low < 2000 else (1,)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    every = [unit * 10.0**power for power in powers for unit in units]
    below = [tick for tick in every if tick <= low * 1.0001]
    above = [tick for tick in every if tick >= high * 0.9999]
    return [tick for tick in every if below[-1] <= tick <= above[0]]
