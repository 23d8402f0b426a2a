"""The best a method can expect that knows what satisfies a request, but not which item is the target."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from requery.errors import ConfigError
from requery.ranking.metrics import discount, ideal_gain, parse
from requery.ranking.qrels import Qrels


def ceiling(qrels: Qrels, names: Sequence[str]) -> dict[str, float]:
    """Average what an oracle reaches that ranks all relevant items first, in random order.

    With m retrievable relevant items, the expectation over that order is, per query:
    `recall@k` min(k, m) / m; `recall_subset@k` the same with the relevant items of the subset;
    `hit_any@k`, `mrr@k`, `map@k` 1; `precision@k` min(k, m) / k; `ndcg@k` mean grade x the sum of
    1 / log2(rank + 1) over the first min(k, m) ranks, over the gain of the best order (exact, as each
    item is equally likely at each rank). A target that cannot be retrieved gives 0.

    Args:
        qrels: the truth.
        names: metrics, such as `recall@10`.

    Raises:
        ConfigError: unknown metric, bad k, or `recall_subset` where the truth has no subsets.
    """
    return {name: float(_of(qrels, *parse(name)).mean()) for name in names}


def _of(qrels: Qrels, kind: str, k: int) -> Tensor:
    rows, kept = qrels.relevant.row_of, qrels.retrievable
    m = _count(rows[kept], len(qrels))
    is_target = qrels.relevant.values == qrels.target[rows]
    target = _count(rows[is_target & kept], len(qrels))  # 1 where it can be found, else 0
    if kind == "recall":
        return target * m.clamp(max=k) / m.clamp(min=1)
    if kind == "recall_subset":
        listed = _listed(qrels)
        inside = _count(rows[kept & listed], len(qrels))
        target = _count(rows[is_target & kept & listed], len(qrels))
        return target * inside.clamp(max=k) / inside.clamp(min=1)
    if kind == "precision":
        return m.clamp(max=k) / k
    if kind == "ndcg":
        total = torch.zeros(len(qrels), dtype=torch.float64)
        total.index_add_(0, rows[kept], qrels.grades[kept].double())
        most = min(k, int(m.max()))
        gains = torch.cat(
            [torch.zeros(1, dtype=torch.float64), discount(torch.arange(1, most + 1)).cumsum(0)]
        )
        expected = total / m.clamp(min=1) * gains[m.clamp(max=most).long()]
        return torch.where(m > 0, expected / ideal_gain(qrels, k), 0.0)
    return (m > 0).double()


def _listed(qrels: Qrels) -> Tensor:
    """`(relevant total,)` bool: which relevant items stand in their query's subset."""
    if qrels.subset is None:
        raise ConfigError("recall_subset needs subsets, which this benchmark does not define")
    n = 1 + max((int(r.values.max()) for r in (qrels.relevant, qrels.subset) if r.values.numel()), default=0)
    relevant, subset = (r.row_of * n + r.values for r in (qrels.relevant, qrels.subset))
    return torch.isin(relevant, subset)


def _count(rows: Tensor, n: int) -> Tensor:
    return torch.bincount(rows, minlength=n).double()
