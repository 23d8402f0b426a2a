import json
from dataclasses import replace

import pytest

from experiments.sweep.outcome import course, failure, state, value
from requery.errors import RunError


def history(folder, *values):
    rows = [{"epoch": epoch, "val/a@1": value, "val/b": 1} for epoch, value in enumerate(values)]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_fit_is_worth_its_best_epoch(tmp_path, sweep):
    history(tmp_path, 0.2, None, 0.5, 0.4)
    assert course(tmp_path, "val/a@1") == {1: 0.2, 3: 0.5, 4: 0.4}
    assert value(tmp_path, sweep) == 0.5
    assert value(tmp_path, replace(sweep, goal="minimize")) == 0.2


def test_a_test_is_worth_what_it_measured(tmp_path, sweep):
    (tmp_path / "metrics.json").write_text(json.dumps({"metrics": {"recall@1": {"value": 0.25}}}))
    assert value(tmp_path, replace(sweep, command="test", metric="test/recall@1")) == 0.25
    with pytest.raises(RunError, match=r"metrics\.json has no test/map@10; it has test/recall@1"):
        value(tmp_path, replace(sweep, command="test", metric="test/map@10"))


def test_what_was_not_measured_is_named(tmp_path, sweep):
    with pytest.raises(RunError, match=r"history\.jsonl has no val/a@1; it has nothing"):
        value(tmp_path, sweep)
    history(tmp_path, None)
    with pytest.raises(RunError, match=r"has no val/c; it has epoch, val/a@1, val/b"):
        value(tmp_path, replace(sweep, metric="val/c"))


def test_why_a_process_ended(tmp_path):
    log = tmp_path / "log"
    assert failure(tmp_path, log, 3) == f"ended with status 3; see {log}"
    log.write_text("warning: x\nerror: first\nerror: unknown key a\n")
    assert failure(tmp_path, log, 2) == "unknown key a"
    assert failure(tmp_path, log, -9) == "killed by signal 9 (out of memory?)"
    assert state(tmp_path) is None
    (tmp_path / "status.json").write_text(json.dumps({"state": "failed", "message": "ValueError: no"}))
    assert failure(tmp_path, log, 1) == "ValueError: no" and state(tmp_path) == "failed"
