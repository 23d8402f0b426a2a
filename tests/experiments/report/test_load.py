import os

import pytest

from experiments.report.load import load, run_folders
from requery.errors import RunError


def reasons(loaded):
    return {problem.path.name: problem.reason for problem in loaded.problems}


def test_finds_every_run_once(runs, tmp_path):
    runs.run("a", "one")
    runs.run("a", "two", seed=1)
    folder = runs.run("b", "one").path
    (folder / "negatives").mkdir()
    os.symlink(folder, runs.root / "b" / "latest")
    names = [path.relative_to(runs.root).as_posix() for path in run_folders([runs.root, folder, tmp_path])]
    assert names == ["a/one", "a/two", "b/one"]


def test_reads_whole_runs_without_complaint(runs):
    runs.run("a")
    loaded = load([runs.root])
    assert len(loaded.tested) == 1 and not loaded.problems


def test_broken_and_incomplete_folders_are_listed_with_the_reason(runs):
    runs.run("ok")
    runs.run("x", "truncated").file("metrics.json").write_text('{"metrics": ')
    runs.run("x", "no-ranks").file("ranks.parquet").unlink()
    runs.run("x", "no-interval").write_json(
        "metrics.json", {"protocol": "p@1", "split": "test", "metrics": {"recall@1": {"value": 0.1}}}
    )
    runs.run("x", "failed", tested=False, status="failed")
    runs.run("x", "running", tested=False, status="running")
    runs.run("x", "nothing", tested=False, trained=False)
    (runs.root / "x" / "empty").mkdir()
    loaded = load([runs.root])
    found = reasons(loaded)
    assert [run.experiment for run in loaded.tested] == ["ok"]
    assert "metrics.json is damaged" in found.pop("truncated")
    assert "ranks.parquet is missing" in found.pop("no-ranks")
    assert "recall@1 has no value, low and high" in found.pop("no-interval")
    assert "the cause" in found.pop("failed")
    assert "not finished" in found.pop("running")
    assert "neither test metrics nor training curves" in found.pop("nothing")
    assert "config.yaml is missing" in found.pop("empty")
    assert not found


def test_a_missing_column_is_named(runs):
    folder = runs.run("x")
    folder.write_table(
        "ranks.parquet", {"query_id": ["q"], "target_id": ["t"], "target_rank": [1], "recall@1": [1.0]}
    )
    [problem] = load([runs.root]).problems
    assert "no column top_ids" in problem.reason and "map@10" in problem.reason


def test_a_path_that_is_no_folder_is_an_error(tmp_path):
    with pytest.raises(RunError, match="nowhere is not a folder"):
        load([tmp_path / "nowhere"])
