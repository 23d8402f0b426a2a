"""Whether a score rests on the order of equal scores."""

from __future__ import annotations

from torch import Tensor

from requery.ranking.ranks import Ranking


def tied_targets(ranking: Ranking) -> Tensor:
    """Tell which queries have another item with the target's very score among the first items kept.

    Ranks have one rule, score and then gallery index, so every rank is defined. But between equal scores the
    order of the gallery decides, which means nothing: a scorer that gives every item the same score is at
    chance only where the gallery's order has nothing to do with the truth. The share of the queries told here
    is the most by which `recall@K` could differ under any other order of equal scores, for each K below the
    number of items kept.

    Args:
        ranking: with its first items.

    Returns:
        `(Q,)` bool.
    """
    equal = ranking.top_score == ranking.target_score[:, None]  # a missing target's score is NaN
    first = ranking.target_rank[:, None]
    is_target = (first > 0) & (first <= equal.shape[1])
    return equal.sum(1) > is_target[:, 0]
