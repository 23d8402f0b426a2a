"""Strategies that use what a user said: marks, pairs, nearest neighbours; and hubs."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from requery.errors import ConfigError, DataError
from requery.feedback import (
    PRF,
    ContextPairs,
    HubCorrection,
    Loop,
    MarkedRocchio,
    NearestMarked,
    SimulatedUser,
    fit_context_pairs,
    inverted_softmax_bias,
    nearest_queries_bias,
    run_rounds,
)
from requery.feedback.shown import Judged, Shown
from requery.index import ExactIndex
from requery.ranking.qrels import Qrels
from tests.requery.feedback.conftest import unit


def graded(world):
    """A model that judges by the similarity to the target, in [-1, 1]."""

    def judge(rows, number, items):
        return torch.einsum("qkd,qd->qk", world.images[items], world.images[world.target[rows]])

    return judge


@pytest.fixture
def shown(world):
    """One round with graded marks, a few of them missing."""
    scores, items = world.index.search(world.queries, 6)
    marks = graded(world)(torch.arange(40), 1, items) * (torch.arange(240).view(40, 6) % 5 > 0)
    q = world.queries
    return Shown(1, torch.arange(40), q, q, q, items, scores, world.index, Judged(items, marks))


def test_marks_move_towards_the_relevant_and_away_from_the_rest(world, shown):
    found = MarkedRocchio().move(shown)
    for row in range(40):
        marks, images = shown.judged.marks[row], world.images[shown.items[row]]
        pull = sum(m * image for m, image in zip(marks, images, strict=True) if m > 0)
        push = sum(-m * image for m, image in zip(marks, images, strict=True) if m < 0)
        expected = 0.6 * world.queries[row]
        expected = expected + (0.2 * pull / pull.norm() if torch.is_tensor(pull) else 0)
        expected = expected - (0.2 * push / push.norm() if torch.is_tensor(push) else 0)
        torch.testing.assert_close(found[row], expected / expected.norm())


def test_context_pairs_search_by_the_formula(world, shown):
    a, b, c = 0.9, 1.7, 0.3
    moved = ContextPairs(a, b, c).move(shown)
    for row in range(0, 40, 7):
        marks, items = shown.judged.marks[row], shown.items[row]
        formula = a * world.images @ world.queries[row]
        for m, better in zip(marks, items, strict=True):
            for n, worse in zip(marks, items, strict=True):
                if m != 0 and n != 0 and m > n:
                    delta = world.images @ (world.images[better] - world.images[worse])
                    formula = formula + ((m - n) / 2) ** b * c * delta
        ours = world.images @ moved[row]
        torch.testing.assert_close(ours / ours.norm(), formula / formula.norm())


def test_the_three_parameters_are_learnt(world):
    judge = graded(world)
    fitted = fit_context_pairs(world.queries[:20], world.index, world.target[:20], judge, pool=40)
    assert fitted.c > 0.1 and fitted == fit_context_pairs(
        world.queries[:20], world.index, world.target[:20], judge, pool=40
    )
    qrels = Qrels.from_targets(world.target).select(torch.arange(20, 40))
    held_out = {"qrels": qrels, "rows": torch.arange(20, 40), "user": judge}
    rounds = run_rounds(world.queries[20:], world.index, fitted, Loop(rounds=2), **held_out)
    first, second = (1 / ranking.target_rank.double() for ranking in rounds.rankings)
    assert second.mean() > first.mean()
    with pytest.raises(DataError, match="no target is among the first 5"):
        fit_context_pairs(world.queries, world.index, torch.full((40,), -1), judge, pool=5)


def test_nearest_marked_against_a_naive_loop(world, shown):
    scores, items = world.index.search(world.queries, 30)
    found = NearestMarked(query_weight=0.5).rescore(shown, items, scores)
    for row in range(40):
        relevant = [world.images[i] for i, m in zip(shown.items[row], shown.judged.marks[row]) if m > 0]
        irrelevant = [world.images[i] for i, m in zip(shown.items[row], shown.judged.marks[row]) if m < 0]
        for place, item in enumerate(items[row]):
            near, far = (
                max((float(world.images[item] @ other) for other in side), default=0.0)
                for side in (relevant, irrelevant)
            )
            expected = 0.5 * float(scores[row, place]) + near - far
            assert found[row, place].item() == pytest.approx(expected, abs=1e-5)


def test_reranking_changes_the_pool_and_nothing_behind_it(world):
    qrels = Qrels.from_targets(world.target)
    user = SimulatedUser(qrels.relevant)
    strategy = NearestMarked(pool=12)
    rounds = run_rounds(world.queries, world.index, strategy, Loop(rounds=3), qrels=qrels, user=user)
    first, last = rounds.rankings[0], rounds.rankings[2]
    outside = first.target_rank > 12
    assert bool(outside.any()) and torch.equal(last.target_rank[outside], first.target_rank[outside])
    assert torch.equal(last.top_index.sort(1).values, first.top_index[:, :12].sort(1).values)
    for row in (~outside).nonzero().flatten().tolist():
        assert last.top_index[row, int(last.target_rank[row]) - 1] == row
    assert bool((last.target_rank[~outside] <= first.target_rank[~outside]).all())
    assert torch.equal(rounds.queries[2], world.queries)


def test_marks_of_all_rounds_count_and_the_latest_of_an_item():
    judged = Judged(torch.tensor([[3, 5]]), torch.tensor([[1.0, -1.0]]))
    later = judged.then(torch.tensor([[5, 3, 8]]), torch.tensor([[1.0, 0.0, -1.0]]))
    assert later.items.tolist() == [[3, 5, 5, 3, 8]]
    assert later.marks.tolist() == [[1, 0, 1, 0, -1]]


def test_a_user_helps_and_a_strategy_without_one_is_refused(world):
    qrels = Qrels.from_targets(world.target)
    options = {"qrels": qrels, "user": SimulatedUser(qrels.relevant, wrong=0.1)}
    plain = run_rounds(world.queries, world.index, PRF(), qrels=qrels).rankings[0].target_rank
    for strategy in (MarkedRocchio(), NearestMarked(), ContextPairs()):
        rounds = run_rounds(world.queries, world.index, strategy, Loop(rounds=3), **options)
        assert (1 / rounds.rankings[2].target_rank).mean() > (1 / plain).mean()
        with pytest.raises(ConfigError, match=f"{strategy.name} needs marks"):
            run_rounds(world.queries, world.index, strategy)


def hubs():
    """A gallery of several embeddings an item, and a bank."""
    images, bank = unit(50, 2, 8), unit(30, 8, seed=1)
    index = ExactIndex()
    index.add(images)
    scores = torch.einsum("bd,ntd->bnt", bank, images).amax(2).double().numpy()
    return index, bank, scores


def test_nearest_queries_bias_against_numpy():
    index, bank, scores = hubs()
    found = nearest_queries_bias(index, bank, neighbours=4, weight=0.5)
    expected = 0.5 * np.sort(scores, axis=0)[-4:].mean(0)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
    with pytest.raises(DataError, match="a bank of 30 queries has no 31"):
        nearest_queries_bias(index, bank, neighbours=31)


def test_inverted_softmax_ranks_as_the_quotient():
    index, bank, scores = hubs()
    bias = inverted_softmax_bias(index, bank, temperature=0.1)
    query = unit(1, 8, seed=3)
    own, items = index.search(query, 50)
    own = own.double().numpy()[0][np.argsort(items[0].numpy())]
    quotient = np.exp(own / 0.1) / np.exp(scores / 0.1).sum(0)
    ours = torch.from_numpy(own) - bias.double()
    assert ours.argsort().tolist() == np.argsort(quotient).tolist()
    with pytest.raises(DataError, match="holds no query"):
        inverted_softmax_bias(index, bank[:0])


def test_a_hub_yields_to_the_item_of_its_query():
    hub, own = normalize(torch.ones(1, 4), dim=1), torch.eye(4)
    queries = normalize(hub + 0.6 * own, dim=1)
    index = ExactIndex()
    index.add(torch.cat([hub, own]))
    bias = nearest_queries_bias(index, queries, neighbours=4, weight=1.0)
    strategy = HubCorrection(bias=bias, pool=5)
    qrels = Qrels.from_targets(torch.arange(1, 5))
    rounds = run_rounds(queries, index, strategy, Loop(rounds=2, k=2), qrels=qrels)
    assert [ranking.target_rank.tolist() for ranking in rounds.rankings] == [[2] * 4, [1] * 4]
