"""The interface of every index."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from torch import Tensor

from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking


class Index(Protocol):
    """A gallery that can be searched. Items are numbered in the order they are added."""

    def __len__(self) -> int:
        """How many items it holds."""
        ...

    def add(self, embeddings: Tensor) -> None:
        """Append items, `(n, T, D)` or `(n, D)`."""
        ...

    def search(self, queries: Tensor, k: int, excluded: Ragged | None = None) -> tuple[Tensor, Tensor]:
        """Find the first k items of each query.

        Args:
            queries: `(Q, D)`.
            k: how many, clipped to the number of items.
            excluded: `Q` rows of items left out.

        Returns:
            Scores `(Q, k)` float32, descending, -inf where exclusions leave fewer items, and their
            indices `(Q, k)` int64, -1 there.
        """
        ...

    def rank(self, queries: Tensor, qrels: Qrels, *, top_k: int = 100) -> Ranking:
        """Rank all items for each of `Q` queries, `(Q, D)`; ranks of what the index cannot see are 0."""
        ...

    def save(self, path: Path | str) -> None:
        """Write the index to a file, whole or not at all."""
        ...

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote."""
        ...


@runtime_checkable
class VectorIndex(Index, Protocol):
    """An index that gives back the vectors it holds: what relevance feedback needs."""

    def vectors(self, items: Tensor) -> Tensor:
        """The embeddings of some items, `(…,)` int64 to `(…, T, D)` float32; T = 1 where an item has one."""
        ...
