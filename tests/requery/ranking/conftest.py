"""Small random problems and a ranking by plain loops."""

from pathlib import Path

import pytest
import torch

from requery.ragged import Ragged
from requery.ranking.qrels import Qrels


@pytest.fixture(scope="session")
def official() -> Path:
    return Path(__file__).parents[2] / "fixtures" / "qure"


def _unit(x):
    return torch.nn.functional.normalize(x, dim=-1)


@pytest.fixture
def problem():
    """`make(seed, n_queries, n_gallery, tokens)`: queries, gallery, truth; every third query misses."""

    def make(seed=0, n_queries=40, n_gallery=70, tokens=1, ties=False, dim=8, full=True):
        g = torch.Generator().manual_seed(seed)
        queries = _unit(torch.randn(n_queries, dim, generator=g))
        gallery = _unit(torch.randn(n_gallery, tokens, dim, generator=g))
        if ties:  # few distinct items, whose products are exact
            queries = torch.eye(dim)[torch.randint(dim, (n_queries,), generator=g)]
            gallery = torch.randint(-1, 2, (n_gallery, tokens, dim), generator=g).float()
            gallery[..., 0] += 3.0
        target = torch.randint(n_gallery, (n_queries,), generator=g)
        target[2::3] = -1
        relevant, grades, excluded, subset = [], [], [], []
        for t in target.tolist():
            others = torch.randperm(n_gallery, generator=g)[: int(torch.randint(0, 6, (1,), generator=g))]
            row = sorted({*others.tolist(), *([t] if t >= 0 else [])})
            relevant.append(row)
            grades += [2 if i == t else 1 for i in row]
            excluded.append(torch.randperm(n_gallery, generator=g)[:2].tolist())
            some = torch.randperm(n_gallery, generator=g)[:5].tolist()
            subset.append(sorted({*some, *([t] if t >= 0 else []), excluded[-1][0]}))
        qrels = Qrels(
            target,
            Ragged.from_rows(relevant),
            torch.tensor(grades, dtype=torch.int64),
            Ragged.from_rows(excluded) if full else None,
            Ragged.from_rows(subset) if full else None,
        )
        return queries, gallery, qrels

    return make


@pytest.fixture
def naive():
    """`rank(queries, gallery, qrels)`: each query's gallery indices in ranking order, and all scores."""

    def rank(queries, gallery, qrels):
        # float64 differs from float32 only in order of scores closer than rounding: none in these problems
        scores = torch.einsum("qd,ntd->qnt", queries.double(), gallery.double()).amax(2)
        rows = scores.tolist()
        orders = []
        for q in range(len(queries)):
            out = set() if qrels.excluded is None else set(qrels.excluded[q].tolist())
            kept = [i for i in range(len(gallery)) if i not in out]
            orders.append(sorted(kept, key=lambda i: (-rows[q][i], i)))
        return orders, scores

    return rank
