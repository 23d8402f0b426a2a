from itertools import pairwise

import pytest
import torch

from requery.expansion.curve import area, curve
from requery.expansion.gate import threshold

Q = 40


@pytest.fixture
def columns():
    generator = torch.Generator().manual_seed(0)
    sharp = torch.rand(Q, generator=generator)
    off = (torch.rand(Q, generator=generator) < 0.4).double()
    on = torch.maximum(off, (torch.rand(Q, generator=generator) < 0.5).double())
    tokens = torch.randint(10, 60, (Q,), generator=generator)
    return sharp, off, on, tokens, tokens * 0.5


def test_points_are_those_of_a_loop(columns):
    sharp, off, on, tokens, _ = columns
    found = curve(*columns, steps=8)
    assert [point.share for point in found.points] == [step / 8 for step in range(9)]
    order = sorted(range(Q), key=lambda query: (float(sharp[query]), query))
    for point in found.points:
        asked = order[: round(point.share * Q)]
        values = [float(on[q] if q in asked else off[q]) for q in range(Q)]
        assert point.value == pytest.approx(sum(values) / Q)
        assert point.low <= point.value <= point.high
        assert point.tokens == pytest.approx(sum(int(tokens[q]) for q in asked) / Q)
        assert point.seconds == pytest.approx(point.tokens / 2)
        gain = float((on - off).mean())
        assert point.random == pytest.approx(float(off.mean()) + point.share * gain)
        assert point.below == threshold(sharp.tolist(), point.share)
        assert sum(float(value) < point.below for value in sharp) == len(asked)


def test_the_area_is_between_the_curve_and_the_line(columns):
    found = curve(*columns, steps=Q)
    heights = [point.value - point.random for point in found.points]
    expected = sum((a + b) / 2 / Q for a, b in pairwise(heights))
    assert found.area.value == pytest.approx(expected) == pytest.approx(curve(*columns).area.value)
    assert found.area.low < found.area.value < found.area.high


def test_the_interval_is_that_of_curves_over_drawn_queries():
    gains = torch.tensor([0.5, 0.0, 1.0, -0.25, 0.0, 0.5], dtype=torch.float64)
    draws = torch.randint(6, (4_000, 6), generator=torch.Generator().manual_seed(1))
    areas = []
    for row in draws.sort(dim=1).values:  # drawn queries, in the order in which they are asked about
        line = torch.cat([torch.zeros(1), gains[row].cumsum(0)]) / 6
        areas.append(float(torch.trapezoid(line - torch.linspace(0, 1, 7) * line[-1], dx=1 / 6)))
    low, high = torch.tensor(areas).quantile(torch.tensor([0.025, 0.975])).tolist()
    found = area(gains)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)


def test_an_oracle_gate_is_above_the_line_and_its_opposite_below(columns):
    _, off, on, tokens, seconds = columns
    best = curve(off - on, off, on, tokens, seconds)
    worst = curve(on - off, off, on, tokens, seconds)
    assert best.area.low > 0 > worst.area.high
    assert best.points[0].value == worst.points[0].value and best.points[-1].value == worst.points[-1].value


def test_few_queries_have_few_shares():
    ones = torch.ones(3)
    found = curve(torch.tensor([0.3, 0.1, 0.2]), 0 * ones, ones, ones, ones)
    assert [point.share for point in found.points] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    # what all gain alike can be spent on any
    assert (found.area.value, found.area.low, found.area.high) == pytest.approx((0, 0, 0))
