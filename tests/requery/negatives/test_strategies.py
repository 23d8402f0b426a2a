import pytest

from requery.errors import ConfigError
from requery.negatives import Strategy


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(ConfigError, match="did you mean 'two_drop_window'"):
        Strategy("two_drops_window")
    with pytest.raises(ConfigError, match="known: all, top_k"):
        Strategy("zzz")


@pytest.mark.parametrize("field", [{"k": 0}, {"k": -5}, {"window": 3}, {"consecutive_threshold": -1}])
def test_values_out_of_range(field):
    (name,) = field
    with pytest.raises(ConfigError, match=f"{name}=.*must be at least"):
        Strategy(**field)


def test_the_window_must_hold_a_pair_of_drops():
    assert Strategy(window=4).window == 4
    with pytest.raises(ConfigError, match="window=4 must be at least 6"):
        Strategy(window=4, consecutive_threshold=3)
