"""SIGTERM, as schedulers send it before they kill: keep a checkpoint, then stop."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from requery import distributed

EXIT = 128 + signal.SIGTERM
"""Exit status of a process that stopped on SIGTERM, as a shell reports it."""


class StopOnSignal(Callback):
    """Save `last.ckpt` at the end of the current step and exit; the resumed run goes on at the next step.

    Between the last step of an epoch and the checkpoint that ends it (validation), the epoch is finished
    first. Elsewhere (encoding, the definition of negatives) the last checkpoint has all there is to keep, and
    the process stops at once. Several processes stop at the same step. Give it first: a definition need not
    begin when the run is to stop. A test stops at once: what it had to wait for is stored.

    Args:
        checkpoint: where the checkpoint goes.
    """

    def __init__(self, checkpoint: Path | str) -> None:
        self.checkpoint = Path(checkpoint)
        self._asked = self._training = False
        self._before: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over from Lightning's handler, which keeps no checkpoint."""
        self._before = signal.signal(signal.SIGTERM, self._receive)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._restore()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over likewise: Lightning's handler waits for a batch, and a model may talk for hours."""
        self._before = signal.signal(signal.SIGTERM, self._receive)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._restore()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._restore()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop here if asked to: the checkpoint of the last epoch is whole, and nothing is learnt since."""
        self._training = False
        if distributed.any_of(self._asked):
            self._stop()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """From here on there is something to lose."""
        self._training = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop here if asked to, unless the epoch is about to end with a checkpoint of its own."""
        if distributed.any_of(self._asked) and not trainer.is_last_batch:
            trainer.save_checkpoint(self.checkpoint)
            self._stop()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        if not self._training:
            self._stop()

    def _stop(self) -> None:
        self._restore()
        print("stopped by SIGTERM; go on with --resume", file=sys.stderr, flush=True)
        sys.exit(EXIT)

    def _restore(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None
