"""The shape of scores, and the threshold that meets a budget."""

import numpy as np
import pytest

from requery.errors import ConfigError
from requery.expansion import Gate, sharpness, threshold


@pytest.mark.parametrize("shape", ["margin", "deviation", "focus"])
def test_a_list_that_stands_out_is_sharper_and_scale_does_not_matter(shape):
    gate = Gate(shape)
    flat, steep = [5.0] * 10, [9.0, 4.0, 3.0, 2.0, 1.0]
    assert sharpness(flat, gate) == pytest.approx(0, abs=1e-12)
    assert sharpness(steep, gate) > sharpness([6.0, 5.0, 5.0, 4.0, 4.0], gate) > 0
    assert sharpness([7 * score for score in steep], gate) == pytest.approx(sharpness(steep, gate))


def test_formulas_against_numpy():
    scores = np.array([9.0, 4.0, 3.0, 2.0, 1.0])
    p = scores / scores.sum()
    assert sharpness(scores.tolist(), Gate("margin")) == pytest.approx(5 / 9)
    assert sharpness(scores.tolist(), Gate("deviation")) == pytest.approx(scores.std() / scores.mean())
    assert sharpness(scores.tolist(), Gate("focus")) == pytest.approx(1 + (p * np.log(p)).sum() / np.log(5))
    assert sharpness(scores.tolist(), Gate("margin", depth=2)) == pytest.approx(5 / 9)


def test_what_finds_next_to_nothing_is_unsure():
    assert sharpness([], Gate()) == sharpness([3.0], Gate()) == 0


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_the_threshold_expands_its_share(share):
    values = np.random.default_rng(0).random(40).tolist()
    below = threshold(values, share)
    assert sum(value < below for value in values) == round(share * 40)


def test_what_is_out_of_range_is_refused():
    for wrong in ({"depth": 1}, {"shape": "entropy"}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Gate(**wrong)
    for values, share in (([], 0.5), ([1.0], 1.5)):
        with pytest.raises(ConfigError, match="share"):
            threshold(values, share)
