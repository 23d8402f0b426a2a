import re

import pytest

from experiments.report.scale import Axis
from experiments.report.svg import HEIGHT, Series, depth, line_chart, plot


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


def test_whiskers_go_from_low_to_high_beside_no_band():
    series = [Series("a", 0, [0, 1], [0.5, 0.6], [0.4, 0.5], [0.6, None], whiskers=True)]
    svg = str(plot(series, Axis(), Axis()))
    (strokes,) = re.findall(r'class="whisker c0" d="([^"]+)"', svg)
    bottom, top = (float(y) for y in re.search(r"h5M[\d.]+ ([\d.]+)V([\d.]+)", strokes).groups())
    (x, y) = re.search(r'translate\(([\d.]+) ([\d.]+)\)" d="M-3.6', svg).groups()
    assert bottom - float(y) == pytest.approx(float(y) - top, abs=0.2) and top < float(y)
    assert strokes.count("V") == 1 and "band" not in svg and float(x) > 0


def test_crowded_names_are_slanted_and_take_room():
    few, many = (Axis("of", ticks=[(i / n, "a long name") for i in range(n)]) for n in (3, 12))
    series = [Series("a", 0, [0.0, 1.0], [1.0, 2.0])]
    assert depth(few) == 0 and depth(many) > 50
    assert "rotate" not in plot(series, few, Axis()) and plot(series, many, Axis()).count("rotate(-60 ") == 12
    assert f'y="{HEIGHT - 4 + depth(many)}"' in plot(series, many, Axis())


def test_zero_is_marked_where_there_is_something_below():
    above, below = (
        str(plot([Series("a", 0, [0, 1], [low, 1.0])], Axis(), Axis(zero=True))) for low in (0.2, -1.0)
    )
    assert below.count('class="axis"') == 2 and above.count('class="axis"') == 1
