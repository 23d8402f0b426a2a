import re

import pytest

from experiments.report.measure import Measure
from experiments.report.streams import read_streams
from experiments.report.sweep import sweep
from requery.errors import RunError
from tests.experiments.report import synthetic

LEVELS = {f"{kind}@{level}": (kind, level, 0.0) for kind in ("fog", "jpeg") for level in (1, 3, 5)}


@pytest.fixture
def run(tmp_path):
    def make(**made):
        return read_streams(synthetic.write(tmp_path / "rest" / "one", **made))

    return make


def points(figure, label):
    """Place and height of a line's points, by the tips on them."""
    tip = rf'translate\((\S+) (\S+)\)" d="[^"]+"><title>{re.escape(label)}: (\S+) at ([^<]+)<'
    return [(float(x), float(y), float(v), at) for x, y, v, at in re.findall(tip, str(figure.body))]


def test_higher_values_stand_higher_along_a_log_axis(run):
    figure = sweep(run(), "batch_size", Measure("recall@1"))
    xs, ys, values, names = zip(*points(figure, "tcr"), strict=True)
    assert names == ("1", "4", "16", "default") and values == (15.5, 17.5, 19.5, 21.5)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2) and sorted(ys, reverse=True) == list(ys)
    steps = points(figure, "tcr(steps=5)")
    assert [at for *_, at in steps] == ["1", "16"] and steps[0][0] > xs[0]  # beside, not upon
    assert "mean of 2 shifts" in figure.subtitle and "rest/one" in figure.caption


def test_the_default_is_not_joined(run):
    body = str(sweep(run(), "batch_size", Measure("recall@1")).body)
    (stroke,) = re.findall(r'class="line c4" d="([^"]+)"', body)
    assert stroke.count("M") == 2 and stroke.count("L") == 2


def test_a_method_without_the_setting_goes_from_end_to_end(run):
    figure = sweep(run(), "batch_size", Measure("recall@1"))
    (left, right) = points(figure, "none")
    assert left[1] == right[1] and left[0] < points(figure, "tcr")[0][0] and left[2] == 17.5
    assert [label for _, label in figure.legend] == ["tcr", "tcr(steps=5)", "none"]
    assert "dashed: batch_size not varied" in figure.caption


def test_gains_have_a_zero_line_and_no_source_model(run):
    figure = sweep(run(), "batch_size", Measure("recall@1", "gain"), "fog@5")
    assert [v for _, _, v, _ in points(figure, "tcr")] == [-2.0, 0.0, 2.0, 4.0]
    assert not points(figure, "none") and "fog@5" in figure.subtitle
    zero = re.search(r'class="axis" d="M52 (\S+)H', str(figure.body))[1]
    assert points(figure, "tcr")[1][1] == pytest.approx(float(zero), abs=0.2)
    assert len(re.findall("V", "".join(re.findall(r'class="whisker[^>]+', str(figure.body))))) == 6
    assert figure.caption.startswith("Whiskers are 95 % intervals over queries, paired")


def test_along_the_shifts_every_method_is_a_line(run):
    figure = sweep(run(shifts=LEVELS), "severity", Measure("recall@1"))
    found = points(figure, "none")
    assert [(v, at) for _, _, v, at in found] == [(37.5, "1"), (27.5, "3"), (17.5, "5")]
    assert [y for _, y, _, _ in found] == sorted(y for _, y, _, _ in found)
    assert "Mean over kinds of shift" in figure.caption and "whisker" not in figure.body


def test_one_kind_has_its_intervals(run):
    figure = sweep(run(shifts=LEVELS), "severity", Measure("recall@1"), "fog")
    assert "Whiskers are 95 %" in figure.caption and points(figure, "none")[0][2] == 35.0


def test_shares_of_clean_queries_are_percent(run):
    shares = {f"fog@5, {share}": ("fog", 5, share) for share in (0.0, 0.25, 1.0)}
    figure = sweep(run(shifts=shares), "clean", Measure("recall@1", "gap"))
    assert [at for *_, at in points(figure, "tcr")] == ["0 %", "25 %", "100 %"]
    assert figure.title.startswith("Gap between") and "whiskers span them" in figure.caption


def test_nothing_to_show_is_said(run):
    content = synthetic.record()
    for fact in content["facts"]:
        fact["threshold"] = None
    with pytest.raises(RunError, match="no method has entropy threshold"):
        sweep(run(content=content), "batch_size", Measure("recall@1", "threshold"))
