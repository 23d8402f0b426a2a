"""How everything here is measured: the best of several turns, and the memory of a fresh process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

import torch

from requery.cost import peak_gpu_memory_bytes, peak_memory_bytes

T = TypeVar("T")

TURNS = 5

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""Where the inputs of everything that scores lie."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        measurement: what was measured.
        size: of the problem.
        seconds: of the best turn.
        baseline: what it is held against.
        baseline_seconds: of the baseline's best turn.
        memory_bytes: held above the inputs at the peak, on the device; None where it was not measured.
        exponent: x where the time grows with size ** x over all sizes measured; None where there is one size.
    """

    measurement: str
    size: str
    seconds: float
    baseline: str
    baseline_seconds: float
    memory_bytes: int | None = None
    exponent: float | None = None

    @property
    def ratio(self) -> float:
        """How many times the baseline's time."""
        return self.seconds / self.baseline_seconds


def best_seconds(turns: int, contestants: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Time the contestants in turn, so that what disturbs the machine hits all alike; keep their best."""
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(turns):
        for name, contestant in contestants.items():
            _synchronise()
            began = time.perf_counter()
            contestant()
            _synchronise()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def _synchronise() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize(DEVICE)


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """The slope of log seconds over log size, by least squares."""
    x, y = ([math.log(value) for value in values] for values in (sizes, seconds))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def peak_memory(make: Callable[[], T], use: Callable[[T], object]) -> int:
    """Bytes that `use` holds at its peak above what `make` returns, in a process of their own.

    Args:
        make: the inputs; importable, and without a peak of its own.
        use: the measured function, importable.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["torch"])  # such a process starts in no time
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_peak_memory, make, use).result()


def _peak_memory(make: Callable[[], T], use: Callable[[T], object]) -> int:
    inputs = make()
    peak = peak_gpu_memory_bytes if DEVICE.type == "cuda" else peak_memory_bytes
    before = peak()
    use(inputs)
    return peak() - before
