"""Ranks equal a full sort for any problem, and nothing but a named error comes of any other input."""

import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from requery.errors import RequeryError
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import MEMORY_BUDGET, rank
from requery.ranking.tiles import GALLERY_BLOCK
from tests.properties import for_all, inputs

GRID = st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0])
SIZES = st.sampled_from([*range(1, 10), *range(1, 10), GALLERY_BLOCK, 2 * GALLERY_BLOCK + 3])
ANYTHING = st.sampled_from([1.0, -1.0, 0.5, 0.0, 1e30, float("nan"), float("inf"), -float("inf")])


@st.composite
def problems(draw):
    """Scores on a coarse grid, so that most of them tie; long galleries repeat a few items."""
    n_queries, n_items, tokens = draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(st.integers(1, 2))
    n = draw(SIZES)
    grid = torch.from_numpy(draw(arrays("float32", (n_items, tokens, n_queries), elements=GRID)))
    item = torch.arange(n) * draw(st.sampled_from([1, 3, 5])) % n_items
    # Query q is the unit vector q, so its score is an item's largest coordinate q; the last coordinate
    # keeps every norm above zero.
    gallery = torch.cat([grid[item], torch.ones(n, tokens, 1)], dim=2)
    queries = torch.eye(n_queries + 1)[:n_queries]
    some = st.lists(st.integers(0, n - 1), max_size=4)
    target = [draw(st.integers(-1, n - 1)) for _ in range(n_queries)]
    relevant = [sorted({*draw(some), *([t] if t >= 0 else [])}) for t in target]
    grades = [2 if i == t else 1 for t, row in zip(target, relevant, strict=True) for i in row]
    excluded = Ragged.from_rows([draw(some) for _ in target])
    subset = Ragged.from_rows([sorted({*draw(some)}) for _ in target])
    qrels = Qrels(
        torch.tensor(target),
        Ragged.from_rows(relevant),
        torch.tensor(grades, dtype=torch.int64),
        draw(st.sampled_from([None, excluded])),
        draw(st.sampled_from([None, subset])),
    )
    return queries, gallery, qrels, draw(st.integers(1, 12)), draw(st.sampled_from([1, MEMORY_BUDGET]))


@inputs(2000)
def test_ranks_are_those_of_a_full_sort(naive, examples):
    @for_all(examples, problems())
    def holds(problem):
        queries, gallery, qrels, top_k, budget = problem
        ranking = rank(queries, gallery, qrels, top_k=top_k, memory_budget=budget)
        orders, scores = naive(queries, gallery, qrels)
        k = min(top_k, len(gallery))
        for q, order in enumerate(orders):
            place = {item: i for i, item in enumerate(order, 1)}
            target, padding = int(qrels.target[q]), k - len(order[:k])
            at = slice(int(qrels.relevant.offsets[q]), int(qrels.relevant.offsets[q + 1]))
            assert ranking.target_rank[q] == place.get(target, 0)
            assert ranking.relevant_rank[at].tolist() == [place.get(i, 0) for i in qrels.relevant[q].tolist()]
            assert ranking.top_index[q].tolist() == order[:k] + [-1] * padding
            assert ranking.top_score[q].tolist() == scores[q][order[:k]].tolist() + [-torch.inf] * padding
            assert ranking.target_score[q] == scores[q, target] if target in place else not place.get(target)
            if qrels.subset is not None:
                listed = target in place and target in qrels.subset[q]
                among = [i for i in order if i in qrels.subset[q]]
                assert ranking.subset_rank[q] == (among.index(target) + 1 if listed else 0)


@st.composite
def nonsense(draw):
    """A problem of a few items in which shapes, values, truth and k are now and then wrong."""

    def usually(value, otherwise):
        return draw(otherwise) if draw(st.integers(0, 9)) == 7 else value

    n_queries, n, dim = draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.integers(1, 3))
    small = st.integers(0, 3)
    sides = []
    for shape in ([n_queries, dim], [n, draw(st.integers(1, 2)), dim]):
        values = usually(st.sampled_from([1.0, -1.0, 0.5]), st.just(ANYTHING))
        shape = usually([usually(size, small) for size in shape], st.lists(small, max_size=4))
        sides.append(torch.from_numpy(draw(arrays("float32", shape, elements=values))))
    items = st.integers(0, n - 1)
    rows = st.lists(usually(items, st.just(st.integers(-2, n + 1))), max_size=3)
    n_rows = usually(n_queries, small)
    target = [usually(draw(items), st.integers(-3, n + 1)) for _ in range(n_rows)]
    truth = Qrels.from_targets(torch.tensor(target, dtype=torch.int64))
    others = [Ragged.from_rows([draw(rows) for _ in range(usually(n_rows, small))]) for _ in range(2)]
    others = [draw(st.sampled_from([None, other])) for other in others]
    qrels = Qrels(truth.target, truth.relevant, truth.grades, *others)
    return *sides, qrels, usually(draw(st.integers(1, 7)), st.integers(-1, 0))


@inputs(1000)
def test_any_input_is_ranked_or_refused_by_name(examples):
    @for_all(examples, nonsense())
    def holds(problem):
        queries, gallery, qrels, top_k = problem
        try:
            ranking = rank(queries, gallery, qrels, top_k=top_k)
        except RequeryError as error:
            assert str(error)
        else:
            assert len(ranking) == len(queries) and ranking.n_gallery == len(gallery) > 0
            assert bool((ranking.target_rank > 0).eq(ranking.target_score.isfinite()).all())
