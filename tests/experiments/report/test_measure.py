import pytest

from experiments.report.lines import Place
from experiments.report.measure import Measure, Point
from experiments.report.streams import read_streams
from requery.errors import ConfigError, RunError
from tests.experiments.report import synthetic

BOTH = ("fog@5", "jpeg@5")


@pytest.fixture
def run(tmp_path):
    return read_streams(synthetic.write(tmp_path / "rest" / "one"))


def test_the_mean_of_all_kept_shifts_has_its_interval(run):
    point = Measure("recall@1").of(run, Place("none", BOTH))
    assert (point.value, point.low, point.high) == pytest.approx((0.175, 0.165, 0.185))
    assert Measure("recall@1").of(run, Place("none", ("fog@5",))).low == pytest.approx(0.14)


def test_a_mean_of_others_has_none(run):
    point = Measure("recall@1").of(run, Place("none", ("fog@5", "snow@5")))
    assert point == Point(pytest.approx((0.15 + 0.001) / 2), None, None)


def test_a_gain_is_paired_and_the_source_model_has_none(run):
    gain = Measure("recall@1", "gain")
    point = gain.of(run, Place("tcr(batch_size=16)", BOTH))
    assert (point.value, point.low, point.high) == pytest.approx((0.02, 0.015, 0.025))
    assert gain.of(run, Place("none", BOTH)) is None


def test_a_fact_is_a_mean_over_orders_that_whiskers_span(run):
    point = Measure("recall@1", "gap").of(run, Place("tcr", BOTH))
    assert (point.value, point.low, point.high) == pytest.approx((0.65, 0.6, 0.7))
    assert Measure("recall@1", "source_gap").of(run, Place("none", BOTH)) is None


def test_one_order_has_no_span(tmp_path):
    run = read_streams(synthetic.write(tmp_path, synthetic.record(orders=1)))
    assert Measure("recall@1", "updates").of(run, Place("tcr", BOTH)) == Point(24.0)


def test_what_is_not_there_is_said(run, tmp_path):
    with pytest.raises(ConfigError, match="--y is 'gian': did you mean gain"):
        Measure("recall@1", "gian")
    with pytest.raises(ConfigError, match="no metric 'recall@11': did you mean recall@1"):
        Measure("recall@11").of(run, Place("none", BOTH))
    old = read_streams(synthetic.write(tmp_path / "old", {"tables": synthetic.record()["tables"]}))
    with pytest.raises(RunError, match="did not record facts"):
        Measure("recall@1", "gap").of(old, Place("none", BOTH))
