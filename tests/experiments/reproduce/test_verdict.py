"""Cells read out of run folders, and what becomes of them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.reproduce.cells import Cell, Part
from experiments.reproduce.needs import Missing
from experiments.reproduce.reading import SERVER, Estimate, estimate
from experiments.reproduce.result import Result
from experiments.reproduce.show import folded, number
from experiments.reproduce.table import Reading, Table, Tolerance
from experiments.reproduce.verdict import Outcome, difference, judge
from requery.errors import RunError

QUERIES = ["a", "b", "c", "d"]


@pytest.fixture
def run(tmp_path):
    """A test of two methods under two shifts in two orders."""
    keys = [
        (m, s, o, q)
        for m in ("none", "tent(lr=1)")
        for s in ("fog@5", "clean")
        for o in (0, 1)
        for q in QUERIES
    ]
    hit = [
        1.0 if (m == "none" and q in "ab") or (m != "none" and (q != "d" or o)) else 0.0
        for m, s, o, q in keys
    ]
    names = ("method", "shift", "order", "query_id")
    columns = {name: [key[at] for key in keys] for at, name in enumerate(names)}
    pq.write_table(pa.table({**columns, "recall@1": hit}), tmp_path / "shifts.parquet")
    metrics = {"recall@1": {"value": 0.5, "low": 0.25, "high": 0.75, "n": 4}}
    record = {"protocol": "toy/test@1 under query shift", "metrics": metrics, "n_gallery": 9}
    (tmp_path / "metrics.json").write_text(json.dumps(record))
    return tmp_path


def reading(method, **kwargs):
    return Reading("recall@1", "shifts", {"shift": "clean", "method": method}, **kwargs)


def test_a_cell_is_the_mean_over_queries_of_the_mean_over_orders(run):
    found = estimate([(run, reading("tent*"))])
    assert found.value == pytest.approx(100 * np.mean([1, 1, 1, 0.5])) and found.n == 4
    assert found.low < found.value <= found.high == 100


def test_a_difference_is_paired_over_queries(run):
    found = estimate([(run, reading("tent*", minus={"method": "none"}))])
    assert found.value == pytest.approx(100 * np.mean([0, 0, 1, 0.5]))


def test_a_mean_over_the_same_queries_shares_their_draws(run):
    one, both = estimate([(run, reading("none"))]), estimate([(run, reading("none"))] * 3)
    assert both == one  # independent draws would narrow the interval


def test_the_interval_is_that_of_metrics_json(run):
    assert estimate([(run, Reading("recall@1", "metrics"))]) == Estimate(50, 25, 75, 4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Reading("recall@7", "shifts", {"method": "none"}), "recall@7"),
        (reading("sar*"), r"no row where method is 'sar\*'; there are none, tent\(lr=1\)"),
        (reading("*"), r"2 values of method are '\*'"),
        (Reading("recall@1", "rounds"), r"rounds\.parquet cannot be read"),
        (Reading("recall@7", "metrics"), "no recall@7; it holds recall@1"),
    ],
)
def test_what_a_run_does_not_hold_is_named(run, wrong, message):
    with pytest.raises(RunError, match=message):
        estimate([(run, wrong)])


def cell(published, method="none", protocol="toy/test@1", queries=4, gallery=9, **kwargs):
    part = Part("one", reading(method), protocol, queries, gallery)
    given = {"parts": [part], "only_published": "", "tolerance": Tolerance(1.0, "so")} | kwargs
    return Cell("row", "column", published, protocol=protocol, note="", **given)


@pytest.mark.parametrize(
    ("published", "word", "off"),
    [
        (50.9, "reproduced", -0.9),
        (51.0, "reproduced", -1.0),
        (51.1, "off", -1.1),
        (None, "no published number", None),
        ((50.5, None), "reproduced", -0.5),
        ((None, 48), "off", 2.0),
        ((40, 60), "reproduced", 0.0),
    ],
)
def test_verdicts(run, published, word, off):
    judged = judge(cell(published), {"one": Outcome(run, "done")})
    assert judged.word == word and judged.run.value == pytest.approx(50)
    assert judged.difference == (None if off is None else pytest.approx(off))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"protocol": "toy/val@1"}, "scored under toy/test@1 under query shift, not toy/val@1"),
        ({"queries": 5000}, "queries: 4, not 5,000"),
        ({"gallery": 10}, "gallery: 9, not 10"),
    ],
)
def test_other_data_are_not_comparable_however_near_the_number(run, changes, reason):
    judged = judge(cell(50.0, **changes), {"one": Outcome(run, "done")})
    assert (judged.word, judged.reason, judged.difference) == ("not comparable", reason, None)


def test_what_was_not_run_says_why(run):
    lacking = Outcome(run, "missing", [Missing("weights", "w"), Missing("data", "d")])
    assert judge(cell(50.0), {"one": lacking}).reason == "one (no weights, no data)"
    assert judge(cell(50.0), {"one": Outcome(run, "failed", message="m")}).word == "failed"
    judged = judge(cell(50.0, parts=[], only_published="not ours"), {})
    assert (judged.word, judged.reason) == ("published only", "not ours")


def test_a_servers_answer_is_waited_for(tmp_path):
    part = Part("one", Reading("recall@1", "server"), "cirr/test1@1", 0, 0)
    outcomes = {"one": Outcome(tmp_path, "done")}
    judged = judge(cell(52.0, parts=[part]), outcomes)
    assert judged.word == "waits for the server" and SERVER in judged.reason
    (tmp_path / SERVER).write_text('{"recall@1": 52.4}')
    judged = judge(cell(52.0, parts=[part]), outcomes)
    assert judged.word == "reproduced" and judged.run == Estimate(52.4)
    both = [part, part._replace(reading=Reading("recall_subset@1", "server"))]
    assert "no recall_subset@1" in judge(cell(52.0, parts=both), outcomes).reason


def test_differences_to_ranges():
    assert [difference(3, (4, 5)), difference(6, (4, 5)), difference(4.5, (4, 5))] == [-1, 1, 0]
    assert [number(value) for value in ((None, 0), (1, None), (1, 3), 2.50, None)] == [
        "≤ 0",
        "≥ 1",
        "1 to 3",
        "2.5",
        "–",
    ]


def test_the_status_is_1_where_something_that_ran_is_off(run):
    table = Table(run / "t.yaml", "", "", "", Tolerance(1, ""), {}, [])
    done, lacking = {"one": Outcome(run, "done")}, {"one": Outcome(run, "missing", [Missing("data", "x")])}
    results = [
        Result(table, [judge(cell(value), outcomes)], outcomes)
        for value, outcomes in ((50.0, done), (60.0, done), (60.0, lacking))
    ]
    assert [result.status for result in results] == [0, 1, 0]
    assert "all that ran is within tolerance" in results[0].summary
    assert "Nothing was run, so nothing is confirmed" in results[2].summary
    assert [len(line) for line in folded(results[2].cells * 3)] == [3]
