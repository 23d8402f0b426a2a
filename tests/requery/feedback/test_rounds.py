import math
from copy import copy

import pytest
import torch
from torch.nn.functional import normalize

from requery.errors import ConfigError, DataError, RunError
from requery.feedback import (
    GRF,
    PRF,
    Explicit,
    FeedbackStage,
    Guards,
    Loop,
    NearestMarked,
    NoFeedback,
    Rounds,
    Session,
    SimulatedUser,
    VectorPRF,
    feedback_rounds,
    run_rounds,
)
from requery.index import ExactIndex
from requery.pipeline import QueryBatch, Stages, run
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.tiles import QUERY_BLOCK
from tests.requery.feedback.conftest import unit


class Counting(ExactIndex):
    """Counts the queries it ranks."""

    def __init__(self, images):
        super().__init__()
        self.add(images)
        self.searched = []

    def rank(self, queries, qrels, *, top_k=100):
        self.searched.append(len(queries))
        return super().rank(queries, qrels, top_k=top_k)


def naive_prf(query, images, rounds, k, accumulate):
    """One query at a time, as the specification writes it."""
    first, found = query, []
    for _ in range(rounds):
        order = sorted(range(len(images)), key=lambda i: (-float(query @ images[i]), i))
        found.append(order)
        top = images[order[:k]]
        weights = [math.exp(float(query @ row) / 0.05) for row in top]
        weights = [w / sum(weights) for w in weights]
        positive = sum(w * row for w, row in zip(weights, top, strict=True))
        negative = sum((1 - w) * row for w, row in zip(weights, top, strict=True))
        base = query if accumulate else first
        query = 0.8 * base + 0.1 * positive / positive.norm() - 0.1 * negative / negative.norm()
        query = query / query.norm()
    return found


@pytest.mark.parametrize("accumulate", [True, False])
def test_prf_against_a_naive_loop(world, accumulate):
    found = feedback_rounds(world.queries, world.images, PRF(), 4, 3, accumulate)
    assert len(found) == 4 and found[0].shape == (40, 10)
    for i in range(40):
        expected = naive_prf(world.queries[i], world.images, 4, 3, accumulate)
        assert [ranking[i].tolist() for ranking in found] == [order[:10] for order in expected]


def test_the_first_round_is_the_search_and_ranks_are_exact(world):
    qrels = Qrels.from_targets(world.target)
    rounds = run_rounds(world.queries, world.index, GRF(world.captions), qrels=qrels)
    plain = world.index.rank(world.queries, qrels)
    assert torch.equal(rounds.rankings[0].top_index, plain.top_index)
    for queries, ranking in zip(rounds.queries, rounds.rankings, strict=True):
        again = world.index.rank(queries, qrels)
        assert torch.equal(ranking.target_rank, again.target_rank)
        assert torch.equal(ranking.relevant_rank, again.relevant_rank)
    cosines = (rounds.queries * world.queries).sum(-1)
    torch.testing.assert_close(rounds.drift, cosines)
    assert bool((rounds.drift[1:] < 1 - 1e-4).any()) and rounds.shown.shape == (5, 40, 5)


def test_queries_in_blocks_give_the_same_bits():
    n = QUERY_BLOCK + 9
    images, queries = unit(70, 8, seed=3), unit(n, 8, seed=4)
    index = ExactIndex()
    index.add(images)
    loop = Loop(rounds=3, guards=Guards(stop_when_repeated=True))
    qrels = Qrels.from_targets(torch.arange(n) % 70)
    whole = run_rounds(queries, index, PRF(), loop, qrels=qrels)
    rows = torch.arange(n).split(QUERY_BLOCK)
    parts = [run_rounds(queries[r], index, PRF(), loop, qrels=qrels.select(r), rows=r) for r in rows]
    assert torch.equal(whole.queries, torch.cat([part.queries for part in parts], 1))
    for number in range(3):
        ranks = [part.rankings[number].target_rank for part in parts]
        assert torch.equal(whole.rankings[number].target_rank, torch.cat(ranks))
    joined = Rounds.concat(parts)
    assert torch.equal(joined.shown, whole.shown) and torch.equal(joined.drift, whole.drift)
    assert joined.marks is None and len(joined.rankings) == 3


def test_a_query_that_does_not_move_is_not_searched_again(world):
    index = Counting(world.images)
    rounds = run_rounds(world.queries, index, NoFeedback(), Loop(rounds=4))
    assert index.searched == [40]
    assert all(torch.equal(r.top_index, rounds.rankings[0].top_index) for r in rounds.rankings)


def test_stopped_queries_keep_their_ranking_and_the_others_go_on(world):
    qrels = Qrels.from_targets(world.target)
    loop = Loop(rounds=5, guards=Guards(stop_when_repeated=True))
    stopped = run_rounds(world.queries, world.index, PRF(), loop, qrels=qrels)
    free = run_rounds(world.queries, world.index, PRF(), qrels=qrels)
    same = (stopped.shown[1:] == stopped.shown[:-1]).all(2)
    for number in range(2, 5):
        held = same[number - 2]
        assert torch.equal(stopped.queries[number][held], stopped.queries[number - 1][held])
        before, now = stopped.rankings[number - 1], stopped.rankings[number]
        assert torch.equal(now.top_index[held], before.top_index[held])
        assert torch.equal(now.target_rank[held], before.target_rank[held])
        going = ~same[: number - 1].any(0)
        assert torch.equal(now.target_rank[going], free.rankings[number].target_rank[going])
    assert bool(same[0].any()) and not bool(same[0].all())


def test_a_block_that_stopped_is_not_searched_again():
    """The queries of the first block are their own items, which are shown again; those of the second move."""
    images = torch.cat([torch.eye(8), unit(60, 8, seed=3)])
    queries = torch.cat([torch.eye(8).repeat(QUERY_BLOCK // 8, 1), unit(9, 8, seed=4)])
    index = Counting(images)
    loop = Loop(rounds=4, k=1, guards=Guards(stop_when_repeated=True))
    rounds = run_rounds(queries, index, VectorPRF("rocchio", 0.0, 1.0), loop)
    n = len(queries)
    assert index.searched[:2] == [n, 9] and all(count == 9 for count in index.searched[1:])
    own = torch.arange(QUERY_BLOCK) % 8
    assert all(torch.equal(r.top_index[:QUERY_BLOCK, 0], own) for r in rounds.rankings)
    plain = ExactIndex()
    plain.add(images)
    assert torch.equal(rounds.rankings[3].top_index, plain.search(rounds.queries[3], 100)[1])


def test_guards_fuse_and_gate(world):
    moved = run_rounds(world.queries, world.index, PRF(), Loop(rounds=2)).queries[1]
    fused = run_rounds(world.queries, world.index, PRF(), Loop(rounds=2, guards=Guards(first_weight=0.5)))
    expected = normalize(moved + world.queries, dim=-1)
    torch.testing.assert_close(fused.queries[1], expected)
    scores, _ = world.index.search(world.queries, 5)
    gap = scores[:, 0] - scores[:, 1:].mean(1)
    bound = gap.median().item()
    for guards, kept in (
        (Guards(most_gap=bound), gap > bound),
        (Guards(least_gap=bound), gap < bound),
        (Guards(least_gap=bound, most_gap=2.0), gap < bound),
    ):
        gated = run_rounds(world.queries, world.index, PRF(), Loop(rounds=2, guards=guards)).queries[1]
        assert torch.equal(gated, torch.where(kept[:, None], world.queries, moved))
    with pytest.raises(ConfigError, match="k of at least 2"):
        Loop(k=1, guards=Guards(most_gap=0.1))


def test_what_was_seen_can_be_excluded(world):
    own = Ragged.from_rows([[59 - i] for i in range(40)])
    qrels = Qrels.from_targets(world.target, excluded=own)
    rounds = run_rounds(world.queries, world.index, PRF(), Loop(rounds=4, exclude_seen=True), qrels=qrels)
    seen = rounds.shown.permute(1, 0, 2).flatten(1)
    for row, items in enumerate(seen.tolist()):
        assert len(set(items)) == 20 and 59 - row not in items
    found = rounds.found_in(world.target)
    for row in range(40):
        hits = [n for n in range(4) if row in rounds.shown[n, row].tolist()]
        assert found[row] == (hits[0] + 1 if hits else 0)
        ranks = [int(ranking.target_rank[row]) for ranking in rounds.rankings]
        if hits:  # it is shown once, and then counts as excluded
            assert 1 <= ranks[hits[0]] <= 5 and ranks[hits[0] + 1 :] == [0] * (3 - hits[0])
    assert bool((found > 1).any())
    with pytest.raises(DataError, match="fewer than 20 items"):
        run_rounds(world.queries, world.index, PRF(), Loop(rounds=4, k=20, exclude_seen=True))


def test_the_stage_leaves_the_last_search_to_the_pipeline(world):
    qrels, names = Qrels.from_targets(world.target), [str(i) for i in range(40)]
    user = SimulatedUser(qrels.relevant, wrong=0.2, seed=5)
    loop = Loop(rounds=3, k=4)
    stages = Stages(lambda batch: world.queries[batch.index], feedback=(FeedbackStage(PRF(), loop, user),))
    found = run([QueryBatch(torch.arange(40), None, names)], world.index, stages, qrels, names)
    rounds = run_rounds(world.queries, world.index, PRF(), loop, qrels=qrels, user=user)
    assert torch.equal(found.target_rank, rounds.rankings[2].target_rank)
    assert torch.equal(found.top_index, rounds.rankings[2].top_index)
    with pytest.raises(ConfigError, match="NearestMarked changes the ranking"):
        FeedbackStage(NearestMarked())
    with pytest.raises(ConfigError, match="exclude_seen changes the ranking"):
        FeedbackStage(PRF(), Loop(exclude_seen=True))


def test_rows_number_the_queries_of_the_task(world):
    asked = []

    def user(rows, number, items):
        asked.append((rows.tolist(), number, tuple(items.shape)))
        return torch.zeros(items.shape)

    rows = torch.tensor([7, 3])
    rounds = run_rounds(world.queries[:2], world.index, PRF(), Loop(rounds=3), rows=rows, user=user)
    assert asked == [([7, 3], 1, (2, 5)), ([7, 3], 2, (2, 5))]
    assert rounds.marks.shape == (3, 2, 5)


def test_a_copy_of_a_session_is_a_point_to_return_to(world):
    session = Session(world.queries, world.index, PRF(), Loop(exclude_seen=True))
    session.search()
    session.feed_back()
    kept = copy(session)
    later = [session.search().top_index, session.feed_back(), session.search().top_index]
    assert kept.number == 2 and session.number == 3
    assert torch.equal(kept.search().top_index, later[0])
    kept.feed_back()
    assert torch.equal(kept.search().top_index, later[2])


def test_bad_use_is_refused(world):
    class Blind:
        """An index that does not give vectors back."""

    with pytest.raises(ConfigError, match="vectors, which Blind does not give"):
        Session(world.queries, Blind(), PRF(), Loop())
    session = Session(world.queries, world.index, PRF(), Loop())
    with pytest.raises(RunError, match="round 1 shows nothing yet"):
        session.feed_back()
    session.search()
    with pytest.raises(RunError, match="round 1 was searched already"):
        session.search()
    session.feed_back()
    with pytest.raises(RunError, match="round 2 shows nothing yet"):
        session.feed_back()
    with pytest.raises(DataError, match="9 captions for a gallery of 60"):
        run_rounds(world.queries, world.index, GRF(world.captions[:9]))
    with pytest.raises(DataError, match="query 39 has no caption among 9"):
        run_rounds(world.queries, world.index, Explicit(world.captions[:9]))
    with pytest.raises(ConfigError, match="NearestMarked moves none"):
        run_rounds(world.queries, world.index, NearestMarked(), Loop(guards=Guards(first_weight=0.5)))
    with pytest.raises(ConfigError, match="5 items are shown of a pool of 4"):
        run_rounds(world.queries, world.index, NearestMarked(pool=4))
    for bad in (lambda: Loop(rounds=0), lambda: Loop(k=0), lambda: Guards(first_weight=1.1)):
        with pytest.raises(ConfigError, match="must"):
            bad()


def test_a_gallery_smaller_than_k_is_shown_whole(world):
    found = feedback_rounds(world.queries, world.images[:3], VectorPRF(), 2, 5)
    assert found[1].shape == (40, 3) and found[1].sort(1).values.tolist() == [[0, 1, 2]] * 40
