"""Tell the logger what a test measured, where the module has not told it."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from requery.formats import read_mapping


class LoggedTest(Callback):
    """Log `test/<metric>` as `metrics.json` has it; tests of streams and of feedback log nothing themselves.

    Args:
        folder: the run's folder; `RunRecord`, which comes first, has written there.
    """

    def __init__(self, folder: Path | str) -> None:
        self.file = Path(folder) / "metrics.json"

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what is not there yet."""
        if not trainer.is_global_zero or trainer.logger is None or not self.file.exists():
            return
        measured = read_mapping(self.file).get("metrics", {})
        values = {f"test/{name}": entry["value"] for name, entry in measured.items()}
        new = {key: value for key, value in values.items() if key not in trainer.callback_metrics}
        if new:
            trainer.logger.log_metrics(new, step=trainer.global_step)
