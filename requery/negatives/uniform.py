"""Uniform negatives: the whole corpus but the target, without a list of it per query."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from requery.errors import DataError, first
from requery.negatives.sampling import ABSENT, Int, draw_places
from requery.ragged import Ragged


class UniformNegatives:
    """Draw negatives from the corpus, or from the query's group of it, less the target and the excluded.

    Used in the warm-up and for the strategy `all` (QuRe, Kwak et al. 2025, §3.2). A corpus item has a place
    in its group, in ascending order; only the few places that cannot be drawn are kept per query.

    Args:
        n_corpus: items in the corpus, `N`.
        target: `(M,)` int64 corpus index of each query's target.
        excluded: `M` rows of corpus indices never drawn (reference images); those of another group than
            the query's are no part of its corpus anyway.
        query_group: `(M,)` int64 group of each query (FashionIQ's category); None = one corpus for all.
        corpus_group: `(N,)` int64 group of each corpus item; given with `query_group`.

    Attributes:
        members: `(N,)` int64 corpus indices, group by group, ascending in each.
        start: `(M,)` int64 where the query's group begins in `members`.
        size: `(M,)` int64 items in the query's group.
        target_place: `(M,)` int64 place of the target in the group.
        taken: `(M, R)` int64 places never drawn, the target's included; ascending, filled with `ABSENT`.

    Raises:
        DataError: a target is outside the corpus or its query's group, or nothing is left to draw.
    """

    def __init__(
        self,
        n_corpus: int,
        target: Tensor,
        excluded: Ragged | None = None,
        query_group: Tensor | None = None,
        corpus_group: Tensor | None = None,
    ) -> None:
        wanted = target.cpu().numpy().astype(np.int64)
        groups = _groups(len(wanted), n_corpus, query_group, corpus_group)
        bad = np.flatnonzero((wanted < 0) | (wanted >= n_corpus)).tolist()
        if bad:
            raise DataError(f"targets outside the corpus of {n_corpus} items at queries {first(bad)}")
        bad = np.flatnonzero(groups[0] != groups[1][wanted]).tolist()
        if bad:
            raise DataError(f"targets in another group than their query at queries {first(bad)}")
        self.members = np.argsort(groups[1], kind="stable")
        ordered = groups[1][self.members]
        self.start: Int = np.searchsorted(ordered, groups[0], "left")
        self.size: Int = np.searchsorted(ordered, groups[0], "right") - self.start
        position = np.empty(n_corpus, dtype=np.int64)
        position[self.members] = np.arange(n_corpus)
        self.target_place: Int = position[wanted] - self.start
        self.taken = self._taken(position, excluded)
        bad = np.flatnonzero((self.taken != ABSENT).sum(1) >= self.size).tolist()
        if bad:
            raise DataError(
                f"no negative is left for queries {first(bad)}: their part of the corpus is too small"
            )

    def __len__(self) -> int:
        return len(self.size)

    def _taken(self, position: Int, excluded: Ragged | None) -> Int:
        """Places of targets and excluded items, `(M, R)` ascending, each once."""
        taken = self.target_place[:, None]
        if excluded is None or excluded.values.numel() == 0:
            return taken
        rows, values = excluded.row_of.numpy(), excluded.values.numpy()
        column = np.arange(len(rows)) - excluded.offsets.numpy()[rows]
        extra = np.full((len(taken), int(excluded.lengths.max())), ABSENT)
        place = position[values] - self.start[rows]
        extra[rows, column] = np.where((place >= 0) & (place < self.size[rows]), place, ABSENT)
        taken = np.sort(np.column_stack([taken, extra]), axis=1)
        taken[:, 1:][taken[:, 1:] == taken[:, :-1]] = ABSENT
        return np.sort(taken, axis=1)

    def sample(self, query: Tensor, k: int, *, seed: int, epoch: int) -> Tensor:
        """Draw k negatives for each query; see `NegativeSets.sample`."""
        at = query.cpu().numpy()
        place = draw_places(self.size[at], self.taken[at], k, seed, epoch, at)
        return torch.from_numpy(self.members[self.start[at][:, None] + place])

    def summary(self) -> dict[str, float]:
        """Quartiles of the number of items each query draws from; nothing falls back."""
        left = self.size - (self.taken != ABSENT).sum(1)
        low, median, high = np.quantile(left, (0.25, 0.5, 0.75)).tolist()
        return {"size_median": median, "size_q1": low, "size_q3": high, "fallbacks": 0.0}


def _groups(
    n_queries: int, n_corpus: int, query_group: Tensor | None, corpus_group: Tensor | None
) -> tuple[Int, Int]:
    if (query_group is None) != (corpus_group is None):
        raise DataError("query_group and corpus_group are given together or not at all")
    if query_group is None or corpus_group is None:
        return np.zeros(n_queries, dtype=np.int64), np.zeros(n_corpus, dtype=np.int64)
    if query_group.numel() != n_queries or corpus_group.numel() != n_corpus:
        raise DataError(
            f"{query_group.numel()} groups for {n_queries} queries, "
            f"{corpus_group.numel()} for {n_corpus} corpus items"
        )
    return query_group.cpu().numpy().astype(np.int64), corpus_group.cpu().numpy().astype(np.int64)
