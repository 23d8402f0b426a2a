import json
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
from torch.utils.data import DataLoader

from callbacks.run_record import RunRecord
from requery.cost import CostMeter
from requery.errors import RunError
from requery.record import read

ITEMS, BATCH, EPOCHS = 10, 4, 4


class Data(LightningDataModule):
    data_digests: ClassVar = {"train": "aa", "test": "bb"}

    def loader(self) -> DataLoader:
        return DataLoader([{"x": torch.tensor([float(i)])} for i in range(ITEMS)], batch_size=BATCH)

    train_dataloader = val_dataloader = test_dataloader = loader


class Module(LightningModule):
    """Logs the epoch as the training loss, and a validation value every second epoch."""

    def __init__(self, fail_at: int | None = None, error: type[BaseException] = ValueError) -> None:
        super().__init__()
        self.cost, self.fail_at, self.error = CostMeter(), fail_at, error
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def on_train_epoch_start(self) -> None:
        if self.current_epoch == 1:
            self.log("negatives/size_median", 17.0)

    def training_step(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        if self.current_epoch == self.fail_at:
            raise self.error("broken on purpose")
        self.log("train/loss", float(self.current_epoch), on_step=False, on_epoch=True)
        return (self.weight * batch["x"]).sum()

    def validation_step(self, batch: dict[str, torch.Tensor]) -> None:
        self.log("val/recall@1", 0.5)

    def test_step(self, batch: dict[str, torch.Tensor]) -> None:
        with self.cost.stage("encode_gallery", items=len(batch["x"])):
            pass

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trainer(folder: Path, epochs: int = EPOCHS) -> Trainer:
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text("seed: 5\n")
    return Trainer(
        max_epochs=epochs,
        check_val_every_n_epoch=2,
        callbacks=[RunRecord(folder)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )


@pytest.fixture(autouse=True)
def interrupts():
    """Lightning ignores every interrupt after a first one."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def test_a_fit_and_a_test_fill_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["experiments", "fit"])
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")  # so that the next line's change is undone
    seed_everything(5)
    module, run = Module(), trainer(tmp_path / "run")
    run.fit(module, datamodule=Data())
    record = read(tmp_path / "run")
    assert record.status == {"state": "finished", "command": ["experiments", "fit"]}
    assert record.environment["data"] == Data.data_digests and record.environment["seed"] == 5
    assert record.cost["stages"]["train"]["items"] == ITEMS * EPOCHS
    run.test(module, datamodule=Data())
    cost = read(tmp_path / "run").cost
    assert {name: row["items"] for name, row in cost["stages"].items()} == {
        "train": ITEMS * EPOCHS,
        "encode_gallery": ITEMS,
        "test": ITEMS,
    }
    assert 0 < cost["stages"]["train"]["seconds"] < cost["total_seconds"] and cost["peak_memory_bytes"] > 0


def test_a_row_has_what_its_epoch_logged_and_nothing_older(tmp_path):
    trainer(tmp_path / "run").fit(Module(), datamodule=Data())
    steps = -(-ITEMS // BATCH)
    assert read(tmp_path / "run").history == [
        {"epoch": 0, "step": steps, "train/loss": 0.0},
        {
            "epoch": 1,
            "step": 2 * steps,
            "train/loss": 1.0,
            "val/recall@1": 0.5,
            "negatives/size_median": 17.0,
        },
        {"epoch": 2, "step": 3 * steps, "train/loss": 2.0},
        {"epoch": 3, "step": 4 * steps, "train/loss": 3.0, "val/recall@1": 0.5},
    ]


@pytest.mark.parametrize(("error", "state"), [(ValueError, "failed"), (KeyboardInterrupt, "stopped")])
def test_a_failure_is_recorded_with_its_message_and_cost(tmp_path, error, state):
    with pytest.raises((ValueError, SystemExit)):
        trainer(tmp_path / "run").fit(Module(fail_at=1, error=error), datamodule=Data())
    record = read(tmp_path / "run")
    assert record.status["state"] == state
    assert record.status["message"] == f"{error.__name__}: broken on purpose"
    assert [row["epoch"] for row in record.history] == [0]
    assert record.cost["stages"]["train"]["items"] == ITEMS


def test_while_it_runs_the_state_says_so(tmp_path):
    seen = []

    class Watching(Module):
        def on_train_start(self) -> None:
            seen.append(json.loads((tmp_path / "run" / "status.json").read_text())["state"])

    trainer(tmp_path / "run", epochs=1).fit(Watching(), datamodule=Data())
    assert seen == ["running"]


def test_another_process_of_the_run_adds_to_its_cost(tmp_path):
    for _ in range(2):  # a new module has a new meter, as a new process has
        trainer(tmp_path / "run", epochs=1).fit(Module(), datamodule=Data())
    record = read(tmp_path / "run")
    assert record.cost["stages"]["train"]["items"] == 2 * ITEMS
    assert len(record.history) == 1


def test_the_error_that_stopped_the_run_is_the_one_shown(tmp_path):
    class Removed(Module):
        def training_step(self, batch: dict[str, torch.Tensor]) -> None:
            folder = tmp_path / "run"
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
            folder.write_text("no folder any more")
            raise ValueError("the first error")

    with pytest.raises(ValueError, match="the first error"):
        trainer(tmp_path / "run").fit(Removed(), datamodule=Data())


def test_an_unwritable_folder_stops_the_run_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    run = trainer(tmp_path / "run")
    run.callbacks[0].folder.path = tmp_path / "file" / "run"
    with pytest.raises(RunError, match="cannot be written"):
        run.fit(Module(), datamodule=Data())


def test_a_batch_without_tensors_and_no_data_module(tmp_path):
    class Texts(Module):
        def test_step(self, batch: list[str]) -> None: ...

    trainer(tmp_path / "run").test(Texts(), DataLoader(["a", "b"], collate_fn=lambda rows: rows))
    record = read(tmp_path / "run")
    assert record.environment["data"] == {} and record.cost["stages"]["test"]["items"] == 0


def test_only_rank_zero_writes(tmp_path):
    callback, module = RunRecord(tmp_path / "run"), Module()
    other = SimpleNamespace(
        is_global_zero=False, callback_metrics={}, current_epoch=0, global_step=1, world_size=2
    )
    callback.setup(other, module, "fit")
    callback.on_train_start(other, module)
    callback.on_train_epoch_end(other, module)
    callback.on_exception(other, module, ValueError("x"))
    callback.teardown(other, module, "fit")
    assert not (tmp_path / "run").exists()
