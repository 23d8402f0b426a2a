"""A training step of several processes is the step of one: the same loss, the same gradients within 1e-5."""

import functools

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from datamodules.sampling import EpochShuffle, TrainingBatches
from datamodules.shapes import Families, ShapesDataModule
from lightning_modules.pretraining import Blip2Pretraining, ClipPretraining
from lightning_modules.qure import Negatives, QuReModule
from requery import distributed
from requery.negatives import UniformNegatives
from tests.processes import together

SIZES = Families(train=6, val=2, test=2)
DATA = ShapesDataModule(families=SIZES)


class Step(torch.nn.Module):
    """A module's training step as the forward pass that DDP wraps."""

    def __init__(self, module):
        super().__init__()
        self.module = module
        module.task, module.log = DATA.task, lambda *args, **options: None
        for part in module.modules():
            for name in ("p", "attention_dropout"):
                if isinstance(getattr(part, name, None), float):
                    setattr(part, name, 0.0)  # each process draws its own

    def forward(self, index):
        return self.module.training_step(index)


def gradients(make, batch_size):
    torch.manual_seed(0)
    step = Step(make()).train()
    wrapped = DistributedDataParallel(step) if distributed.world_size() > 1 else step
    n = len(step.module.pairs) if hasattr(step.module, "pairs") else DATA.task("train").n_queries
    (first, *_) = TrainingBatches(EpochShuffle(n, seed=0), batch_size)
    loss = wrapped(torch.tensor(first, dtype=torch.int64))
    loss.backward()
    grads = {name: p.grad for name, p in step.named_parameters() if p.requires_grad}
    assert all(grad is not None for grad in grads.values())
    return loss.item(), {name: grad.numpy() for name, grad in grads.items()}, step.module.means.values()


def qure(backbone, cache, strategy):
    module = QuReModule(
        backbone, negatives=Negatives(strategy, per_query=2), min_temperature=0.01, cache=cache
    )
    task = DATA.task("train")
    module.sets = UniformNegatives(task.n_gallery, task.qrels.target)
    return module


def pretraining(cls, vision, folder):
    tiny = {"width": 16, "heads": 2, "dim": 8}
    module = (
        cls(folder, **tiny, vision_layers=1, text_layers=1) if vision is None else cls(folder, vision, **tiny)
    )
    module.pairs, module.images = DATA.pairs("train"), DATA.task("train").images
    module.prepare()
    return module


def check(make, batch_size, processes):
    (loss, grads, means), *others = together(gradients, 1, make, batch_size)
    assert not others and any(abs(grad).max() > 1e-4 for grad in grads.values())
    for other_loss, other_grads, other_means in together(gradients, processes, make, batch_size):
        assert other_loss == pytest.approx(loss, abs=1e-5)
        assert other_means == pytest.approx(means, abs=1e-5)
        for name, grad in grads.items():
            assert abs(other_grads[name] - grad).max() < 1e-5, name


@pytest.mark.parametrize("strategy", ["in_batch", "all"])
@pytest.mark.parametrize(("batch_size", "processes"), [(7, 3), (2, 3)])  # uneven; one without a query
def test_qure(checkpoints, tmp_path, strategy, batch_size, processes):
    make = functools.partial(qure, str(checkpoints / "blip2"), str(tmp_path), strategy)
    check(make, batch_size, processes)


def test_clip_pretraining(tmp_path):
    check(functools.partial(pretraining, ClipPretraining, None, str(tmp_path)), 7, 3)


def test_blip2_pretraining(checkpoints, tmp_path):
    check(functools.partial(pretraining, Blip2Pretraining, str(checkpoints / "clip"), str(tmp_path)), 7, 3)
