"""What makes a training resumable at any step: a seed for each one, and epoch means that have a memory."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor

from requery import distributed
from requery.means import Means
from requery.rng import draws


class ResumableModule(L.LightningModule):
    """A module whose steps depend on (seed, step, process) and whose epoch means are part of the checkpoint.

    Args:
        seed: seed of everything random in the method.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed, self.means = seed, Means()

    def note(self, name: str, value: Tensor | float, weight: float = 1) -> None:
        """Add a value that all processes agree on to the epoch's mean of this name.

        Lightning's `log(on_epoch=True)` begins anew where a run is resumed in the middle of an epoch.
        """
        self.means.add(name, value, weight)

    @property
    def planned_steps(self) -> int:
        """Optimiser steps of the whole fit."""
        steps = int(self.trainer.estimated_stepping_batches)
        # counting has opened the loader; a resumed run must open it again, where its checkpoint says
        self.trainer.fit_loop._combined_loader = None
        return steps

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        torch.manual_seed(int(draws(self.seed, self.global_step, distributed.rank()) >> 1))  # dropout

    def on_train_epoch_end(self) -> None:
        self.log_dict(self.means.values())
        self.means.reset()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["epoch_means"] = self.means.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.means.load_state_dict(checkpoint.get("epoch_means", {}))
