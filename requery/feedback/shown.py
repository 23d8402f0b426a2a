"""What one round showed for some queries: all that a strategy may look at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from requery.errors import ConfigError, DataError
from requery.index.base import VectorIndex

_ITEMS = 4096
"""Items whose embeddings are held at one time while only their means are wanted."""


@dataclass(frozen=True)
class Judged:
    """Items judged so far, in the order they were shown.

    Args:
        items: `(Q, J)` int64.
        marks: `(Q, J)` float in [-1, 1]: above 0 relevant, below 0 irrelevant, 0 not judged.
    """

    items: Tensor
    marks: Tensor

    def then(self, items: Tensor, marks: Tensor) -> Judged:
        """Add what was judged in one more round, `(Q, K)` each; an item judged again loses its older mark."""
        again = (self.items[:, :, None] == items[:, None, :]) & (marks != 0)[:, None, :]
        older = self.marks.masked_fill(again.any(2), 0)
        return Judged(torch.cat([self.items, items], 1), torch.cat([older, marks], 1))


@dataclass(frozen=True)
class Shown:
    """One round of `Q` queries.

    Args:
        number: of the round, from 1.
        rows: `(Q,)` int64 numbers of the queries in their task.
        first: `(Q, D)` the queries of round 1.
        queries: `(Q, D)` the queries of this round.
        base: `(Q, D)` what the next queries start from: `queries` where feedback accumulates, else `first`.
        items: `(Q, K)` int64 items shown, in ranking order.
        scores: `(Q, K)` their scores.
        index: where their vectors are.
        judged: what a user said of these and earlier items; None where nobody was asked.
    """

    number: int
    rows: Tensor
    first: Tensor
    queries: Tensor
    base: Tensor
    items: Tensor
    scores: Tensor
    index: VectorIndex
    judged: Judged | None = None

    def part(self, some: slice) -> Shown:
        """The round of some of the queries."""
        columns = ("rows", "first", "queries", "base", "items", "scores")
        judged = self.judged and Judged(self.judged.items[some], self.judged.marks[some])
        return replace(self, judged=judged, **{name: getattr(self, name)[some] for name in columns})

    def tokens(self, items: Tensor) -> Tensor:
        """All embeddings of some items, `(Q, J)` to `(Q, J, T, D)`, as the queries."""
        return self.index.vectors(items).to(self.queries)

    def vectors(self, items: Tensor) -> Tensor:
        """One vector an item, `(Q, J)` to `(Q, J, D)`: the mean of its embeddings, not normalised."""
        parts = torch.split(items, max(1, _ITEMS // max(1, items.shape[1])))
        return torch.cat([self.tokens(part).mean(-2) for part in parts])

    def require_judged(self, strategy: str) -> Judged:
        """What was judged.

        Raises:
            ConfigError: nobody was asked.
        """
        if self.judged is None:
            raise ConfigError(f"{strategy} needs marks of the shown items: give the rounds a user")
        return self.judged

    def look_up(self, table: Tensor, items: Tensor) -> Tensor:
        """Rows of a table of the gallery's items, `(N, …)`, `(Q, J)` to `(Q, J, …)`, as the queries.

        Raises:
            DataError: the table has another number of rows than the gallery.
        """
        if len(table) != len(self.index):
            raise DataError(
                f"{len(table)} captions for a gallery of {len(self.index)} items; give one an item"
            )
        return table[items.to(table.device)].to(self.queries)
