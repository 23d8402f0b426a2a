import numpy as np

from requery.corruptions.frost import LEVELS, TEXTURES, cut, texture


def test_textures_differ_and_are_neither_dark_nor_white():
    made = [texture(number) for number in range(TEXTURES)]
    assert all(0.3 < t.mean() < 0.7 and 0.05 < t.std() < 0.3 and 0 <= t.min() and t.max() <= 1 for t in made)
    assert len({t.tobytes() for t in made}) == TEXTURES


def test_textures_go_on_without_end():
    side = 2**LEVELS
    part = cut(1, side - 5, 7, side + 10, 20)
    assert part.shape == (side + 10, 20, 3)
    assert np.array_equal(part[:10], part[side:]) and np.array_equal(part[5], texture(1)[0, 7:27])
