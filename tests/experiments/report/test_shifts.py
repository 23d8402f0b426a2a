"""Tests of streams in the report."""

import json

import pytest

from experiments.report.load import load
from experiments.report.page import render
from experiments.report.shifts import ShiftCell
from tests.experiments.report import synthetic


def gain(value, half):
    return {"value": value, "low": value - half, "high": value + half}


def cell(value, of_source=None):
    return {"value": value, "low": value - 0.02, "high": value + 0.02, "spread": 0.0, "gain": of_source}


def table(clean=()):
    rows = [
        {"shift": "snow@5", "apart": True, "cells": {"tcr": cell(0.0, gain(0.0, 0.01)), "none": cell(0.0)}},
        {"shift": "fog@5", "apart": False, "cells": {"tcr": cell(0.4, gain(0.03, 0.01)), "none": cell(0.37)}},
    ]
    return {
        "protocol": "shapes/image_to_text@1",
        "split": "test",
        "metric": "recall@1",
        "methods": ["tcr", "none"],
        "orders": 3,
        "queries": 512,
        "rows": rows,
        "clean_after": list(clean) and rows,
    }


@pytest.fixture
def streams(tmp_path):
    """Write a run folder with a table; the folder."""

    def make(content):
        folder = tmp_path / "rest" / "one"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("{}")
        (folder / "environment.json").write_text("{}")
        (folder / "metrics.json").write_text("{}")
        (folder / "shifts.json").write_text(json.dumps(content))
        return tmp_path

    return make


def test_gains_are_tinted_and_rows_set_apart_come_last(streams):
    loaded = load([streams({"tables": [table()]})])
    assert not loaded.problems and not loaded.tested
    (view,) = loaded.streams
    (made,) = view.tables
    assert [shift for shift, _, _ in made.rows] == ["fog@5", "snow@5"]
    page = render(loaded)
    assert page.index("fog@5") < page.index("snow@5") and 'class="apart"' in page
    assert page.count('class="gained"') == 1 and "rest/one" in page and 'id="cost"' not in page


def test_clean_queries_have_a_table_of_their_own(streams):
    (view,) = load([streams({"tables": [table(clean=[1])]})]).streams
    assert [made.title for made in view.tables][1] == "recall@1 of clean queries after each shift"


def test_a_tint_needs_an_interval_without_nothing_in_it():
    assert ShiftCell(0.4, 0.3, 0.5, 0.025, True).tint == pytest.approx(0.5)
    assert ShiftCell(0.4, 0.3, 0.5, -0.5, True).tint == -1.0
    assert ShiftCell(0.4, 0.3, 0.5, 0.025, False).tint == 0.0 == ShiftCell(0.4, 0.3, 0.5, None, False).tint


def test_a_damaged_table_is_a_problem(streams):
    loaded = load([streams({"tables": [{"metric": "recall@1"}]})])
    assert not loaded.streams and "damaged" in loaded.problems[0].reason


def test_facts_are_means_over_orders_and_embeddings_a_picture(tmp_path):
    synthetic.write(tmp_path / "rest" / "one", features=True)
    loaded = load([tmp_path])
    (view,) = loaded.streams
    row = view.streams[0]
    assert (row.shift, row.method, row.updates) == ("fog@5", "tcr", 25.0)
    assert (row.uniformity, row.gap, row.source_gap) == pytest.approx((0.945, 0.65, 0.5))
    assert [fact.source_gap for fact in view.streams if fact.method == "none"] == [None] * 3
    page = render(loaded)
    assert "Facts of the streams" in page and "<td>0.945</td><td>0.650</td><td>0.500</td><td>25</td>" in page
    assert page.count('class="frame"') == 3 * (1 + len(synthetic.SIZES)) and view.picture.caption[:40] in page


def test_runs_without_facts_have_neither(streams):
    page = render(load([streams({"tables": [table()]})]))
    assert "Facts of the streams" not in page and 'class="frame"' not in page
