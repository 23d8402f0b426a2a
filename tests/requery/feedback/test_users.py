import math

import pytest
import torch

from requery.errors import ConfigError
from requery.feedback import SimulatedUser
from requery.ragged import Ragged

N = 4_000


def shown(width=5):
    """Each query's items are `width` consecutive ones; the relevant one is at another place for each."""
    rows = torch.arange(N)
    items = rows[:, None] + torch.arange(width)
    relevant = Ragged(rows + rows % width, torch.arange(N + 1))
    truth = torch.where(items == relevant.values[:, None], 1.0, -1.0)
    return rows, items, relevant, truth


def within(count, n, probability):
    """Whether a count lies within four standard deviations of a binomial's mean."""
    return abs(count - n * probability) <= 4 * math.sqrt(n * probability * (1 - probability))


def test_a_careful_user_tells_the_truth():
    rows, items, relevant, truth = shown()
    assert torch.equal(SimulatedUser(relevant)(rows, 1, items), truth)


@pytest.mark.parametrize("wrong", [0.1, 0.25, 0.4])
def test_wrong_marks_come_at_their_rate_everywhere(wrong):
    rows, items, relevant, truth = shown()
    marks = SimulatedUser(relevant, wrong=wrong)(rows, 1, items)
    erred = marks != truth
    assert set(marks.unique().tolist()) == {-1.0, 1.0}
    assert within(int(erred.sum()), erred.numel(), wrong)
    assert within(int(erred[truth > 0].sum()), N, wrong)
    for place in range(5):
        assert within(int(erred[:, place].sum()), N, wrong)


def test_position_bias():
    rows, items, relevant, _ = shown()
    looked = SimulatedUser(relevant, position_bias=1.0)(rows, 1, items) != 0
    assert bool(looked[:, 0].all())
    for place in range(1, 5):
        assert within(int(looked[:, place].sum()), N, 1 / (place + 1))


def test_the_budget_goes_to_what_is_looked_at_first():
    rows, items, relevant, _ = shown()
    free = SimulatedUser(relevant, position_bias=0.5, seed=3)(rows, 1, items)
    limited = SimulatedUser(relevant, position_bias=0.5, budget=2, seed=3)(rows, 1, items)
    for row in range(0, N, 37):
        places = free[row].nonzero().flatten()[:2]
        expected = torch.zeros(5).index_copy_(0, places, free[row, places])
        assert torch.equal(limited[row], expected)


def test_draws_depend_on_seed_query_and_round_alone():
    rows, items, relevant, _ = shown()
    user = SimulatedUser(relevant, wrong=0.3, position_bias=0.5)
    marks, some = user(rows, 1, items), torch.tensor([70, 3, 2_000])
    assert torch.equal(user(rows[some], 1, items[some]), marks[some])
    assert not torch.equal(user(rows, 2, items), marks)
    other = SimulatedUser(relevant, wrong=0.3, position_bias=0.5, seed=1)
    assert not torch.equal(other(rows, 1, items), marks)


def test_queries_with_several_relevant_items_or_none():
    user = SimulatedUser(Ragged.from_rows([[1, 4], [], [0]]))
    items = torch.tensor([[4, 0, 1], [4, 0, 1], [1, 4, 0]])
    assert user(torch.arange(3), 1, items).tolist() == [[1, -1, 1], [-1, -1, -1], [-1, -1, 1]]


def test_bad_settings_are_named():
    for options in ({"wrong": 1.5}, {"position_bias": -1}, {"budget": 0}):
        with pytest.raises(ConfigError, match=next(iter(options))):
            SimulatedUser(Ragged.from_rows([[0]]), **options)
