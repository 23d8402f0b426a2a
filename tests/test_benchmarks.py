import json
import math
import operator
from functools import partial

from benchmarks.__main__ import main
from benchmarks.measure import best_seconds, peak_memory

MEASURED = {
    "exact ranks and top 100": True,
    "hard negatives, `two_drop`": True,
    "hard negatives, `two_drop_window`": True,
    "paired randomisation test": False,
    "paired bootstrap": False,
    "`python -m experiments --help`": False,
}
"""Measurement -> whether its memory is measured."""


def test_a_quick_run_writes_every_measurement(tmp_path):
    main(["--quick", "--output", str(tmp_path / "made/page.md")])
    made = json.loads((tmp_path / "made/page.json").read_text())
    assert set(made) >= {"started", "git", "hardware", "threads", "python", "packages", "turns", "rows"}
    assert made["packages"]["torch"] and made["turns"] == 1
    rows = made["rows"]
    assert {row["measurement"]: row["memory_bytes"] is not None for row in rows} == MEASURED
    for row in rows:
        assert row["seconds"] > 0 and row["baseline_seconds"] > 0 and row["size"] and row["baseline"]
        assert math.isclose(row["ratio"], row["seconds"] / row["baseline_seconds"])
        assert row["memory_bytes"] is None or row["memory_bytes"] > 0
    page = (tmp_path / "made/page.md").read_text()
    assert all(page.count(f"| {name} |") == 1 for name in MEASURED)
    assert made["packages"]["torch"] in page and made["hardware"]["cpu"] in page


def test_contestants_take_turns():
    seen = []
    names = ("a", "b")
    best = best_seconds(3, {name: lambda name=name: seen.append(name) for name in names})
    assert seen == ["a", "b"] * 3 and set(best) == set(names)


def test_memory_is_counted_above_the_inputs():
    assert 90_000_000 < peak_memory(partial(operator.mul, b"x", 100_000_000), bytearray) < 150_000_000
