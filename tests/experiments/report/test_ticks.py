import pytest

from experiments.report.ticks import MARGIN, arrange


def test_powers_are_spread_by_their_logarithm_and_null_comes_last():
    made = arrange([64, None, 1, 4, 16])
    assert made.names == ["1", "4", "16", "64", "default"] and made.values[-1] is None
    gaps = [b - a for a, b in zip(made.places, made.places[1:], strict=False)]
    assert gaps == pytest.approx([(1 - 2 * MARGIN) / 4] * 4)
    assert list(made.joined) == [False, True, True, True, False]


def test_numbers_in_even_steps_stay_linear():
    made = arrange([0.1, 0.3, 0.5])
    assert made.places == pytest.approx([MARGIN, 0.5, 1 - MARGIN])
    assert arrange([0.0, 10.0, 100.0]).places[1] < 0.2  # 0 has no logarithm


def test_names_stand_side_by_side_unjoined_in_the_order_they_come():
    made = arrange(["pcgrad", "l2_anchor", "none"])
    assert made.names == ["pcgrad", "l2_anchor", "none"] and not any(made.joined)


def test_one_value_is_in_the_middle_and_shares_are_percent():
    assert arrange([None]).axis == [(0.5, "default")]
    assert arrange([0.25, 0.0], percent=True).names == ["0 %", "25 %"]
