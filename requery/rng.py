"""Random numbers that are a pure function of their counters, such as (seed, epoch, item, draw).

No state is carried: a draw does not depend on what was drawn before, on the batch an item falls in, on the
number of workers or on a restart. The mixing is splitmix64 (Steele, Lea and Flood 2014, "Fast splittable
pseudorandom number generators"), nested once per counter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

U64 = np.uint64
GOLDEN = U64(0x9E3779B97F4A7C15)
LOW = U64(0xFFFFFFFF)
HALF = U64(32)


def _mix(state: NDArray[U64]) -> NDArray[U64]:
    """Splitmix64's finaliser: every input bit changes every output bit with probability near one half."""
    state = (state ^ (state >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> U64(27))) * U64(0x94D049BB133111EB)
    return state ^ (state >> U64(31))


def draws(seed: int, *counters: ArrayLike) -> NDArray[U64]:
    """Draw 64 random bits for each combination of counters.

    Args:
        seed: any integer.
        *counters: integers or integer arrays that broadcast; each level opens a stream inside the one before,
            so `(1, 2)` and `(2, 1)`, or `(1,)` and `(1, 0)`, are unrelated.

    Returns:
        uint64 array of the broadcast shape.
    """
    with np.errstate(over="ignore"):  # arithmetic is modulo 2**64 by design
        state = _mix(np.asarray(seed % 2**64, dtype=U64) + GOLDEN)
        for counter in counters:
            state = _mix(state + GOLDEN * (np.asarray(counter).astype(U64) + U64(1)))
    return np.asarray(state)


def uniform_below(bound: ArrayLike, seed: int, *counters: ArrayLike) -> NDArray[np.int64]:
    """Draw integers uniform in `[0, bound)`; `bound` broadcasts with the counters.

    The bits are scaled, not reduced: floor(bits * bound / 2**64), whose bias is below bound / 2**64.

    Raises:
        ValueError: a bound is below 1 or above 2**31.
    """
    below = np.asarray(bound)
    if below.size and not 1 <= int(below.min()) <= int(below.max()) <= 2**31:
        raise ValueError(f"bounds must lie in [1, 2**31], not [{below.min()}, {below.max()}]")
    below = below.astype(U64)
    bits = draws(seed, *counters)
    high: NDArray[U64] = (bits >> HALF) * below + (((bits & LOW) * below) >> HALF)
    return (high >> HALF).astype(np.int64)


def permutation(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """Shuffle `0 … n - 1`: `(n,)` int64, items in the order of their draws at (seed, epoch, item)."""
    return np.argsort(draws(seed, epoch, np.arange(n)), kind="stable")
