"""What every run's Trainer has: its record, checkpoints, a progress bar, the W&B mirror; and less noise."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar, RichProgressBar, TQDMProgressBar
from lightning.pytorch.plugins import CheckpointIO
from lightning.pytorch.strategies import DDPStrategy

from callbacks.checkpoint_io import AtomicCheckpointIO
from callbacks.expansion_table import ExpansionTable
from callbacks.logged_test import LoggedTest
from callbacks.lost_process import LostProcess
from callbacks.round_table import RoundTable
from callbacks.run_record import RunRecord
from callbacks.score_line import ScoreLine
from callbacks.shift_table import ShiftTable
from callbacks.stop_on_signal import StopOnSignal
from callbacks.wandb_logger import SafeWandbLogger, has_account
from experiments.launch import is_follower
from requery.files import atomic_bytes
from requery.record import RunFolder

TRAINER_DEFAULTS = {
    "accelerator": "auto",
    "use_distributed_sampler": False,  # our samplers split by process themselves
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 10,
}
DATA_PARALLEL = {"ddp": False, "ddp_find_unused_parameters_true": True}
"""Strategies by name, and whether parameters may go unused in a step."""

NOISE = (
    ".*does not have many workers.*",
    ".*isinstance.treespec, LeafSpec.*",
    ".*smaller than the logging interval.*",
    ".*in eval mode at the start of training.*",  # the frozen tower
    ".*instantiate_classes.. was deprecated.*",
    ".*predict returned None.*",  # the run record writes the predictions
    ".*val_dataloader. but have no .validation_step.*",  # pre-training
    ".*callbacks used to create the checkpoint need to be provided.*",
    ".*It is recommended to use .*sync_dist=True.*",  # what is logged is the same on every process
)
"""Warnings of Lightning about what is as it should be here."""


def complete(
    config: dict[str, Any], command: str, folder: RunFolder, monitor: str | None, patience: float
) -> None:
    """Add to the Trainer's arguments, in place, what a config need not name.

    Args:
        config: the Trainer's arguments; what they say stays.
        command: `fit`, `validate`, `test` or `predict`.
        folder: the run's folder.
        monitor: metric whose highest value makes `best.ckpt`.
        patience: seconds that processes wait for one another.
    """
    given = _listed(config.get("callbacks"))
    own: list[Callback] = [RunRecord(folder.path), LostProcess(folder)]
    own += [LoggedTest(folder.path), ShiftTable(), RoundTable(), ExpansionTable(), ScoreLine(folder.path)]
    if config.get("enable_progress_bar") is not False and not any(isinstance(c, ProgressBar) for c in given):
        own.append(RichProgressBar() if sys.stdout.isatty() else TQDMProgressBar(refresh_rate=20))
    if command != "fit":
        config["enable_checkpointing"] = False
        given = [StopOnSignal(folder.file("checkpoints/last.ckpt")), *given]
    elif config.get("enable_checkpointing") is not False:
        own += checkpoints(folder.file("checkpoints"), monitor)
        given = [StopOnSignal(folder.file("checkpoints/last.ckpt")), *given]
    config["callbacks"] = [*given, *own]
    if config.get("logger") in (None, True):
        name = f"{folder.path.parent.name}/{folder.name}"
        config["logger"] = SafeWandbLogger(folder.path, name=name, version=wandb_id(folder.file("wandb_id")))
    config["default_root_dir"] = config.get("default_root_dir") or str(folder.path)
    plugins = _listed(config.get("plugins"))
    config["plugins"] = (
        plugins if any(isinstance(p, CheckpointIO) for p in plugins) else [*plugins, AtomicCheckpointIO()]
    )
    config["strategy"] = strategy(config, patience)


def strategy(config: dict[str, Any], patience: float) -> Any:
    """What `trainer.strategy` says; data-parallel by name with a bound on how long processes wait.

    Args:
        config: the Trainer's arguments.
        patience: seconds that processes wait for one another.
    """
    name = config.get("strategy")
    devices = config.get("devices")
    if name == "auto" and isinstance(devices, int) and devices > 1:
        name = "ddp"
    if name not in DATA_PARALLEL:
        return name
    return DDPStrategy(timeout=timedelta(seconds=patience), find_unused_parameters=DATA_PARALLEL[name])


def wandb_id(path: Path) -> str | None:
    """The run's name at W&B, kept in a file, so that a resumed run or a test continues it."""
    if is_follower():
        return None  # only the first process talks to W&B
    if not path.exists():
        atomic_bytes(path, secrets.token_hex(4).encode())
    return path.read_text()


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]


def checkpoints(folder: Path, monitor: str | None) -> list[Callback]:
    """Keep `last.ckpt` after every epoch and, where a metric is monitored, `best.ckpt`."""
    # Not save_last=True: alone, with save_top_k=0, it saves once, at the end of the training.
    last = ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    if monitor is None:
        return [last]
    return [ModelCheckpoint(folder, "best", monitor=monitor, mode="max", enable_version_counter=False), last]


def quieten() -> None:
    """Show what needs attention, not what Lightning and W&B say at every start."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in NOISE:
        warnings.filterwarnings("ignore", message=message)
    if not has_account():
        os.environ.setdefault("WANDB_SILENT", "true")
