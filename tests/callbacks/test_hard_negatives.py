"""The schedule, the file and the state of the hard negatives."""

from __future__ import annotations

import lightning as L
import pytest
import torch

from callbacks.hard_negatives import HardNegativeRefresh
from lightning_modules.resumable import ResumableModule
from requery.cost import CostMeter
from requery.errors import ConfigError, RunError
from requery.negatives import NegativeSets, Strategy, UniformNegatives
from requery.schedules import definition_epochs
from requery.shapes.scene import ShapesConfig
from requery.shapes.tasks import build

TASK = build(ShapesConfig(), "composed", "train", 20)


class Module(ResumableModule):
    """Offers random embeddings; notes at which epochs it is asked for them."""

    def __init__(self, rule):
        super().__init__(seed=0)
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.rule, self.cost, self.sets, self.asked, self.kinds = rule, CostMeter(), None, [], []

    def task(self, split):
        return TASK

    def encode_training_queries(self):
        self.asked.append(self.current_epoch)
        generator = torch.Generator().manual_seed(self.current_epoch)
        return torch.randn(TASK.n_queries, 8, generator=generator)

    def encode_corpus(self):
        return torch.randn(TASK.n_gallery, 2, 8, generator=torch.Generator().manual_seed(99))

    def training_step(self, batch):
        self.kinds.append(type(self.sets))
        return self.weight * 1.0

    def train_dataloader(self):
        return torch.utils.data.DataLoader(range(2))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(tmp_path, callback, rule=Strategy(), epochs=6, ckpt=None, save=None):
    module = Module(rule)
    trainer = L.Trainer(
        max_epochs=epochs,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        accelerator="cpu",
        default_root_dir=str(tmp_path),
        callbacks=[callback],
    )
    trainer.fit(module, ckpt_path=ckpt, weights_only=True)
    if save:
        trainer.save_checkpoint(save)
    return module


@pytest.mark.parametrize("n_def", [1, 2, 3, 6])
def test_definitions_come_when_the_paper_has_them(tmp_path, n_def):
    module = fit(tmp_path, HardNegativeRefresh(n_def=n_def))
    assert module.asked == definition_epochs(6, n_def)


def test_warm_up_draws_from_the_whole_corpus(tmp_path):
    module = fit(tmp_path, HardNegativeRefresh(every_n_epochs=2))
    assert module.kinds == [UniformNegatives] * 4 + [NegativeSets] * 8


@pytest.mark.parametrize("rule", [None, Strategy("all")])
def test_nothing_is_defined_where_nothing_is_needed(tmp_path, rule):
    module = fit(tmp_path, HardNegativeRefresh(every_n_epochs=1), rule)
    assert module.asked == [] and not (tmp_path / "negatives").exists()
    assert (module.sets is None) == (rule is None)


def test_a_resumed_run_draws_from_the_same_file(tmp_path):
    checkpoint = tmp_path / "x.ckpt"
    first = fit(tmp_path, HardNegativeRefresh(every_n_epochs=2), epochs=4, save=checkpoint)
    state = torch.load(checkpoint, weights_only=True)["callbacks"]["HardNegativeRefresh"]
    assert state["name"] == "epoch_002.safetensors" and state["epoch"] == 2 and len(state["sha256"]) == 64
    resumed = fit(tmp_path, HardNegativeRefresh(every_n_epochs=3), epochs=5, ckpt=checkpoint)
    assert resumed.asked == []  # epoch 4 is no multiple of 3: the sets of epoch 2 are still in force
    assert torch.equal(resumed.sets.sets.values, first.sets.sets.values)


@pytest.mark.parametrize("damage", ["change", "remove"])
def test_a_changed_or_missing_file_is_named(tmp_path, damage):
    checkpoint = tmp_path / "x.ckpt"
    fit(tmp_path, HardNegativeRefresh(every_n_epochs=2), epochs=4, save=checkpoint)
    path = tmp_path / "negatives" / "epoch_002.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x") if damage == "change" else path.unlink()
    with pytest.raises(RunError, match=r"epoch_002\.safetensors"):
        fit(tmp_path, HardNegativeRefresh(every_n_epochs=2), epochs=6, ckpt=checkpoint)


def test_more_definitions_than_epochs_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="n_def=9"):
        fit(tmp_path, HardNegativeRefresh(n_def=9))
