"""A machine without a network: a run reads local folders and writes local files, whatever W&B does."""

from __future__ import annotations

import json
import socket

import pytest
import yaml

from experiments.__main__ import main
from experiments.cli import run


@pytest.fixture
def addresses(monkeypatch):
    """Refuse every connection and every look-up of a name; returns what was asked for."""
    asked, connect = [], socket.socket.connect

    def refuse(self, address):
        if self.family == socket.AF_UNIX:  # between processes of this machine
            return connect(self, address)
        asked.append(address)
        raise OSError("Network is unreachable")

    def look_up(host, *_, **__):
        asked.append(host)
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.fixture
def config(checkpoints, tmp_path, monkeypatch):
    """The main job in small, logging to W&B."""
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    settings = {
        "model": {
            "class_path": "lightning_modules.QuReModule",
            "init_args": {"backbone": str(checkpoints / "blip2"), "cache": str(tmp_path / "cache")},
        },
        "data": {
            "class_path": "datamodules.ShapesDataModule",
            "init_args": {"families": {"train": 3, "val": 3, "test": 3}},
        },
        "trainer": {
            "max_epochs": 1,
            "callbacks": [{"class_path": "callbacks.HardNegativeRefresh", "init_args": {"n_def": 1}}],
            "enable_progress_bar": False,
            "accelerator": "cpu",
        },
        "runs_root": str(tmp_path / "runs"),
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_a_fit_and_a_test_ask_the_network_for_nothing(config, addresses):
    folder = run("fit", [f"--config={config}", "--run=one"])
    run("test", [f"--config={config}", "--resume=one"])
    assert json.loads((folder / "metrics.json").read_text())["metrics"]["recall@1"]["n"] == 9
    assert list(folder.glob("**/offline-run-*/*.wandb"))
    assert addresses == []


def test_a_wandb_account_that_cannot_be_reached_stops_nothing(config, addresses, monkeypatch):
    import wandb

    def down(**_):
        raise wandb.errors.CommError("Run initialization has timed out")

    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setattr(wandb, "init", down)
    with pytest.warns(UserWarning, match="W&B failed.*timed out"):
        folder = run("fit", [f"--config={config}", "--run=two"])
    assert json.loads((folder / "status.json").read_text())["state"] == "finished"


def test_a_backbone_on_the_hub_says_to_give_a_folder(config, addresses, monkeypatch, capsys):
    monkeypatch.setattr("time.sleep", lambda _: None)  # the hub's client tries again for 20 seconds
    hub = ["--model.backbone=owner/name", f"--model.revision={'0' * 40}"]
    assert main(["test", f"--config={config}", *hub]) == 2
    message = capsys.readouterr().err
    assert "give its folder" in message and "Traceback" not in message
