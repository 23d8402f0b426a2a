"""A model and data small enough to run every command in a second."""

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader

from datamodules.base import RetrievalDataModule
from requery import distributed
from requery.cost import CostMeter


@dataclass
class Method:
    steps: int = 1
    rate: float = 0.5


class Regression(LightningModule):
    def __init__(self, lr: float = 0.1, knob: int = 3, method: Method = Method(), seed: int = 0):
        super().__init__()
        self.save_hyperparameters()
        self.lr, self.knob, self.method, self.seed = lr, knob, method, seed
        self.layer = torch.nn.Linear(1, 1)
        self.cost = CostMeter()

    def loss(self, batch):
        return (self.layer(batch.float()[:, None]) - 1).square().mean()

    def training_step(self, batch):
        loss = self.loss(batch)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch):
        self.log("val/recall@1", -self.loss(batch))

    def test_step(self, batch):
        self.log("test/loss", self.loss(batch))

    def predict_step(self, batch):
        Path(self.trainer.default_root_dir, "predictions.txt").write_text(str(len(batch)))

    def on_test_end(self):
        seen = {"knob": self.knob, "steps": self.method.steps, "seed": self.seed}
        Path(self.trainer.default_root_dir, "metrics.json").write_text(json.dumps(seen))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class Fragile(Regression):
    """The second process dies, hangs or is stopped in its third step."""

    def __init__(self, how: Literal["die", "hang", "stop"], lr: float = 0.1, seed: int = 0):
        super().__init__(lr, seed=seed)
        self.how = how

    def training_step(self, batch):
        if self.global_rank == 1 and self.global_step == 2:
            self.fail()
        return super().training_step(batch)

    def test_step(self, batch):
        if self.global_rank == 1:
            self.fail()
        distributed.barrier("the other tests")

    def fail(self):
        if self.how == "hang":
            time.sleep(600)
        os.kill(os.getpid(), signal.SIGKILL if self.how == "die" else signal.SIGSTOP)


class Numbers(RetrievalDataModule):
    def __init__(self, n: int = 8, batch_size: int = 4, seed: int = 0):
        super().__init__(batch_size, seed)
        self.n = n

    def build_task(self, split):
        raise AssertionError(split)

    def train_dataloader(self):
        return DataLoader(range(self.n), batch_size=self.batch_size)

    val_dataloader = test_dataloader = predict_dataloader = train_dataloader
