"""Three-parameter feedback on pairs of judged items, as Qdrant's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from requery.errors import DataError
from requery.feedback.shown import Judged, Shown
from requery.feedback.strategy import Strategy
from requery.feedback.users import User
from requery.index.base import VectorIndex


@dataclass(frozen=True)
class ContextPairs(Strategy):
    """F = a · score + sum over pairs of confidence ** b · c · delta (the naive strategy of Qdrant 1.17).

    A pair is two judged items of unequal marks; its confidence is half their difference and delta how much
    more similar a candidate is to the better one. F is a product with one vector, a q + c · sum of
    confidence ** b (better - worse), so the whole gallery is searched with it. Ours: marks in [-1, 1] in
    place of a model's scores, and the parameters until `fit_context_pairs` has learnt them.

    Args:
        a: weight of the query.
        b: exponent of the confidence; counts for graded marks only.
        c: weight of the pairs.
    """

    a: float = 1.0
    b: float = 1.0
    c: float = 0.1

    def move(self, shown: Shown) -> Tensor:
        """Start from `shown.base`; all rounds' marks count."""
        judged = shown.require_judged(self.name)
        weights = pair_weights(judged.marks.to(shown.queries), self.b)
        towards = torch.einsum("qj,qjd->qd", weights, shown.vectors(judged.items))
        return F.normalize(self.a * shown.base + self.c * towards, dim=-1)


def pair_weights(marks: Tensor, b: float | Tensor) -> Tensor:
    """What each item weighs in the sum over pairs: confidence ** b as the better, less that as the worse.

    Args:
        marks: `(Q, J)`; 0 = not judged.
        b: exponent.

    Returns:
        `(Q, J)`.
    """
    difference = (marks[:, :, None] - marks[:, None, :]) / 2
    judged = (marks != 0)[:, :, None] & (marks != 0)[:, None, :]
    pairs = judged & (difference > 0)
    # The power of 0 has no gradient by its exponent: the others are raised to a power as 1.
    confidence = torch.where(pairs, torch.where(pairs, difference, 1) ** b, 0)
    return confidence.sum(2) - confidence.sum(1)


def fit_context_pairs(
    queries: Tensor,
    index: VectorIndex,
    target: Tensor,
    user: User,
    *,
    k: int = 5,
    pool: int = 100,
    temperature: float = 0.05,
    steps: int = 50,
) -> ContextPairs:
    """Learn a, b and c on a training split, from one round of marks.

    Ours: cross-entropy of picking the target among the first `pool` items of the search, by L-BFGS. Queries
    whose target is not among them are left out.

    Args:
        queries: `(Q, D)` unit queries of the split, numbered from 0 for the user.
        index: the split's gallery.
        target: `(Q,)` int64.
        user: marks the first k.
        k: items shown.
        pool: candidates.
        temperature: of the loss.
        steps: of L-BFGS.

    Raises:
        DataError: no query has its target among the first `pool`.
    """
    scores, items = index.search(queries, max(k, pool))
    rows = torch.arange(len(queries))
    marks = user(rows, 1, items[:, :k])
    found, place = (items == target.cpu()[:, None]).max(1)
    if not bool(found.any()):
        raise DataError(f"no target is among the first {pool} items: nothing to fit; raise the pool")
    vectors = index.vectors(items[found]).float().mean(-2)
    likeness = torch.einsum("qpd,qjd->qpj", vectors, vectors[:, :k]).cpu()
    judged = Judged(items[found, :k], marks[found].float().cpu())
    parameters = torch.tensor([1.0, 1.0, 0.1], requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=steps, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        a, b, c = parameters
        pairs = torch.einsum("qpj,qj->qp", likeness, pair_weights(judged.marks, b))
        value = F.cross_entropy((a * scores[found] + c * pairs) / temperature, place[found])
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return ContextPairs(*parameters.tolist())
