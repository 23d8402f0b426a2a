import numpy as np
import pytest

from requery.corruptions.plasma import plasma


def field(levels, decay=2.0, seed=0):
    return plasma(levels, decay, np.random.default_rng(seed))


@pytest.mark.parametrize("levels", [0, 1, 5])
def test_a_square_from_zero_to_one(levels):
    made = field(levels)
    assert made.shape == (2**levels, 2**levels)
    assert made.min() == 0 and made.max() == pytest.approx(1 if levels else 0)


def test_fewer_levels_are_every_other_point():
    coarse, fine = field(6), field(7)[::2, ::2]
    assert np.corrcoef(coarse.ravel(), fine.ravel())[0, 1] == pytest.approx(1, abs=1e-6)


def test_a_larger_decay_is_smoother_and_edges_meet():
    def roughness(decay):
        made = field(7, decay)
        return np.abs(np.diff(made, axis=0)).mean()

    assert roughness(1.2) > 2 * roughness(2)
    made = field(7)
    assert np.abs(made[0] - made[-1]).mean() < 4 * np.abs(np.diff(made, axis=0)).mean()
