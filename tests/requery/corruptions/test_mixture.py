import pytest

from requery.corruptions import IMAGE_KINDS, Mixture
from requery.errors import ConfigError

ITEMS = [f"q{i}" for i in range(4000)]


def test_one_kind_is_everyones():
    mixture = Mixture.of("snow", None, 0)
    assert {mixture.draw(item) for item in ITEMS[:50]} == {("snow", 5)}
    assert mixture.name == "snow@5" and Mixture.of("snow", 3, 0).name == "snow@3"


def test_items_draw_evenly_and_by_seed():
    mixture = Mixture.of(list(IMAGE_KINDS), [1, 2, 3, 4, 5], 0)
    drawn = [mixture.draw(item) for item in ITEMS]
    counts = [drawn.count((kind, level)) for kind in IMAGE_KINDS for level in range(1, 6)]
    assert min(counts) > 20 and max(counts) < 90  # 50 expected, deviation 7
    other = Mixture.of(list(IMAGE_KINDS), [1, 2, 3, 4, 5], 1)
    assert [other.draw(item) for item in ITEMS] != drawn
    assert [mixture.draw(item) for item in reversed(ITEMS)] == drawn[::-1]
    assert mixture.name == "mixture of 16 kinds@1|2|3|4|5"
    assert Mixture.of(["snow", "ocr"], None, 0).name == "snow|ocr@max"


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="did you mean gaussian_noise"):
        Mixture.of("gausian_noise", 1, 0)
    with pytest.raises(ConfigError, match="severity of jpeg is 7; it must be in 1…5"):
        Mixture.of(["ocr", "jpeg"], [7], 0)
    with pytest.raises(ConfigError, match="at least one"):
        Mixture.of([], None, 0)
    with pytest.raises(ConfigError, match="at least one"):
        Mixture.of("snow", [], 0)
