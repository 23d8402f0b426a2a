"""A control: what feedback gives when it is another query's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from requery.errors import ConfigError
from requery.feedback.shown import Judged, Shown
from requery.feedback.strategy import Reranking, Strategy
from requery.rng import uniform_below


@dataclass(frozen=True)
class Shuffled(Strategy):
    """A strategy fed with what was shown, and marked, for another query: what it gains so is not feedback's.

    The queries of a block exchange what they were shown in a ring, by a step drawn from (seed, round, first
    query). A query alone in its block gets no feedback.

    Args:
        strategy: which moves the queries.
        seed: of the step.

    Raises:
        ConfigError: the strategy ranks candidates anew instead.
    """

    strategy: Strategy
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.strategy, Reranking):
            raise ConfigError(f"{self.strategy.name} moves no query: there is nothing to shuffle")

    @property
    def name(self) -> str:
        """With the strategy's."""
        return f"{self.strategy.name}, shuffled"

    def move(self, shown: Shown) -> Tensor:
        """Let the strategy move the queries by the others' items."""
        n = len(shown.rows)
        if n == 1:
            return shown.queries
        step = 1 + int(uniform_below(n - 1, self.seed, shown.number, int(shown.rows[0])))
        other = torch.arange(n, device=shown.items.device).roll(step)
        judged = shown.judged and Judged(shown.judged.items[other], shown.judged.marks[other])
        swapped = replace(shown, items=shown.items[other], scores=shown.scores[other], judged=judged)
        return self.strategy.move(swapped)
