"""Re-rank the training corpus every so many epochs and define each query's hard negatives anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from requery.cost import CostMeter
from requery.errors import ConfigError, RunError
from requery.files import sha256_bytes
from requery.negatives import NegativeSets, Strategy, UniformNegatives, define
from requery.negatives.audit import set_false_negative_rate
from requery.schedules import definition_period
from requery.task import RetrievalTask


class DefinesNegatives(Protocol):
    """What a module offers so that its negatives can be defined."""

    cost: CostMeter
    sets: NegativeSets | UniformNegatives | None

    @property
    def rule(self) -> Strategy | None:
        """How negatives are chosen; None where they come with the batch."""
        ...

    def task(self, split: str) -> RetrievalTask: ...
    def encode_training_queries(self) -> Tensor: ...
    def encode_corpus(self) -> Tensor: ...
    def note(self, name: str, value: Tensor | float, weight: float = 1) -> None: ...


class HardNegativeRefresh(Callback):
    """The schedule of QuRe's hard negatives (2507.12416, algorithm 1).

    Before the first definition negatives are drawn from the whole corpus but the target. At the start of
    each definition epoch the current model ranks the corpus for every training query, and the module's
    rule turns each ranking into a set. The sets are a file in the run folder; the callback's state holds
    its name, hash and epoch, so that a resumed run draws from the very same sets.

    Args:
        every_n_epochs: define at the start of each such epoch, the first one excepted.
        n_def: instead, the paper's count: every `max_epochs // n_def` epochs.
    """

    def __init__(self, every_n_epochs: int | None = None, n_def: int | None = None) -> None:
        if (every_n_epochs is None) == (n_def is None):
            raise ConfigError("HardNegativeRefresh: give either every_n_epochs or n_def")
        if (every_n_epochs or n_def or 0) < 1:
            raise ConfigError("HardNegativeRefresh: every_n_epochs and n_def must be at least 1")
        self.every_n_epochs, self.n_def = every_n_epochs, n_def
        self._file: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        return dict(self._file)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._file = dict(state_dict)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start from the whole corpus, or from the sets of the run that is resumed."""
        module: DefinesNegatives = pl_module  # type: ignore[assignment]
        self._period(trainer)  # a schedule that cannot be kept is an error now, not an epoch later
        if module.rule is None:
            return
        task = module.task("train")
        excluded = task.qrels.excluded if module.rule.exclude_reference else None
        groups = (task.query_group, task.gallery_group)
        module.sets = UniformNegatives(task.n_gallery, task.qrels.target, excluded, *groups)
        if self._file:
            module.sets = NegativeSets.load(self._folder(trainer) / self._file["name"], self._file["sha256"])

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Define the sets where this epoch is one of the schedule's."""
        module: DefinesNegatives = pl_module  # type: ignore[assignment]
        epoch = trainer.current_epoch
        due = epoch > 0 and epoch % self._period(trainer) == 0 and epoch != self._file.get("epoch")
        if module.rule is None or module.rule.name == "all" or not due:
            return
        task = module.task("train")
        with module.cost.stage("definition", items=task.n_queries) as stage:
            before = stage.seconds
            sets = define(
                module.rule,
                module.encode_training_queries(),
                module.encode_corpus(),
                task.qrels.target,
                excluded=task.qrels.excluded,
                query_group=task.query_group,
                corpus_group=task.gallery_group,
            )
        assert isinstance(sets, NegativeSets)
        path = self._folder(trainer) / f"epoch_{epoch:03d}.safetensors"
        sha256 = sets.save(path) if trainer.is_global_zero else sha256_bytes(sets.to_bytes())
        self._file = {"name": path.name, "sha256": sha256, "epoch": epoch}
        module.sets = sets
        summary = {**sets.summary(), "seconds": stage.seconds - before}
        if task.qrels.graded:
            false, members = set_false_negative_rate(sets, task.qrels.relevant)
            summary["set_false_negative_rate"] = false / members
        for key, value in summary.items():
            module.note(f"negatives/{key}", value)

    def _period(self, trainer: Trainer) -> int:
        if self.every_n_epochs is not None:
            return self.every_n_epochs
        if trainer.max_epochs is None or trainer.max_epochs < 1:
            raise ConfigError("HardNegativeRefresh: n_def needs trainer.max_epochs; or give every_n_epochs")
        assert self.n_def is not None
        return definition_period(trainer.max_epochs, self.n_def)

    def _folder(self, trainer: Trainer) -> Path:
        root = trainer.default_root_dir
        if not root:
            raise RunError("HardNegativeRefresh: the trainer has no default_root_dir to keep the sets in")
        return Path(root) / "negatives"
