import pickle
import sys
import warnings
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from torch.utils.data import DataLoader

from callbacks.wandb_logger import SafeWandbLogger, has_account

wandb = pytest.importorskip("wandb")


class Module(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.save_hyperparameters({"lr": 0.1})
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        self.log("train/loss", 1.0)
        return (self.weight * batch).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture(autouse=True)
def no_account(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_SILENT", "true")


def fit(logger: SafeWandbLogger, folder: Path) -> Trainer:
    trainer = Trainer(
        max_epochs=2,
        logger=logger,
        log_every_n_steps=1,
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )
    trainer.fit(Module(), DataLoader(torch.ones(4, 1)))
    return trainer


def ours(caught: list) -> list[str]:
    return [str(item.message) for item in caught if "W&B failed" in str(item.message)]


def test_without_an_account_a_run_is_kept_offline_in_its_folder(tmp_path):
    logger = SafeWandbLogger(save_dir=tmp_path, name="one", version="abc")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(logger, tmp_path)
        assert logger.experiment.settings.mode == "offline" and logger.version == "abc"
        assert logger.experiment.summary["train/loss"] == 1.0 and logger.experiment.config["lr"] == 0.1
        logger.close()
    assert ours(caught) == [] and wandb.run is None
    assert list((tmp_path / "wandb").glob("offline-run-*-abc/run-abc.wandb"))


@pytest.mark.parametrize("broken", ["init", "log", "config", "import"])
def test_a_failure_warns_once_and_the_run_goes_on(tmp_path, monkeypatch, broken):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no server today")

    class Run:
        log = fail if broken == "log" else (lambda self, *_, **__: None)
        id = "x"

        class config:
            update = staticmethod(fail if broken == "config" else (lambda *_, **__: None))

    if broken == "import":
        monkeypatch.setitem(sys.modules, "wandb", None)
    else:
        monkeypatch.setattr(wandb, "init", fail if broken == "init" else (lambda **_: Run()))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        logger = SafeWandbLogger(save_dir=tmp_path)
        trainer = fit(logger, tmp_path)
        logger.log_table("t", ["a"], [[1]])
        logger.log_image("i", [torch.zeros(3, 2, 2)])
        logger.experiment.anything("goes")
        logger.finalize("success")
        logger.close()
    assert trainer.state.finished and trainer.current_epoch == 2
    assert len(ours(caught)) == 1
    assert ("no server today" in ours(caught)[0]) == (broken != "import")


def test_a_missing_package_is_a_failure_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setattr("lightning.pytorch.loggers.wandb._WANDB_AVAILABLE", False)
    with pytest.warns(UserWarning, match="ModuleNotFoundError"):
        logger = SafeWandbLogger(save_dir=tmp_path, version="v")
    assert fit(logger, tmp_path).state.finished
    assert (logger.name, logger.version, logger.save_dir) == ("requery", "v", str(tmp_path))
    assert pickle.loads(pickle.dumps(logger)).version == "v"


def test_a_failing_finish_is_no_failure_of_the_run(tmp_path, monkeypatch):
    class Run:
        def finish(self) -> None:
            raise BrokenPipeError("gone")

    logger = SafeWandbLogger(save_dir=tmp_path)
    logger._experiment = Run()
    with pytest.warns(UserWarning, match="BrokenPipeError: gone"):
        logger.close()


def test_an_account_is_a_key_or_a_netrc_entry(tmp_path, monkeypatch):
    assert not has_account()
    (tmp_path / "netrc").write_text("machine example.org login user password x\n")
    assert not has_account()
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password x\n")
    assert has_account()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org:8080")
    assert not has_account()
    (tmp_path / "netrc").write_text("not a netrc file")
    assert not has_account()
    monkeypatch.setenv("WANDB_API_KEY", "k")
    assert has_account()


@pytest.mark.parametrize(
    ("key", "mode", "expected"), [("", None, "offline"), ("k", None, None), ("", "disabled", None)]
)
def test_the_mode_follows_the_account_and_the_users_word(tmp_path, monkeypatch, key, mode, expected):
    monkeypatch.setenv("WANDB_API_KEY", key)
    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
    logger = SafeWandbLogger(save_dir=tmp_path)
    assert logger._wandb_init["mode"] == expected and isinstance(logger, WandbLogger)
