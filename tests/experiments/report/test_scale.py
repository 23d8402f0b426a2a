import pytest

from experiments.report.scale import Axis, Scale, log_ticks, round_ticks


@pytest.mark.parametrize("low,high", [(0, 1), (0.013, 0.0135), (-3, 900), (5, 5.1)])
def test_linear_ticks_cover_the_range_in_round_steps(low, high):
    ticks = round_ticks(low, high)
    assert ticks[0] <= low + 1e-9 and ticks[-1] >= high - 1e-9 and 3 <= len(ticks) <= 9


@pytest.mark.parametrize("low,high", [(1, 1000), (0.02, 0.5), (3, 1e6)])
def test_log_ticks_cover_the_range(low, high):
    ticks = log_ticks(low, high)
    assert ticks[0] <= low and ticks[-1] >= high and len(ticks) <= 10


def test_named_ticks_stand_where_they_are_put():
    scale = Scale(Axis(ticks=[(0.1, "one"), (0.9, "default")]), 0.3, 0.4, 0, 100, tight=True)
    assert [scale(tick) for tick in scale.ticks] == [10, 90]
    assert scale.text(0.12) == "one" and scale.text(0.8) == "default"


def test_an_axis_with_zero_holds_it_from_both_sides():
    assert Scale(Axis(zero=True), 0.2, 1.0, 0, 100).low == 0
    assert Scale(Axis(zero=True), -1.0, -0.2, 0, 100).high == 0
