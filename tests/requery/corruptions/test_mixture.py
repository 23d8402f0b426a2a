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


def test_some_stay_clean_and_the_rest_draw_as_before():
    plain = Mixture.of(["snow", "fog"], 5, 0)
    few, many = (Mixture.of(["snow", "fog"], 5, 0, clean=share) for share in (0.25, 0.75))
    clean = [{item for item in ITEMS if mixture.draw(item) is None} for mixture in (plain, few, many)]
    assert not clean[0] and clean[1] < clean[2]
    assert abs(len(clean[1]) - 1000) < 110 and abs(len(clean[2]) - 3000) < 110  # 4 deviations
    assert all(few.draw(item) == plain.draw(item) for item in ITEMS if item not in clean[1])
    assert few.name == "snow|fog@5, 25 % clean"
    assert {Mixture.of("snow", 5, 0, clean=1.0).draw(item) for item in ITEMS} == {None}
    with pytest.raises(ConfigError, match="share"):
        Mixture.of("snow", 5, 0, clean=1.5)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="did you mean gaussian_noise"):
        Mixture.of("gausian_noise", 1, 0)
    with pytest.raises(ConfigError, match="severity of jpeg is 7; it must be in 1…5"):
        Mixture.of(["ocr", "jpeg"], [7], 0)
    with pytest.raises(ConfigError, match="at least one"):
        Mixture.of([], None, 0)
    with pytest.raises(ConfigError, match="at least one"):
        Mixture.of("snow", [], 0)
