"""Test-time adaptation from the command line: settings, checkpoints, several processes."""

import pytest
import yaml

from experiments.cli import run
from tests.processes import group

QUIET = ["--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu", "--trainer.logger=false"]
CLASSES = "requery.adaptation."


@pytest.fixture(scope="module")
def config(checkpoints, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rest")
    arguments = {
        "backbone": str(checkpoints / "blip2"),
        "method": {"class_path": CLASSES + "TCR", "init_args": {"lr": 0.01}},
        "rivals": [{"class_path": CLASSES + "NoAdaptation"}],
        "batch_size": 8,
        "cache": str(folder / "cache"),
    }
    source = {
        "class_path": "datamodules.ShapesDataModule",
        "init_args": {"families": {"train": 6, "val": 2, "test": 6}},
    }
    shifts = {"source": source, "kinds": ["fog", "gaussian_noise", "ocr"], "orders": 1, "reference_side": 224}
    content = {
        "model": {"class_path": "lightning_modules.RESTModule", "init_args": arguments},
        "data": {"class_path": "datamodules.QueryShifts", "init_args": shifts},
        "runs_root": str(folder / "runs"),
    }
    path = folder / "streams.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def checkpoint(checkpoints, config):
    """A checkpoint of the same backbone, trained by QuRe."""
    arguments = [
        "--model=lightning_modules.QuReModule",
        f"--model.backbone={checkpoints / 'blip2'}",
        f"--model.cache={config.parent / 'cache'}",
        "--model.negatives.strategy=in_batch",
        "--data=datamodules.ShapesDataModule",
        "--data.families={train: 6, val: 2, test: 2}",
        f"--runs_root={config.parent / 'runs'}",
        "--trainer.max_epochs=1",
    ]
    return run("fit", [*arguments, *QUIET]) / "checkpoints" / "last.ckpt"


def settings(folder):
    return yaml.safe_load((folder / "config.yaml").read_text())["model"]["init_args"]["method"]


def test_what_is_given_wins_over_a_checkpoint(config, checkpoint):
    arguments = [f"--config={config}", f"--ckpt_path={checkpoint}", "--model.method.steps=5", *QUIET]
    folder = run("test", arguments)
    assert settings(folder)["init_args"]["steps"] == 5
    assert "tcr(steps=5, lr=0.01)" in (folder / "shifts.json").read_text()


def test_another_method_has_its_own_defaults(config):
    folder = run("test", [f"--config={config}", "--model.method=requery.adaptation.REST", *QUIET])
    given = settings(folder)
    assert given["class_path"] == CLASSES + "REST"
    assert given["init_args"]["deduplicate"] is True and given["init_args"]["decoupling"] == "l2_anchor"


@pytest.mark.slow
def test_whole_episodes_are_shared_by_processes(config, tmp_path):
    """Six episodes on one, two and four processes: the same files."""
    made = {}
    for processes in (1, 2, 4):
        root = tmp_path / str(processes)
        root.mkdir()
        arguments = ["test", f"--config={config}", f"--runs_root={root}", "--run=one", *QUIET]
        arguments += ["--model.features=true", "--data.orders=2"]
        codes = group(arguments, processes, root, root / "log", root / "streams" / "one")
        assert codes == [0] * processes, "".join(path.read_text() for path in root.glob("log.*"))
        names = ("shifts.parquet", "shifts.json", "metrics.json", "features.safetensors")
        made[processes] = [(root / "streams" / "one" / name).read_bytes() for name in names]
    assert made[1] == made[2] == made[4]
