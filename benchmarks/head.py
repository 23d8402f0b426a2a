"""An experiment on the trained head alone: frozen features from the cache, against encoding them anew."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L

from benchmarks.measure import Row, best_seconds
from callbacks.run_record import RunRecord
from datamodules.shapes import Families, ShapesDataModule
from experiments.trainer_parts import TRAINER_DEFAULTS, quieten
from lightning_modules.qure import QuReModule
from requery.negatives import define

CHECKPOINT = "experiments/checkpoints/shapes_blip2"


class DefineFirst(L.Callback):
    """Define the negatives before the only epoch; the schedule of a real run waits for a warm-up."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Encode both sides and define."""
        module: Any = pl_module
        task = module.task("train")
        module.sets = define(
            module.rule,
            module.encode_training_queries(),
            module.encode_corpus(),
            task.qrels.target,
            excluded=task.qrels.excluded,
        )


def measure(quick: bool, turns: int) -> list[Row]:
    """Definition, one epoch and test on Shapes, as `experiments/qure/shapes.yaml` has them."""
    quieten()
    families = Families(train=6, val=2, test=6) if quick else Families()
    with tempfile.TemporaryDirectory() as folder:
        warm = Path(folder) / "warm"
        experiment(families, warm)
        contestants = {
            "cached": partial(experiment, families, warm),
            "anew": partial(anew, families),
        }
        seconds = best_seconds(min(turns, 2), contestants)
    n = families.train * 3
    size = f"Shapes, {n:,} training queries, {6 * families.train:,} + {6 * families.test:,} images"
    what = "definition, one epoch and test from a warm cache"
    return [Row(what, size, seconds["cached"], "the same, features encoded anew", seconds["anew"])]


def anew(families: Families) -> None:
    """The experiment with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        experiment(families, Path(folder))


def experiment(families: Families, cache: Path) -> None:
    """Fit one epoch and test, without validation and checkpoints."""
    module = QuReModule(CHECKPOINT, lr=5e-4, min_temperature=0.02, cache=str(cache))
    data = ShapesDataModule(families=families, batch_size=32)
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {**TRAINER_DEFAULTS, "default_root_dir": folder, "max_epochs": 1}
        silent = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
        trainer = L.Trainer(
            **settings, **silent, limit_val_batches=0, callbacks=[DefineFirst(), RunRecord(folder)]
        )
        trainer.fit(module, data)
        trainer.test(module, data, verbose=False)
