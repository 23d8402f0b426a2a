"""Where the model is worth its cost: judged by the shape of the first retrieval's scores, without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import fmean, pstdev
from typing import Literal, get_args

import numpy as np

from requery.errors import ConfigError
from requery.ranges import at_least, one_of

Shape = Literal["margin", "deviation", "focus"]


@dataclass(frozen=True)
class Gate:
    """Ask the model only where the first retrieval is not sure of itself.

    Args:
        shape: what is measured of the first `depth` scores; see `sharpness`.
        below: queries of less sharpness are expanded; `threshold` finds it for a budget.
        depth: scores that are looked at.
    """

    shape: Shape = "deviation"
    below: float = 0.1
    depth: int = 10

    def __post_init__(self) -> None:
        one_of(self, "shape", get_args(Shape))
        at_least(self, 2, "depth")


def sharpness(scores: Sequence[float], gate: Gate) -> float:
    """How far the best passages stand out; 0 where all are alike, or fewer than two are found.

    `margin`: (s₁ − s₂) / s₁. `deviation`: standard deviation / mean, as NQC (Shtok et al. 2012) with the mean
    of the list in place of the collection's score. `focus`: 1 − H(s / Σs) / ln k, H the entropy.

    Args:
        scores: positive, descending.
        gate: which shape, and how deep.
    """
    top = list(scores[: gate.depth])
    if len(top) < 2:
        return 0.0
    if gate.shape == "margin":
        return (top[0] - top[1]) / top[0]
    if gate.shape == "deviation":
        return pstdev(top) / fmean(top)
    shares = [score / sum(top) for score in top]
    return max(0.0, 1 + sum(share * log(share) for share in shares) / log(len(shares)))


def threshold(values: Sequence[float], share: float) -> float:
    """The `below` that expands about this share of queries like those given.

    Args:
        values: sharpness of some queries, of a training or validation split.
        share: of the queries to expand, in [0, 1].

    Raises:
        ConfigError: there is no value, or the share is out of range.
    """
    if not values or not 0 <= share <= 1:
        raise ConfigError(f"gate: give some queries, and a share in [0, 1], not {share} of {len(values)}")
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    place = round(share * len(ordered))
    return float(np.nextafter(ordered[-1], np.inf) if place == len(ordered) else ordered[place])
