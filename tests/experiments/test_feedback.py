"""Feedback from the command line: rows as settings, a fit and its summarizer, several processes."""

import json

import pytest
import yaml

from experiments.cli import run
from requery.generation import Store, caption_requests, generate
from requery.generation.caption_source import CaptionSource
from requery.generation.rules import RuleGenerator
from tests.processes import group

QUIET = ["--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu", "--trainer.logger=false"]
ROWS = "requery.feedback.rows."
SIZES = {"train": 4, "val": 3, "test": 110}  # 660 queries, 2 blocks
FILES = ("rounds.json", "rounds.parquet", "metrics.json")


@pytest.fixture(scope="module")
def folder(checkpoints, tmp_path_factory):
    """A folder with a store of captions, and both configs."""
    from datamodules import ShapesDataModule
    from datamodules.shapes import Families

    folder = tmp_path_factory.mktemp("feedback")
    data, store = ShapesDataModule("text_to_image", families=Families(**SIZES)), Store(folder / "captions")
    colour = RuleGenerator(
        lambda prompt: f"a picture of {prompt.image.resize((1, 1)).getpixel((0, 0))}", "mean@1"
    )
    for split in SIZES:
        images = data.task(split).images
        limit = CaptionSource().max_new_tokens
        generate(colour, caption_requests(images), max_new_tokens=limit, store=store)
    shapes = {
        "class_path": "datamodules.ShapesDataModule",
        "init_args": {"task": "text_to_image", "families": SIZES},
    }
    shared = {
        "backbone": str(checkpoints / "clip"),
        "captions": {"store": str(folder / "captions")},
        "cache": str(folder / "cache"),
    }
    heads = {"summarizer": str(folder / "afs"), "query_only": str(folder / "afs")}
    rows = [
        {"class_path": ROWS + "AFS", "init_args": {**heads, "guards": {"first_weight": 0.2}}},
        {"class_path": ROWS + "GRF", "init_args": {"normalize_feedback": "always"}},
        {"class_path": ROWS + "Explicit"},
        {"class_path": ROWS + "Hubs", "init_args": {"pool": 20}},
        {"class_path": ROWS + "Marked", "init_args": {"clicks": {"wrong": 0.2, "budget": 2}}},
    ]
    configs = {
        "rows": {"model": {**shared, "rows": rows, "rounds": 3}, "data": shapes},
        "fit": {
            "model": {**shared, "head": {"dim": 16, "heads": 2}, "training": {"contrast": 0.2}, "lr": 1e-3},
            "data": {
                "class_path": "datamodules.PairsDataModule",
                "init_args": {"source": shapes, "batch_size": 8},
            },
            "trainer": {"max_epochs": 2},
            "monitor": "val/mrr@5",
        },
    }
    configs["fit"]["model"]["output"] = str(folder / "afs")
    for name, content in configs.items():
        model = {"class_path": "lightning_modules.FeedbackModule", "init_args": content["model"]}
        content = {**content, "model": model, "runs_root": str(folder / "runs")}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return folder


@pytest.fixture(scope="module")
def fitted(folder):
    return run("fit", [f"--config={folder / 'fit.yaml'}", "--run=one", *QUIET])


def test_a_fit_can_be_resumed_and_keeps_its_settings(folder, fitted):
    config = json.loads((folder / "afs" / "config.json").read_text())
    assert config["model_type"] == "requery-afs" and config["dim"] == 16 and config["k"] == 5
    again = run("fit", [f"--config={folder / 'fit.yaml'}", "--resume=one", "--trainer.max_epochs=3", *QUIET])
    rows = [json.loads(line) for line in (again / "history.jsonl").read_text().splitlines()]
    assert again == fitted and [row["epoch"] for row in rows] == [0, 1, 2]
    assert all({"train/loss", "val/mrr@5"} <= row.keys() for row in rows)


def test_rows_are_settings(folder, fitted):
    arguments = [f"--config={folder / 'rows.yaml'}", "--model.rounds=2", *QUIET]
    content = json.loads((run("test", arguments) / "rounds.json").read_text())
    assert list(content["rows"])[:3] == ["none", "AFS(first_weight=0.2)", "AFS(first_weight=0.2), shuffled"]
    assert content["rounds"] == 2 and "marks(wrong=0.2, budget=2)" in content["rows"]


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_files(folder, fitted, tmp_path):
    made = {}
    for processes in (1, 2, 3):
        root = tmp_path / str(processes)
        root.mkdir()
        arguments = ["test", f"--config={folder / 'rows.yaml'}", f"--runs_root={root}", "--run=one", *QUIET]
        arguments += [f"--model.cache={root / 'cache'}"]
        codes = group(arguments, processes, root, root / "log", root / "rows" / "one")
        assert codes == [0] * processes, "".join(path.read_text() for path in root.glob("log.*"))
        made[processes] = [(root / "rows" / "one" / name).read_bytes() for name in FILES]
    assert made[1] == made[2] == made[3]


@pytest.mark.slow
def test_a_fit_of_two_processes_is_that_of_one(folder, tmp_path):
    losses = {}
    for processes in (1, 2):
        root = tmp_path / str(processes)
        root.mkdir()
        arguments = ["fit", f"--config={folder / 'fit.yaml'}", f"--runs_root={root}", "--run=one", *QUIET]
        arguments += [f"--model.output={root / 'afs'}", f"--model.cache={root / 'cache'}"]
        codes = group(arguments, processes, root, root / "log", root / "fit" / "one")
        assert codes == [0] * processes, "".join(path.read_text() for path in root.glob("log.*"))
        rows = (root / "fit" / "one" / "history.jsonl").read_text().splitlines()
        losses[processes] = [json.loads(row)["train/loss"] for row in rows]
    assert losses[2] == pytest.approx(losses[1], abs=1e-5)
