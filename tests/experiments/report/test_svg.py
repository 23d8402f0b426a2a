import re

import pytest

from experiments.report.svg import Axis, Series, _log_ticks, _ticks, line_chart


@pytest.mark.parametrize("low,high", [(0, 1), (0.013, 0.0135), (-3, 900), (5, 5.1)])
def test_linear_ticks_cover_the_range_in_round_steps(low, high):
    ticks = _ticks(low, high)
    assert ticks[0] <= low + 1e-9 and ticks[-1] >= high - 1e-9 and 3 <= len(ticks) <= 9


@pytest.mark.parametrize("low,high", [(1, 1000), (0.02, 0.5), (3, 1e6)])
def test_log_ticks_cover_the_range(low, high):
    ticks = _log_ticks(low, high)
    assert ticks[0] <= low and ticks[-1] >= high and len(ticks) <= 10


def test_points_stand_where_the_values_are():
    svg = str(line_chart("t", [Series("a", 0, [0, 1, 2], [0.0, 0.5, 1.0])], Axis(), Axis()))
    xs, ys = zip(*re.findall(r'transform="translate\(([\d.]+) ([\d.]+)\)"', svg), strict=True)
    xs, ys = [float(x) for x in xs], [float(y) for y in ys]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2) and ys[0] > ys[2]


def test_a_log_axis_and_gaps_leave_points_out():
    svg = str(
        line_chart("t", [Series("a", 0, [1, 2, 3, 4], [0.0, 10.0, None, 20.0])], Axis(), Axis(log=True))
    )
    assert svg.count("<title>") == 2
    assert len(re.findall(r"M[\d. ]+", re.search(r'class="line c0" d="([^"]+)"', svg)[1])) == 2


def test_labels_are_escaped():
    assert "<b>" not in line_chart("<b>", [Series("<b>", 0, [1, 2], [1.0, 2.0])], Axis("<b>"), Axis())


def test_nothing_to_draw_is_said():
    assert "nothing recorded" in line_chart("t", [Series("a", 0, [], [])], Axis(), Axis())
    assert "<svg" in line_chart("t", [Series("a", 0, [1], [2.0])], Axis(log=True), Axis(log=True))
