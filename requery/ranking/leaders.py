"""The first items of each ranking so far, while a query block's strips go by."""

from __future__ import annotations

import torch
from torch import Tensor

from requery.ranking.strips import Strip
from requery.ranking.tiles import QUERY_BLOCK
from requery.ranking.top import NEVER, largest, unpack


class Leaders:
    """Keep the first k items of each query of a block; the order of the strips does not matter.

    Args:
        n_queries: queries in the block; its other rows are padding.
        k: how many.
        device: of the scores.
    """

    def __init__(self, n_queries: int, k: int, device: torch.device) -> None:
        self._keys = torch.full((QUERY_BLOCK, k), NEVER, device=device)
        self._floor = torch.full((QUERY_BLOCK,), torch.inf, device=device)
        self._floor[:n_queries] = torch.finfo(torch.float32).min  # excluded items score -inf
        self._n_queries = n_queries

    def add(self, strip: Strip) -> None:
        """Look for leaders among some more items."""
        k = self._keys.shape[1]
        found = strip.top_keys(k, self._floor)
        self._keys = largest(torch.cat([self._keys, found], 1), k)
        # An item that does not reach the k-th best so far will never be a leader.
        self._floor = torch.maximum(self._floor, unpack(self._keys[:, -1])[0])

    @property
    def keys(self) -> Tensor:
        """`(n_queries, k)` int64 keys in ranking order, `NEVER` where items end."""
        return self._keys[: self._n_queries]
