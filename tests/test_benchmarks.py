import json
import math
import operator
from functools import partial

import pytest

from benchmarks import exact_ranks
from benchmarks.__main__ import main
from benchmarks.measure import best_seconds, exponent, peak_memory

MEASURED = {
    "exact ranks and top 100": [True],
    "recall@1, 5, 10, 50 and MRR": [False],
    "hard negatives, `two_drop`": [False, True],
    "hard negatives, `two_drop_window`": [False, True],
    "growing corpus, `two_drop_window`": [True, True],
    "a batch adapted, TCR": [False],
    "a batch adapted, REST": [False],
    "a batch adapted, REST, `prograd`": [False],
    "a round of feedback, PRF": [True, True],
    "a round of feedback, GRF": [True, True],
    "BM25, tokens and index": [False],
    "BM25, mapping a saved index": [False],
    "BM25, a batch of queries": [False],
    "BM25, merged expansions": [False],
    "paired randomisation test": [False],
    "paired bootstrap": [False],
    "`python -m experiments --help`": [False],
    "definition, one epoch and test from a warm cache": [False],
}
"""Measurement -> of each of its rows, whether memory is measured."""


def test_a_quick_run_writes_every_measurement(tmp_path):
    main(["--quick", "--output", str(tmp_path / "made/page.md")])
    made = json.loads((tmp_path / "made/page.json").read_text())
    assert set(made) >= {"started", "git", "hardware", "threads", "python", "packages", "turns", "rows"}
    assert made["packages"]["torch"] and made["turns"] == 1
    rows, with_memory = made["rows"], {}
    for row in rows:
        with_memory.setdefault(row["measurement"], []).append(row["memory_bytes"] is not None)
        assert row["seconds"] > 0 and row["baseline_seconds"] > 0 and row["size"] and row["baseline"]
        assert math.isclose(row["ratio"], row["seconds"] / row["baseline_seconds"])
        assert row["memory_bytes"] is None or row["memory_bytes"] > 0
    assert with_memory == MEASURED
    assert [row["measurement"] for row in rows if row["exponent"] is not None] == [
        "growing corpus, `two_drop_window`"
    ]
    picture = (tmp_path / "made/figures/feedback_cost.svg").read_text()
    assert all(name in picture for name in ("PRF", "GRF", "a plain search", "images in the gallery"))
    page = (tmp_path / "made/page.md").read_text()
    assert all(page.count(f"| {name} |") == len(lines) for name, lines in MEASURED.items())
    assert made["packages"]["torch"] in page and made["hardware"]["cpu"] in page


def test_torchmetrics_finds_the_same():
    given = exact_ranks.inputs(60, 200, 8)
    ours, theirs = exact_ranks.metrics(given), exact_ranks.torchmetrics(given, 60)
    assert [float(value) for value in ours] == pytest.approx([float(value) for value in theirs])


def test_contestants_take_turns():
    seen = []
    names = ("a", "b")
    best = best_seconds(3, {name: lambda name=name: seen.append(name) for name in names})
    assert seen == ["a", "b"] * 3 and set(best) == set(names)


def test_memory_is_counted_above_the_inputs():
    assert 90_000_000 < peak_memory(partial(operator.mul, b"x", 100_000_000), bytearray) < 150_000_000


def test_the_exponent_of_a_power_is_its_power():
    assert math.isclose(exponent([10, 100, 1000], [3 * n**1.5 for n in (10, 100, 1000)]), 1.5)
