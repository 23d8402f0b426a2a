"""QuRe: a query encoder trained against hard negatives that are defined anew as it learns (2507.12416)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from lightning_modules.retrieval import RetrievalModule
from requery.distributed import gather
from requery.errors import ConfigError
from requery.losses.bradley_terry import bradley_terry
from requery.losses.info_nce import info_nce
from requery.negatives import NegativeSets, Strategy, UniformNegatives
from requery.negatives.audit import false_negative_rate
from requery.negatives.strategies import StrategyName
from requery.pipeline import QueryBatch
from requery.schedules import cosine_per_epoch
from requery.scoring import max_token_score

IN_BATCH = "in_batch"


@dataclass(frozen=True)
class Negatives:
    """What a query is trained against.

    Args:
        strategy: `two_drop` is the paper's rule, `two_drop_window` the same within `window` items after the
            target, `all`, `top_k` and `after_target_top_k` its comparisons; `in_batch` trains with InfoNCE
            against the other queries' targets instead of Bradley–Terry.
        per_query: negatives sampled per query and step (1 in the paper; 3 and 5 average the loss).
        k: items of `top_k` and `after_target_top_k`.
        window: items after the target that `two_drop_window` looks at.
        consecutive_threshold: two drops at most so far apart are not a pair (1 in the official code).
        exclude_reference: never use the reference image as a negative. The official CIRR code does use it.
    """

    strategy: Literal["in_batch"] | StrategyName = "two_drop_window"
    per_query: int = 1
    k: int = 100
    window: int = 100
    consecutive_threshold: int = 1
    exclude_reference: bool = False

    def __post_init__(self) -> None:
        if self.per_query < 1:
            raise ConfigError(f"negatives.per_query is {self.per_query}; it must be at least 1")
        known = (IN_BATCH, *get_args(StrategyName))
        if self.strategy not in known:
            raise ConfigError(f"negatives.strategy {self.strategy!r} is none of {', '.join(known)}")
        _ = self.rule  # refuses what is out of range now, before a model is loaded

    @property
    def rule(self) -> Strategy | None:
        """The rule of the definitions; None for in-batch negatives."""
        if self.strategy == IN_BATCH:
            return None
        return Strategy(
            self.strategy, self.k, self.window, self.consecutive_threshold, self.exclude_reference
        )


class QuReModule(RetrievalModule):
    """Trains the Q-Former; the gallery side is the same Q-Former, the vision tower is frozen.

    Until HardNegativeRefresh has defined sets, negatives are drawn from the whole corpus (the warm-up).

    Args:
        backbone: checkpoint folder or hub id of BLIP-2.
        revision: commit of a hub id.
        negatives: what a query is trained against.
        lr: learning rate of the first epoch (5e-6 FashionIQ, 1e-5 CIRR in the paper); half a cosine per epoch
            towards a hundredth of it.
        weight_decay: AdamW's, on all trained parameters in one group as in the official code.
        min_temperature: the temperature is clamped to at least this in the loss. The paper leaves it free
            (0): under hard negatives it then falls tenfold.
        output: folder the trained backbone is written to at the end of a fit; null for none (checkpoints of
            the run are kept anyway).
        cache: folder of the feature cache.
        seed: seed of dropout and of the negatives drawn.
    """

    def __init__(
        self,
        backbone: str,
        revision: str | None = None,
        negatives: Negatives = Negatives(),
        lr: float = 1e-5,
        weight_decay: float = 0.05,
        min_temperature: float = 0.0,
        output: str | None = None,
        cache: str = ".cache/requery",
        seed: int = 0,
    ) -> None:
        numbers = {"lr": lr, "weight_decay": weight_decay, "min_temperature": min_temperature}
        for name, value in numbers.items():
            if not value >= 0:
                raise ConfigError(f"model.{name} is {value}; it must be at least 0")
        super().__init__(backbone=backbone, revision=revision, cache=cache, seed=seed)
        negatives = Negatives(**negatives) if isinstance(negatives, Mapping) else negatives
        self.save_hyperparameters({"negatives": asdict(negatives)})  # plain: checkpoints hold no objects
        self.negatives, self.lr, self.weight_decay = negatives, lr, weight_decay
        self.min_temperature, self.output = min_temperature, output
        self.sets: NegativeSets | UniformNegatives | None = None

    # ---- what HardNegativeRefresh asks for ----

    @property
    def rule(self) -> Strategy | None:
        """How negatives are chosen; None where they come with the batch."""
        return self.negatives.rule

    def encode_training_queries(self) -> Tensor:
        """`(M, D)` with the current weights."""
        task = self.task("train")
        with self.evaluating(task):
            return self.encode_queries(QueryBatch.of(task, task.all_queries()), shared=True).cpu()

    def encode_corpus(self) -> Tensor:
        """`(N, T, D)` with the current weights."""
        task = self.task("train")
        with self.evaluating(task):
            return self.encode_gallery(task)

    # ---- training ----

    def temperature(self) -> Tensor:
        """`()`: what scores are divided by in the loss."""
        return self.backbone.temperature.clamp(min=self.min_temperature)

    def training_step(self, index: Tensor) -> Tensor:
        task, n = self.task("train"), len(index)
        # A process without a query encodes the first and drops it: its gradients are zeros, not missing.
        batch = QueryBatch.of(task, index if n else index.new_zeros(1))
        reference = None if batch.image is None else self.image_tokens(task.images, batch.image)
        query = self.backbone.encode_query(reference, batch.text)[:n]  # (B, D)
        target = task.qrels.target[batch.index]
        if self.negatives.strategy == IN_BATCH:
            loss, rivals = self._in_batch(query, target)
        else:
            loss, rivals = self._against_sets(query, target, batch.index)
        queries = gather(index.cpu())
        self.note("train/loss", loss, len(queries))
        self.note("train/temperature", self.temperature(), len(queries))
        self._note_false_negatives(rivals, queries)
        self.log("train/loss_step", loss, prog_bar=True)
        return loss

    def _in_batch(self, query: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """InfoNCE over the batch of all processes; a target that two queries share is no negative."""
        n = len(query)
        embedded = gather(self._gallery(target)[:n])  # (B, T, D)
        query, target = gather(query), gather(target[:n])
        scores = torch.einsum("qd,itd->qit", query, embedded).amax(-1) / self.temperature()
        same = target[:, None] == target
        rivals = torch.where(same, -1, target.expand_as(same))
        return info_nce(scores, same=same.to(scores.device)), rivals

    def _against_sets(self, query: Tensor, target: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Bradley–Terry (equations 2 and 3) of all processes' queries against sampled negatives, `(B, K)`."""
        if self.sets is None:
            raise ConfigError(
                f"negatives.strategy {self.negatives.strategy} needs callbacks.HardNegativeRefresh among "
                "trainer.callbacks; or set negatives.strategy: in_batch"
            )
        n = len(query)
        rivals = self.sets.sample(index, self.negatives.per_query, seed=self.seed, epoch=self.current_epoch)
        items = torch.cat([target[:, None], rivals], dim=1)  # (B, 1 + K)
        distinct, place = items.unique(return_inverse=True)  # an image in the batch twice is encoded once
        embedded = self._gallery(distinct)[place.to(query.device)][:n]  # (B, 1 + K, T, D)
        scores = gather(max_token_score(query, embedded) / self.temperature())
        return bradley_terry(scores[:, 0], scores[:, 1:]), gather(rivals[:n])

    def _gallery(self, items: Tensor) -> Tensor:
        task = self.task("train")
        assert task.gallery_image is not None
        tokens = self.image_tokens(task.gallery_set, task.gallery_image[items])
        return self.backbone.encode_gallery(tokens, None)

    def _note_false_negatives(self, rivals: Tensor, index: Tensor) -> None:
        """Note the share of the negatives `(B, K)` that are in truth relevant; -1 is no negative."""
        truth = self.task("train").qrels
        if not truth.graded:
            return
        real = rivals >= 0
        queries = index[:, None].expand_as(rivals)[real]
        false, drawn = false_negative_rate(rivals[real][:, None], queries, truth.relevant)
        self.note("negatives/false_negative_rate", false / max(drawn, 1), drawn)

    def on_fit_end(self) -> None:
        if self.output is not None and self.trainer.is_global_zero:
            self.backbone.save(self.output)

    def configure_optimizers(self) -> Any:
        parameters = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay)
        epochs = self.trainer.max_epochs or 1
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda e: cosine_per_epoch(e, epochs, 1.0))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "epoch"}}
