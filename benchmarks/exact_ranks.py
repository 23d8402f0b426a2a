"""Exact ranks of all targets and the first 100 items, against the product alone and against torchmetrics."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torchmetrics.retrieval import RetrievalMRR, RetrievalRecall

from benchmarks.measure import Row, best_seconds, peak_memory
from benchmarks.products import fastest, products, unit
from requery.ranking.metrics import per_query
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking, rank

SHARE = 20
"""torchmetrics is timed on this part of the queries: it loops over them, so its time is linear in them."""

RECALL_AT = (1, 5, 10, 50)

Inputs = tuple[Tensor, Tensor, Qrels]


def measure(quick: bool, turns: int) -> list[Row]:
    """5,000 queries × 25,000 items × 256 dimensions, one thing to find for each query."""
    q, n, dim = (300, 1_000, 32) if quick else (5_000, 25_000, 256)
    make = partial(inputs, q, n, dim)
    given = make()
    contestants = {"ranks": partial(ranking, given), "metrics": partial(metrics, given)}
    seconds = best_seconds(turns, {**contestants, **products(*given[:2])})
    few = q // SHARE
    theirs = best_seconds(min(turns, 2), {"metrics": partial(torchmetrics, given, few)})["metrics"]
    size = f"{q:,} × {n:,} × {dim}"
    scaled = f"torchmetrics, {SHARE} times the time of {few:,} queries"
    named = f"recall@{', '.join(map(str, RECALL_AT))} and MRR"
    return [
        Row("exact ranks and top 100", size, seconds["ranks"], *fastest(seconds), peak_memory(make, ranking)),
        Row(named, size, seconds["metrics"], scaled, SHARE * theirs),
    ]


def inputs(q: int, n: int, dim: int) -> Inputs:
    """Unit embeddings and random targets."""
    targets = torch.randint(n, (q,), generator=torch.Generator().manual_seed(2))
    return unit(q, dim, seed=0), unit(n, dim, seed=1), Qrels.from_targets(targets)


def ranking(given: Inputs) -> Ranking:
    """What is measured."""
    return rank(*given)


def metrics(given: Inputs) -> list[Tensor]:
    """What a paper reports, from embeddings."""
    found, names = ranking(given), (*(f"recall@{k}" for k in RECALL_AT), "mrr@100")
    return [per_query(name, found, given[2]).mean() for name in names]


def torchmetrics(given: Inputs, few: int) -> list[Tensor]:
    """The same of the first queries with torchmetrics, which wants all scores, and above 0."""
    queries, gallery, qrels = given
    scores = 1 + queries[:few] @ gallery.T
    relevant = torch.zeros_like(scores, dtype=torch.bool)
    relevant[torch.arange(few), qrels.target[:few]] = True
    query = torch.arange(few, device=scores.device)[:, None].expand_as(scores)
    found = []
    for metric in (*(RetrievalRecall(top_k=k) for k in RECALL_AT), RetrievalMRR(top_k=100)):
        metric.to(scores.device).update(scores, relevant, query)
        found.append(metric.compute())
    return found
