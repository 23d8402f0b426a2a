"""What every run's Trainer has: its record, checkpoints, a progress bar, the W&B mirror; and less noise."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar, RichProgressBar, TQDMProgressBar

from callbacks.run_record import RunRecord
from callbacks.wandb_logger import SafeWandbLogger, has_account

TRAINER_DEFAULTS = {
    "accelerator": "auto",
    "use_distributed_sampler": False,  # our samplers split by process themselves
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 10,
}
NOISE = (
    ".*does not have many workers.*",
    ".*isinstance.treespec, LeafSpec.*",
    ".*smaller than the logging interval.*",
    ".*in eval mode at the start of training.*",  # the frozen tower
    ".*instantiate_classes.. was deprecated.*",
    ".*predict returned None.*",  # the run record writes the predictions
    ".*val_dataloader. but have no .validation_step.*",  # pre-training
    ".*callbacks used to create the checkpoint need to be provided.*",
)
"""Warnings of Lightning about what is as it should be here."""


def complete(config: dict[str, Any], command: str, folder: Path, monitor: str | None) -> None:
    """Add to the Trainer's arguments, in place, what a config need not name.

    Args:
        config: the Trainer's arguments; what they say stays.
        command: `fit`, `validate`, `test` or `predict`.
        folder: the run's folder.
        monitor: metric whose highest value makes `best.ckpt`.
    """
    given = config.get("callbacks") or []
    given = given if isinstance(given, list) else [given]
    own: list[Callback] = [RunRecord(folder)]
    if config.get("enable_progress_bar") is not False and not any(isinstance(c, ProgressBar) for c in given):
        own.append(RichProgressBar() if sys.stdout.isatty() else TQDMProgressBar(refresh_rate=20))
    if command != "fit":
        config["enable_checkpointing"] = False
    elif config.get("enable_checkpointing") is not False:
        own += checkpoints(folder / "checkpoints", monitor)
    config["callbacks"] = [*given, *own]
    if config.get("logger") in (None, True):
        config["logger"] = SafeWandbLogger(folder, name=f"{folder.parent.name}/{folder.name}")
    config["default_root_dir"] = config.get("default_root_dir") or str(folder)


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
