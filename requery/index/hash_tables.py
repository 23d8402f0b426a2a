"""Hash tables of random hyperplanes as QueryFormer's Algorithm 1 states them: a reference, not for use.

Only items that share a whole bucket with the query are looked at, so many near ones are missed: on 112,724
vectors half of the true first ten or more. `LshIndex` scans codes instead.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from requery.errors import ConfigError
from requery.index.single import one_each, score_candidates
from requery.ranking.listed import rank_listed
from requery.ranking.qrels import Qrels

MAX_BITS = 62
"""Bits of a bucket's number."""


class HashTables:
    """`tables` tables, each with a bucket for every pattern of signs on its own `bits` hyperplanes.

    Args:
        tables: L of the paper.
        bits: k of the paper, hyperplanes a table.
        seed: of the hyperplanes' normals, r ~ N(0, I).

    Raises:
        ConfigError: a number is out of range.
    """

    def __init__(self, tables: int = 16, bits: int = 12, seed: int = 0) -> None:
        if tables < 1 or not 1 <= bits <= MAX_BITS:
            raise ConfigError(f"{tables} tables of {bits} bits: at least one table, 1 to {MAX_BITS} bits")
        self.tables, self.bits, self.seed = tables, bits, seed
        self._gallery = torch.empty(0, 0)

    def __len__(self) -> int:
        return len(self._gallery)

    def add(self, embeddings: Tensor) -> None:
        """Hash items, `(n, D)`, normalised first; once.

        Raises:
            ConfigError: there are items already.
            EmbeddingError: an item has several embeddings, or NaN, infinite or zero norm.
        """
        if len(self):
            raise ConfigError("the tables are filled; make others for another gallery")
        self._gallery = torch.nn.functional.normalize(one_each(embeddings, None), dim=1)
        keys = self.keys(self._gallery)
        # Sorted by bucket, an item's bucket mates stand beside it: a table needs no lists.
        self._sorted, self._order = keys.T.contiguous().sort(dim=1, stable=True)

    def keys(self, vectors: Tensor) -> Tensor:
        """The bucket of each vector in each table, `(n, D)` to `(n, tables)` int64; bit j is 1 << j."""
        normals = torch.randn(
            self.tables * self.bits, vectors.shape[1], generator=torch.Generator().manual_seed(self.seed)
        )
        signs = (vectors @ normals.T >= 0).long().view(len(vectors), self.tables, self.bits)
        return (signs << torch.arange(self.bits)).sum(2)

    def candidates(self, queries: Tensor) -> list[Tensor]:
        """The items that share a bucket with each query, ascending."""
        wanted = self.keys(queries).T.contiguous()
        begin = torch.searchsorted(self._sorted, wanted).T
        end = torch.searchsorted(self._sorted, wanted, right=True).T
        spans = zip(begin.tolist(), end.tolist(), strict=True)
        found = []
        for span in spans:
            parts = [self._order[table, a:b] for table, (a, b) in enumerate(zip(*span, strict=True))]
            found.append(torch.unique_consecutive(torch.cat(parts).sort().values))
        return found

    def search(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Find the first k items of each query by cosine, `(Q, D)`; -inf and -1 where buckets hold fewer."""
        asked = torch.nn.functional.normalize(queries.float(), dim=1)
        found = self.candidates(asked)
        padded = torch.nn.utils.rnn.pad_sequence(found, batch_first=True, padding_value=-1)
        no_truth = Qrels.from_targets(torch.full((len(asked),), -1))
        scores = score_candidates(asked, self._gallery, padded)
        ranking = rank_listed(scores, padded, no_truth, len(self), top_k=k)
        return ranking.top_score, ranking.top_index


def found_probability(cosine: float, tables: int, bits: int) -> float:
    """How likely an item of some cosine to the query is among its candidates: 1 − (1 − (1 − θ/π)^k)^L.

    >>> round(found_probability(0.8, tables=32, bits=12), 3)
    0.879
    """
    collision = 1 - math.acos(cosine) / math.pi
    return 1 - (1 - collision**bits) ** tables
