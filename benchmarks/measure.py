"""How everything here is measured: the best of several turns, and the memory of a fresh process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

from requery.cost import peak_memory_bytes

T = TypeVar("T")

TURNS = 5


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        measurement: what was measured.
        size: of the problem.
        seconds: of the best turn.
        baseline: what it is held against.
        baseline_seconds: of the baseline's best turn.
        memory_bytes: held above the inputs at the peak; None where it was not measured.
    """

    measurement: str
    size: str
    seconds: float
    baseline: str
    baseline_seconds: float
    memory_bytes: int | None = None

    @property
    def ratio(self) -> float:
        """How many times the baseline's time."""
        return self.seconds / self.baseline_seconds


def best_seconds(turns: int, contestants: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Time the contestants in turn, so that what disturbs the machine hits all alike; keep their best."""
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(turns):
        for name, contestant in contestants.items():
            began = time.perf_counter()
            contestant()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def peak_memory(make: Callable[[], T], use: Callable[[T], object]) -> int:
    """Bytes that `use` holds at its peak above what `make` returns, in a process of their own.

    Args:
        make: the inputs; importable, and without a peak of its own.
        use: the measured function, importable.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_peak_memory, make, use).result()


def _peak_memory(make: Callable[[], T], use: Callable[[T], object]) -> int:
    inputs = make()
    before = peak_memory_bytes()
    use(inputs)
    return peak_memory_bytes() - before
