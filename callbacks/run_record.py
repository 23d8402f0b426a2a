"""Keep the run's folder: environment, cost, history and state."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.data import extract_batch_size
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import Tensor

from requery import distributed
from requery.cost import CostMeter
from requery.errors import RunError
from requery.means import Means
from requery.record import RunFolder
from requery.results import score, write_predictions


class RunRecord(Callback):
    """Write `environment.json`, `history.jsonl`, `cost.json` and `status.json` of a run (rank zero only).

    The module's `cost` (a `CostMeter`) is what the run costs; this adds the stages `train` and `test` to it.
    Hashes of the data come from the data module's `data_digests` (split -> SHA-256) where it has them.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = RunFolder(folder)
        self._seen: dict[str, Tensor] = {}
        self._stage: str | None = None
        self._began = 0.0
        self._items = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Say that the run has begun, and where."""
        if not trainer.is_global_zero:
            return
        self._write_environment(trainer)
        self.folder.write_status("running", sys.argv)
        _cost(pl_module).resume(self.folder.file("cost.json"))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start timing the stage `train`."""
        self._start("train")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the batch's items."""
        self._items += _size(batch)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch's row: the module's means, and the metrics otherwise logged in the epoch."""
        metrics = dict(trainer.callback_metrics)
        means = getattr(pl_module, "means", Means())
        row = {name: float(new) for name, new in metrics.items() if not _same(new, self._seen.get(name))}
        row = {name: value for name, value in row.items() if name not in means.names} | means.values()
        self._seen = metrics
        if trainer.is_global_zero:
            self.folder.append_history({"epoch": trainer.current_epoch, "step": trainer.global_step, **row})

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the stage to the cost."""
        self._items = distributed.total(self._items)
        self._stop(pl_module)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start timing the stage `test`."""
        self._start("test")

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count the batch's items."""
        self._items += _size(batch)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the stage to the cost, and write what was measured."""
        self._items = distributed.total(self._items)
        self._stop(pl_module)
        tested = getattr(pl_module, "tested", None)
        if trainer.is_global_zero and tested is not None:
            tested.write(self.folder)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `validation.json` for the command `validate`; within a fit the history has the metrics."""
        tested = getattr(pl_module, "tested", None)
        if trainer.is_global_zero and trainer.state.fn == "validate" and tested is not None:
            self.folder.write_json("validation.json", score(tested.task, tested.ranking))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the ranked lists, and the benchmark's submission files where it has a server."""
        tested = getattr(pl_module, "tested", None)
        if trainer.is_global_zero and tested is not None:
            write_predictions(self.folder, tested.task, tested.ranking)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Say that the command is done; Lightning comes here only when nothing failed."""
        if trainer.is_global_zero:
            self._write_environment(trainer)  # again: now it is known which data were read
            self._close(pl_module, "finished")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Say what stopped the run."""
        if trainer.is_global_zero:
            self._stop(pl_module)
            error = distributed.explain(exception)
            asked = isinstance(error, (KeyboardInterrupt, SystemExit))
            # What stopped the run may stop this too (a full disk), and its error is the one to show.
            with suppress(RunError):
                self._close(pl_module, "stopped" if asked else "failed", f"{type(error).__name__}: {error}")

    def _write_environment(self, trainer: Trainer) -> None:
        seed = os.environ.get("PL_GLOBAL_SEED")
        digests = getattr(getattr(trainer, "datamodule", None), "data_digests", None)
        self.folder.write_environment(digests, None if seed is None else int(seed))

    def _close(self, pl_module: LightningModule, state: str, message: str | None = None) -> None:
        self.folder.write_json("cost.json", _cost(pl_module).as_dict())
        self.folder.write_status(state, sys.argv, message)

    def _start(self, stage: str) -> None:
        self._stage, self._began, self._items = stage, time.perf_counter(), 0

    def _stop(self, pl_module: LightningModule) -> None:
        if self._stage is not None:
            _cost(pl_module).add(self._stage, time.perf_counter() - self._began, self._items)
            self._stage = None


def _same(value: Tensor, earlier: Tensor | None) -> bool:
    """Whether a metric is the one seen before: Lightning goes on showing what an epoch did not log again.

    A value logged again has its own memory, and that of the earlier one, still held, is not reused.
    """
    return earlier is not None and value.data_ptr() == earlier.data_ptr()


def _cost(pl_module: LightningModule) -> CostMeter:
    cost = pl_module.cost
    assert isinstance(cost, CostMeter), f"{type(pl_module).__name__}.cost must be a CostMeter"
    return cost


def _size(batch: Any) -> int:
    try:
        return extract_batch_size(batch)
    except (MisconfigurationException, RecursionError):  # no tensor in it
        return 0
