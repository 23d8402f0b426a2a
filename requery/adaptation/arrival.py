"""A stream of queries as it meets an adapter: in batches, and with or without waiting for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from requery.adaptation.adapter import Adapter


class Arrival:
    """Hands queries to an adapter as its method asks for; time and weights go on from segment to segment.

    Args:
        adapter: answers.
        batch_size: queries that arrive together, where the method does not take another number.

    Attributes:
        batches: that arrived so far.
        adapted: of them, those that were adapted to.
    """

    def __init__(self, adapter: Adapter, batch_size: int) -> None:
        self.adapter = adapter
        self.batch_size = adapter.method.batch_size or batch_size
        self.batches = self.adapted = 0
        self._free = 0.0
        """Time, in forward passes, at which the method is done with its latest batch."""
        self._before: list[Tensor] | None = None

    def split(self, order: Tensor) -> tuple[Tensor, ...]:
        """Cut the numbers of the queries, `(Q,)` in the order of arrival, into batches."""
        return torch.split(order, self.batch_size)

    def answer(self, batch: Any) -> Tensor:
        """Adapt to a batch, or, while the method is busy, embed it with the weights before; `(B, D)`."""
        pace, now = self.adapter.method.pace, self.batches
        self.batches += 1
        if pace is None:
            self.adapted += 1
            return self.adapter.step(batch)
        if now * pace < self._free:
            return self.adapter.embed(batch, self._before)
        self._before, spent = self.adapter.weights(), self.adapter.passes.cost
        rows = self.adapter.step(batch)
        self._free = now * pace + self.adapter.passes.cost - spent
        self.adapted += 1
        return rows

    def embed(self, order: Tensor, inputs: Callable[[Tensor], Any]) -> Tensor:
        """Send all queries through: `(Q, D)`, each in its place.

        Args:
            order: `(Q,)` a permutation of their numbers.
            inputs: from the numbers of a batch to the encoder's input.
        """
        return self.in_place(order, (self.answer(inputs(batch)) for batch in self.split(order)))

    @staticmethod
    def in_place(order: Tensor, rows: Iterator[Tensor]) -> Tensor:
        """Put rows that come in an order, `(B, D)` a batch, back to their places: `(Q, D)`."""
        together = torch.cat(list(rows))
        return torch.empty_like(together).index_copy_(0, order.to(together.device), together)
