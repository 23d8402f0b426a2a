"""Whatever the number of processes, a run leaves the same files."""

import json
import shutil

import pytest
import yaml

from tests.processes import group, history

FILES = ("metrics.json", "ranks.parquet", "run.trec", "qrels.trec", "qrels_graded.trec")
SIZES = {"train": 60, "val": 8, "test": 110}  # 360 images, 6 blocks; 330 test queries, 2 blocks


@pytest.fixture(scope="module")
def config(checkpoints, tmp_path_factory):
    """A small fit that learns nothing, so that every definition is made from the given checkpoint."""
    folder = tmp_path_factory.mktemp("sizes")
    shutil.copytree(checkpoints, folder / "checkpoints")
    file = folder / "checkpoints" / "blip2" / "config.json"
    model = json.loads(file.read_text())
    no_dropout = {
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }  # each process draws its own
    file.write_text(json.dumps({**model, "qformer": {**model["qformer"], **no_dropout}}))
    arguments = {
        "backbone": str(file.parent),
        "negatives": {"strategy": "two_drop_window", "window": 10},
        "lr": 0.0,
        "weight_decay": 0.0,
    }
    trainer = {
        "max_epochs": 2,
        "callbacks": [{"class_path": "callbacks.HardNegativeRefresh", "init_args": {"n_def": 2}}],
        "enable_progress_bar": False,
        "logger": False,
    }
    content = {
        "model": {"class_path": "lightning_modules.QuReModule", "init_args": arguments},
        "data": {"class_path": "datamodules.ShapesDataModule", "init_args": {"families": SIZES}},
        "trainer": trainer,
    }
    path = folder / "sizes.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def files(config, processes):
    """Fit and test with so many processes; the bytes of what must not depend on their number."""
    folder = config.parent / str(processes)
    shared = [f"--config={config}", f"--runs_root={folder}", f"--model.cache={folder / 'cache'}"]
    for command in (["fit", *shared, "--run=one"], ["test", *shared, "--resume=one"]):
        folder.mkdir(exist_ok=True)
        log = folder / command[0]
        codes = group(command, processes, folder, log, folder / "sizes" / "one")
        assert codes == [0] * processes, "".join(p.read_text() for p in folder.glob(f"{command[0]}.*"))
    run = folder / "sizes" / "one"
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    rows = history(run)
    made = {name: (run / name).read_bytes() for name in FILES}
    made |= {path.name: path.read_bytes() for path in sorted((run / "negatives").iterdir())}
    cached = {path.name: path.read_bytes() for path in (folder / "cache").rglob("*.safetensors")}
    cost = json.loads((run / "cost.json").read_text())["stages"]
    return made, cached, rows, {name: cost[name]["items"] for name in ("train", "test")}


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_files(config):
    made, cached, rows, items = files(config, 1)
    assert "epoch_001.safetensors" in made and len(cached) == 4 and items["test"] == 330
    for processes in (2, 3, 4, 7):
        others = files(config, processes)
        assert others[0].keys() == made.keys()
        for name in made:
            assert others[0][name] == made[name], f"{name} of {processes} processes"
        assert others[1] == cached and others[3] == items
        for row, other in zip(rows, others[2], strict=True):
            assert other == pytest.approx(row, abs=1e-5)
