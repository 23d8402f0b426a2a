import numpy as np
import pytest

from requery.rng import draws, permutation, uniform_below


def test_draws_are_a_function_of_their_counters():
    items = np.arange(100)
    alone = np.array([int(draws(7, 3, i, 0)) for i in items], dtype=np.uint64)
    assert (draws(7, 3, items, 0) == alone).all()
    order = np.random.default_rng(0).permutation(100)
    assert (draws(7, 3, items[order], 0) == alone[order]).all()
    assert draws(7, 3, items[:, None], np.arange(5)).shape == (100, 5)


def test_draws_are_splitmix64():
    # The first outputs of Vigna's splitmix64.c from the state 0, and the stream that its first output opens.
    assert int(draws(0)) == 0xE220A8397B1DCDAF
    state = (0xE220A8397B1DCDAF + 5 * 0x9E3779B97F4A7C15) % 2**64
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
    assert int(draws(0, 4)) == state ^ state >> 31


@pytest.mark.parametrize(
    "other", [(8, 3, 5, 0), (7, 4, 5, 0), (7, 3, 6, 0), (7, 3, 5, 1), (7, 5, 3, 0), (7, 3, 5)]
)
def test_every_counter_matters(other):
    assert int(draws(7, 3, 5, 0)) != int(draws(*other))


def test_any_integer_is_a_seed():
    assert len({int(draws(seed, 0)) for seed in (0, 1, -1, 2**63, 2**64 - 2, 2**70 + 5)}) == 6


@pytest.mark.parametrize("bound", [2, 7, 100, 1000])
def test_uniform_below_is_uniform_over_items_draws_and_epochs(bound):
    n = 200 * bound
    for counters in ((0, np.arange(n), 0), (np.arange(n), 3, 0), (0, 3, np.arange(n))):
        counts = np.bincount(uniform_below(bound, 12, *counters), minlength=bound)
        assert len(counts) == bound
        chi2 = ((counts - 200) ** 2 / 200).sum()
        dof = bound - 1
        assert abs(chi2 - dof) < 4 * np.sqrt(2 * dof), chi2  # four standard deviations


def test_uniform_below_takes_a_bound_per_item():
    bounds = np.array([1, 2, 3, 2**31])
    drawn = uniform_below(bounds, 1, 0, np.arange(1000)[:, None])
    assert (drawn < bounds).all() and (drawn >= 0).all()
    assert (drawn[:, 0] == 0).all() and set(drawn[:, 2]) == {0, 1, 2}
    assert drawn[:, 3].max() > 2**30
    with pytest.raises(ValueError, match="bounds"):
        uniform_below([3, 0], 1)


def test_neighbouring_counters_are_uncorrelated():
    unit = draws(5, np.arange(300)[:, None], np.arange(300)) / 2.0**64
    for a, b in ((unit[1:], unit[:-1]), (unit[:, 1:], unit[:, :-1]), (unit, unit.T)):
        off = ~np.eye(*a.shape, dtype=bool)
        assert abs(np.corrcoef(a[off], b[off])[0, 1]) < 0.015


def test_permutation_holds_every_item_once_and_changes_with_the_epoch():
    first = permutation(3, 0, 1000)
    assert (np.sort(first) == np.arange(1000)).all()
    assert (first == permutation(3, 0, 1000)).all()
    assert (first == permutation(3, 1, 1000)).mean() < 0.02
    assert permutation(3, 0, 0).shape == (0,)
