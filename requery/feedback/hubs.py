"""Hubs pulled down: candidates that a bank of other queries finds too are ranked lower, without training.

Both corrections subtract from each score a number of the item alone, made once for a gallery.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from requery.errors import DataError
from requery.feedback.last import best_scores
from requery.feedback.shown import Shown
from requery.feedback.strategy import Reranking
from requery.index.base import VectorIndex

_SCORES = 1 << 22
"""Scores held at one time: 16 MiB."""


@dataclass(frozen=True, eq=False, kw_only=True)
class HubCorrection(Reranking):
    """Rank by score - bias of the item; a correction, not feedback: what was shown does not count.

    Args:
        bias: `(N,)`, by `nearest_queries_bias` or `inverted_softmax_bias`.
    """

    bias: Tensor

    def rescore(self, shown: Shown, items: Tensor, scores: Tensor) -> Tensor:
        """By the item alone."""
        return scores - self.bias[items.to(self.bias.device)].to(scores)


def nearest_queries_bias(
    index: VectorIndex, bank: Tensor, neighbours: int = 16, weight: float = 0.75
) -> Tensor:
    """Nearest-neighbour normalisation (NNN; Chowdhury et al., EMNLP 2024).

    The bias is weight · mean score of the k queries of the bank that find the item best. Both numbers are to
    be chosen on a validation split, as there; the defaults are ours.

    Args:
        index: of `N` items.
        bank: `(B, D)` unit queries of another split.
        neighbours: k, at most B.
        weight: alpha.

    Returns:
        `(N,)`.

    Raises:
        DataError: the bank holds fewer queries than `neighbours`.
    """
    if len(bank) < neighbours:
        raise DataError(f"a bank of {len(bank)} queries has no {neighbours} nearest ones; give more queries")
    return _bias(index, bank, lambda scores: weight * scores.topk(neighbours, dim=0).values.mean(0))


def inverted_softmax_bias(index: VectorIndex, bank: Tensor, temperature: float = 0.05) -> Tensor:
    """Query-bank normalisation (Bogolin et al., CVPR 2022), the inverted softmax.

    exp(s / t) over its sum among the bank's queries, in the logarithm: t · log of the sum of exp(s_b / t) is
    subtracted from s. Their dynamic choice of the items it applies to is left out.

    Args:
        index: of `N` items.
        bank: `(B, D)` unit queries of another split, at least one.
        temperature: t; theirs is 1/20.

    Returns:
        `(N,)`.

    Raises:
        DataError: the bank is empty.
    """
    if len(bank) == 0:
        raise DataError("the bank holds no query; give queries of another split")
    return _bias(index, bank, lambda scores: temperature * (scores / temperature).logsumexp(0))


def _bias(index: VectorIndex, bank: Tensor, of_scores: Callable[[Tensor], Tensor]) -> Tensor:
    """A function of the `(B, n)` scores of the bank and n items, for all items."""
    score = partial(best_scores, bank)
    parts = torch.split(torch.arange(len(index)), max(1, _SCORES // len(bank)))
    return torch.cat([of_scores(score(index.vectors(items).to(bank))) for items in parts])
