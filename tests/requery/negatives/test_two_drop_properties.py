"""The two-drop rule against its naive reference, and what holds of any definition of negatives."""

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from requery.errors import DataError
from requery.negatives import Strategy, two_drop, two_drop_batch
from requery.negatives.define import define
from requery.ragged import Ragged
from tests.properties import for_all, inputs
from tests.requery.negatives.test_two_drop import oracle

COARSE = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5])
VALUES = [COARSE, st.floats(-1, 1, width=32), st.floats(width=32, allow_nan=False, allow_infinity=False)]
"""Scores that tie, cosines, and any finite number."""


@st.composite
def blocks(draw):
    """Rows of scores with a target each; some are flat, some repeat a few of their values."""
    n = draw(st.integers(1, 30))
    scores = draw(arrays("float32", (draw(st.integers(1, 3)), n), elements=draw(st.sampled_from(VALUES))))
    if draw(st.booleans()):
        scores[:, draw(st.integers(0, n - 1)) :] = scores[:, :1]
    target = draw(arrays("int64", len(scores), elements=st.integers(0, n - 1)))
    if draw(st.booleans()):
        target[0] = np.argmin(scores[0])  # the target comes last, or the first of equals there
    return scores, target, draw(st.integers(0, 3)), draw(st.none() | st.integers(1, n + 3))


@inputs(2500)
@np.errstate(over="ignore")  # a drop from the largest to the smallest float is infinite, and the steepest
def test_two_drop_is_its_naive_reference(examples):
    @for_all(examples, blocks())
    def holds(block):
        scores, target, threshold, window = block
        batch = two_drop_batch(torch.from_numpy(scores), torch.from_numpy(target), threshold, window)
        for i, row in enumerate(scores):
            expected = oracle(row, target[i], threshold, window)
            assert two_drop(torch.from_numpy(row), int(target[i]), threshold, window).tolist() == expected
            assert batch.sets[i].tolist() == expected
            assert (bool(batch.found[i]), int(batch.size[i])) == (expected != [], len(expected))


@st.composite
def problems(draw):
    """Embeddings with scores on a coarse grid, targets, references, and a strategy."""
    n, n_queries = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    grid = torch.from_numpy(draw(arrays("float32", (n, n_queries), elements=COARSE)))
    corpus = torch.cat([grid, torch.ones(n, 1)], dim=1)
    places = st.integers(0, n - 1)
    target = torch.tensor([draw(places) for _ in range(n_queries)])
    excluded = Ragged.from_rows([draw(st.lists(places, max_size=2)) for _ in range(n_queries)])
    strategy = Strategy(
        draw(st.sampled_from(["top_k", "after_target_top_k", "two_drop", "two_drop_window"])),
        k=draw(st.integers(1, 5)),
        window=draw(st.integers(4, 9)),
        exclude_reference=draw(st.booleans()),
    )
    return strategy, torch.eye(n_queries + 1)[:n_queries], corpus, target, excluded


@inputs(500)
def test_a_set_is_never_empty_and_never_holds_the_target_or_the_reference(examples):
    @for_all(examples, problems())
    def holds(problem):
        strategy, queries, corpus, target, excluded = problem
        gone = [{int(t)} for t in target]
        if strategy.exclude_reference:
            gone = [own | set(row.tolist()) for own, row in zip(gone, excluded, strict=True)]
        try:
            sets = define(strategy, queries, corpus, target, excluded=excluded)
        except DataError as error:  # nothing is left to choose
            assert "no negative is left" in str(error) and any(len(out) == len(corpus) for out in gone)
            return
        for q, out in enumerate(gone):
            row = sets.sets[q].tolist()
            assert row and row == sorted(set(row)) and not out & set(row)
            alone = define(
                strategy,
                queries[q : q + 1],
                corpus,
                target[q : q + 1],
                excluded=excluded.select(torch.tensor([q])),
            )
            assert alone.sets[0].tolist() == row and bool(alone.fallback[0]) == bool(sets.fallback[q])
