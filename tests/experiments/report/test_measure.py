from itertools import product

import pytest
import torch

from experiments.report.lines import Place
from experiments.report.measure import Measure, Point
from experiments.report.streams import read_streams
from requery.errors import ConfigError, RunError
from requery.ranking.shifted import RESAMPLES
from requery.ranking.significance import paired_bootstrap
from requery.record import RunFolder
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


def test_a_mean_over_kinds_has_the_interval_of_its_queries(tmp_path):
    """From each query's values, as the table has it for the shifts it is the mean of."""
    folder = synthetic.write(tmp_path / "rest" / "one")
    draw, n, rows = torch.Generator().manual_seed(0), synthetic.QUERIES, {}
    names = ("order", "shift", "method", "query_id", "recall@1")
    columns = {name: [] for name in names}
    for shift, method, order in product(("fog@5", "snow@5"), ("none", "tcr"), (0, 1)):
        values = torch.rand(n, generator=draw)
        rows.setdefault(method, []).append(values)
        for name, column in zip(names, ([order], [shift], [method]), strict=False):
            columns[name] += column * n
        columns["query_id"] += [f"q{i}" for i in range(n)]
        columns["recall@1"] += values.tolist()
    RunFolder(folder).write_table("shifts.parquet", columns)
    run, place = read_streams(folder), Place("tcr", ("fog@5", "snow@5"))
    mean = {method: torch.stack(values).double().mean(0) for method, values in rows.items()}
    wanted = paired_bootstrap(mean["tcr"], mean["none"], n=RESAMPLES)
    point = Measure("recall@1", "gain").of(run, place)
    assert (point.value, point.low, point.high) == pytest.approx((wanted.value, wanted.low, wanted.high))
    point = Measure("recall@1").of(run, place)
    assert point.value == pytest.approx(float(mean["tcr"].mean())) and point.low < point.value < point.high


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
