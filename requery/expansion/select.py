"""Choose the best expansions without labels: by what each finds, and how far the others agree."""

from __future__ import annotations

from collections.abc import Sequence

from requery.expansion.retriever import Found
from requery.index.hybrid import CONSTANT


def fuse(
    rankings: Sequence[Sequence[int]], weights: Sequence[float] | None = None
) -> list[tuple[int, float]]:
    """Reciprocal rank fusion of one query: sum over rankings of w / (60 + rank), best first, ties by item.

    In float64, of rankings of any length; `requery.index.hybrid.fuse` takes whole lists of many queries.

    Args:
        rankings: items, best first.
        weights: one a ranking; default 1.

    Returns:
        Items and their scores.
    """
    scores: dict[int, float] = {}
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for rank, item in enumerate(ranking, 1):
            scores[item] = scores.get(item, 0.0) + weight / (CONSTANT + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def utilities(found: Sequence[Found], consensus: float = 1.0, top: int = 3, depth: int = 10) -> list[float]:
    """How useful each expansion of one query is: its retrieval's strength, and its agreement with the others.

    u(e) = m(e) / max m + consensus * |top-depth(e) ∩ C| / depth, where m(e) is the mean score of the first
    `top` passages (0 where there are fewer) and C the first `depth` of the fusion of all expansions. Scores
    are divided by the best one's because those of BM25 have no scale of their own.

    Args:
        found: what each expansion finds, at least `depth` deep.
        consensus: weight of the agreement.
        top: passages whose scores count.
        depth: passages compared.
    """
    agreed = {item for item, _ in fuse([f.items[:depth] for f in found])[:depth]}
    means = [sum(f.scores[:top]) / top for f in found]
    best = max(means, default=0.0) or 1.0
    shares = [len(agreed.intersection(f.items[:depth])) / depth for f in found]
    return [mean / best + consensus * share for mean, share in zip(means, shares, strict=True)]


def window(values: Sequence[float], size: int) -> list[int]:
    """Places of the `size` largest values, largest first; ties in their order."""
    return sorted(range(len(values)), key=lambda place: (-values[place], place))[:size]
