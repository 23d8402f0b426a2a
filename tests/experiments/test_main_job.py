"""The main job end to end on a tiny model: fit, test, predict, report, all through the command line."""

from __future__ import annotations

import json

import ir_measures
import pytest
import yaml
from ir_measures import Success

from experiments.cli import run
from experiments.report.command import write_report
from requery.ranking.protocols import COMPOSED_METRICS
from requery.record import read

QUIET = ["--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu", "--trainer.logger=false"]


@pytest.fixture(scope="module")
def job(checkpoints, tmp_path_factory):
    """A config of the main job in small, and the folder of a run that was fitted and tested."""
    folder = tmp_path_factory.mktemp("job")
    families = {"train": 20, "val": 8, "test": 30}
    config = {
        "model": {
            "class_path": "lightning_modules.QuReModule",
            "init_args": {
                "backbone": str(checkpoints / "blip2"),
                "negatives": {"strategy": "two_drop_window", "window": 10},
                "lr": 1e-3,
                "min_temperature": 0.05,
                "cache": str(folder / "cache"),
            },
        },
        "data": {"class_path": "datamodules.ShapesDataModule", "init_args": {"families": families}},
        "trainer": {
            "max_epochs": 3,
            "callbacks": [{"class_path": "callbacks.HardNegativeRefresh", "init_args": {"n_def": 3}}],
        },
        "runs_root": str(folder / "runs"),
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(config))
    run("fit", [f"--config={path}", "--run=one", *QUIET])
    return path, run("test", [f"--config={path}", "--resume=one", *QUIET])


def test_the_run_folder_holds_everything(job):
    _, folder = job
    record = read(folder)
    assert record.metrics["protocol"] == "shapes/composed@1" and record.metrics["split"] == "test"
    assert tuple(record.metrics["metrics"]) == COMPOSED_METRICS
    for estimate in record.metrics["metrics"].values():
        assert estimate["low"] <= estimate["value"] <= estimate["high"] and estimate["n"] == 90
    assert set(record.environment["data"]) == {"train", "val", "test"}
    assert record.environment["seed"] == 0 and record.status["state"] == "finished"
    assert {"train", "test", "encode_gallery", "rank", "definition"} <= set(record.cost["stages"])
    assert [row["epoch"] for row in record.history] == [0, 1, 2]
    assert "negatives/size_median" in record.history[1] and "val/recall@1" in record.history[0]
    assert len(list((folder / "negatives").iterdir())) == 2
    assert (folder / "checkpoints" / "best.ckpt").exists()


def test_recall_counts_exactly_what_the_qrels_say(job):
    _, folder = job
    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.trec")))
    ranked = list(ir_measures.read_trec_run(str(folder / "run.trec")))
    metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
    for k in (1, 5, 10):
        found = ir_measures.calc_aggregate([Success @ k], qrels, ranked)[Success @ k]
        assert metrics[f"recall@{k}"]["value"] == pytest.approx(found)
    graded = list(ir_measures.read_trec_qrels(str(folder / "qrels_graded.trec")))
    found = ir_measures.calc_aggregate([Success @ 1], graded, ranked)[Success @ 1]
    assert metrics["hit_any@1"]["value"] == pytest.approx(found)


def test_the_resolved_config_runs_again_to_the_same_numbers(job, tmp_path):
    _, folder = job
    config = folder / "config.yaml"
    again = run("fit", [f"--config={config}", f"--runs_root={tmp_path}", *QUIET])
    run("test", [f"--config={config}", f"--runs_root={tmp_path}", f"--resume={again.name}", *QUIET])
    one, two = (json.loads((f / "metrics.json").read_text()) for f in (folder, again))
    assert one == two


def test_the_command_line_wins_over_the_checkpoint(job, tmp_path):
    path, folder = job
    checkpoint = folder / "checkpoints" / "last.ckpt"
    text = path.read_text().replace("min_temperature: 0.05", "min_temperature: 0.06")
    bare = tmp_path / "bare.yaml"
    bare.write_text(text.replace(f"runs_root: {path.parent / 'runs'}", f"runs_root: {tmp_path}"))
    common = [f"--config={bare}", f"--ckpt_path={checkpoint}", *QUIET]
    for extra, expected in (([], 0.06), (["--model.min_temperature=0.3"], 0.3)):
        tested = run("test", [*common, *extra])
        settings = yaml.safe_load((tested / "config.yaml").read_text())["model"]["init_args"]
        assert settings["min_temperature"] == expected
        assert settings["negatives"]["strategy"] == "two_drop_window"


def test_validate_scores_the_val_split_and_leaves_the_test_alone(job):
    path, folder = job
    before = (folder / "metrics.json").read_bytes()
    run("validate", [f"--config={path}", "--resume=one", *QUIET])
    found = json.loads((folder / "validation.json").read_text())
    assert found["split"] == "val" and found["metrics"]["recall@1"]["n"] == 24
    assert (folder / "metrics.json").read_bytes() == before


def test_predict_writes_ranked_lists(job):
    path, folder = job
    out = run("predict", [f"--config={path}", f"--ckpt_path={folder / 'checkpoints' / 'last.ckpt'}", *QUIET])
    ranked = {row.query_id for row in ir_measures.read_trec_run(str(out / "run.trec"))}
    assert len(ranked) == 90 and not (out / "metrics.json").exists()


def test_the_report_shows_tables_curves_and_pictures(job, tmp_path):
    _, folder = job
    page = tmp_path / "report.html"
    write_report([folder], page)
    text = page.read_text()
    assert "shapes/composed@1" in text and "recall_subset@1" in text and "data:image/" in text
    assert "<script src" not in text and "http://" not in text.replace("http://www.w3.org", "")
