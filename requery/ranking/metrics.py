"""Metrics of a ranking. All are functions of ranks, never of scores, and fractions.

`m` is the number of relevant items that can be retrieved: in the gallery and not excluded. A query
without any counts 0.

| name | per query |
|---|---|
| `recall@k` | 1 where the target is in the first k |
| `hit_any@k` | 1 where any relevant item is |
| `recall_subset@k` | 1 where the target is in the first k of the query's subset |
| `map@k` | sum of precision@rank over relevant items in the first k, over min(k, m) (as CIRCO) |
| `mrr@k` | reciprocal rank of the first relevant item, 0 beyond k |
| `precision@k` | relevant items in the first k, over k, also where the gallery holds fewer than k |
| `ndcg@k` | sum of grade / log2(rank + 1) over the first k, over that of the best order |
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from requery.errors import ConfigError, DataError
from requery.ranking.bootstrap import interval, resampled_means
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking

RESAMPLES = 2_000


@dataclass(frozen=True)
class Estimate:
    """A mean over `n` queries with its 95 % interval (percentile bootstrap over queries)."""

    value: float
    low: float
    high: float
    n: int


def parse(name: str) -> tuple[str, int]:
    """Split `recall@10` into its parts.

    Raises:
        ConfigError: unknown metric (with a suggestion), or k is not a positive integer.

    >>> parse("recall_subset@3")
    ('recall_subset', 3)
    """
    kind, _, depth = name.partition("@")
    if kind not in _METRICS:
        close = difflib.get_close_matches(kind, _METRICS, n=1)
        hint = f"did you mean {close[0]}@{depth or 10}?" if close else f"known are {', '.join(_METRICS)}"
        raise ConfigError(f"unknown metric {name!r}: {hint}")
    if not re.fullmatch(r"0*[1-9]\d{0,8}", depth, re.ASCII):
        raise ConfigError(f"metric {name!r}: after the @ comes a whole number of at least 1, as in {kind}@10")
    return kind, int(depth)


def per_query(name: str, ranking: Ranking, qrels: Qrels) -> Tensor:
    """Compute one metric for each query.

    Args:
        name: such as `recall@10`.
        ranking: of the queries of `qrels`.
        qrels: the truth the ranking was made with.

    Returns:
        `(Q,)` float64.

    Raises:
        ConfigError: unknown metric, bad k, or `recall_subset` where the truth has no subsets.
    """
    kind, k = parse(name)
    return _METRICS[kind](ranking, qrels, k)


def evaluate(
    ranking: Ranking, qrels: Qrels, names: Sequence[str], *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Estimate]:
    """Average metrics over queries, with intervals from one set of resamples.

    Args:
        ranking: of the queries of `qrels`, at least one.
        qrels: the truth.
        names: metrics, such as `recall@10`.
        seed: of the resamples.
        resamples: how many.

    Raises:
        ConfigError: as `per_query`.
        DataError: there is no query.
    """
    if len(qrels) == 0:
        raise DataError("there is no query to evaluate")
    if not names:
        return {}
    values = torch.stack([per_query(name, ranking, qrels) for name in names], 1)
    low, high = interval(resampled_means(values, resamples, seed)).tolist()
    means = values.mean(0).tolist()
    return {name: Estimate(means[i], low[i], high[i], len(qrels)) for i, name in enumerate(names)}


def _recall(ranking: Ranking, qrels: Qrels, k: int) -> Tensor:
    return _within(ranking.target_rank, k).double()


def _recall_subset(ranking: Ranking, qrels: Qrels, k: int) -> Tensor:
    if ranking.subset_rank is None:
        raise ConfigError(f"recall_subset@{k} needs subsets, which this benchmark does not define")
    return _within(ranking.subset_rank, k).double()


def _hit_any(ranking: Ranking, qrels: Qrels, k: int) -> Tensor:
    return (_hits(ranking, qrels, k) > 0).double()


def _precision(ranking: Ranking, qrels: Qrels, k: int) -> Tensor:
    return _hits(ranking, qrels, k) / k


def _mrr(ranking: Ranking, qrels: Qrels, k: int) -> Tensor:
    ranks = ranking.relevant_rank
    gain = torch.where(_within(ranks, k), 1 / ranks.double(), 0.0)
    best = torch.zeros(len(qrels), dtype=torch.float64)
    return best.scatter_reduce_(0, qrels.relevant.row_of, gain, "amax")


def _map(ranking: Ranking, qrels: Qrels, k: int) -> Tensor:
    rows, ranks = qrels.relevant.row_of, ranking.relevant_rank
    inside = _within(ranks, k)
    rows, ranks = rows[inside], ranks[inside]
    order = _order(rows, ranks)
    precision = (_position(rows[order]) + 1).double() / ranks[order]
    total = _per_row(rows[order], precision, len(qrels))
    return total / _retrievable(qrels).clamp(1, k)


def _ndcg(ranking: Ranking, qrels: Qrels, k: int) -> Tensor:
    ranks = ranking.relevant_rank
    gain = torch.where(_within(ranks, k), qrels.grades * discount(ranks), 0.0)
    found = _per_row(qrels.relevant.row_of, gain, len(qrels))
    ideal = ideal_gain(qrels, k)
    return torch.where(ideal > 0, found / ideal, 0.0)


_METRICS: dict[str, Callable[[Ranking, Qrels, int], Tensor]] = {
    "recall": _recall,
    "hit_any": _hit_any,
    "recall_subset": _recall_subset,
    "map": _map,
    "mrr": _mrr,
    "precision": _precision,
    "ndcg": _ndcg,
}


def discount(ranks: Tensor) -> Tensor:
    """1 / log2(rank + 1), float64 (Järvelin & Kekäläinen 2002)."""
    return 1 / (ranks.double() + 1).log2()


def ideal_gain(qrels: Qrels, k: int) -> Tensor:
    """`(Q,)` float64: discounted gain of the first k when the highest grades come first."""
    kept = qrels.retrievable
    rows, grades = qrels.relevant.row_of[kept], qrels.grades[kept]
    order = _order(rows, -grades)
    ranks = _position(rows) + 1
    gain = torch.where(ranks <= k, grades[order] * discount(ranks), 0.0)
    return _per_row(rows, gain, len(qrels))


def _within(ranks: Tensor, k: int) -> Tensor:
    return (ranks > 0) & (ranks <= k)


def _hits(ranking: Ranking, qrels: Qrels, k: int) -> Tensor:
    return _per_row(qrels.relevant.row_of, _within(ranking.relevant_rank, k).double(), len(qrels))


def _retrievable(qrels: Qrels) -> Tensor:
    return _per_row(qrels.relevant.row_of, qrels.retrievable.double(), len(qrels))


def _per_row(rows: Tensor, values: Tensor, n: int) -> Tensor:
    return torch.zeros(n, dtype=torch.float64).index_add_(0, rows, values)


def _order(rows: Tensor, values: Tensor) -> Tensor:
    """Positions sorted by row, and by value within a row."""
    by_value = values.argsort(stable=True)
    return by_value[rows[by_value].argsort(stable=True)]


def _position(rows: Tensor) -> Tensor:
    """Place of each entry within its row, from 0; `rows` ascends."""
    return torch.arange(rows.numel()) - torch.searchsorted(rows, rows)
