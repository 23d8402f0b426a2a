import json

import pytest

from experiments.report.streams import is_shift_run, read_streams
from requery.errors import RunError
from tests.experiments.report import synthetic


def test_a_run_is_read_with_its_mean_apart(tmp_path):
    run = read_streams(synthetic.write(tmp_path / "rest" / "one"))
    assert run.name == "rest/one" and is_shift_run(run.path)
    assert list(run.rows("recall@1")) == ["fog@5", "snow@5", "jpeg@5"]
    assert run.mean("recall@1")["shift"] == "mean of 2" and run.first["metric"] == "recall@1"
    assert run.methods["tcr"]["class"] == "TCR" and len(run.facts) == 2 * 3 * 7


def test_an_old_run_is_read(tmp_path):
    run = read_streams(synthetic.write(tmp_path, {"tables": synthetic.record()["tables"]}))
    assert run.methods == {} == run.segments and list(run.facts) == [] and run.rows("recall@10")


def test_shifts_that_are_all_set_apart_have_no_mean(tmp_path):
    run = read_streams(synthetic.write(tmp_path, shifts={"snow@5": ("snow", 5, 0.0)}))
    assert run.mean("recall@1") is None and run.rows("recall@1")["snow@5"]["apart"]


def test_what_is_no_such_run_is_said(tmp_path):
    assert not is_shift_run(tmp_path)
    with pytest.raises(RunError, match="is no run of RESTModule's test"):
        read_streams(tmp_path)
    for content in ({"tables": []}, {"tables": [{}]}, {}):
        (tmp_path / "shifts.json").write_text(json.dumps(content))
        with pytest.raises(RunError, match=r"shifts\.json is damaged .*; test the run again"):
            read_streams(tmp_path)
