"""Search as a ranking without a truth, the same for every index that can rank."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking


class RankedSearch(ABC):
    """Gives an index its `search` by its `rank`: both have the same scores and the same rule for ties."""

    @abstractmethod
    def rank(self, queries: Tensor, qrels: Qrels, *, top_k: int = 100) -> Ranking:
        """Rank the items for each query; see `Index.rank`."""

    def search(self, queries: Tensor, k: int, excluded: Ragged | None = None) -> tuple[Tensor, Tensor]:
        """Find the first k items of each query, as far as the index sees them; see `Index.search`.

        Raises:
            ConfigError: k is not positive.
            DataError: nothing was added, or exclusions do not fit.
            EmbeddingError: a query has NaN, infinite or zero norm, or another size.
        """
        no_targets = torch.full((queries.shape[0],), -1)
        ranking = self.rank(queries, Qrels.from_targets(no_targets, excluded), top_k=k)
        return ranking.top_score, ranking.top_index
