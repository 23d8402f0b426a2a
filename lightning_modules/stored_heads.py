"""Train the projections of stored features: a clip's sound and video are brought together."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lightning_modules.pretraining import Pretraining
from requery.backbones import Stored
from requery.distributed import gather
from requery.errors import ConfigError
from requery.losses.info_nce import info_nce
from requery.stored import StoredFeatures
from requery.task import RetrievalTask


class StoredHeads(Pretraining):
    """One LayerNorm and linear map a medium, by symmetric in-batch InfoNCE on the pairs of the train split.

    Args:
        output: folder the checkpoint is written to.
        dim: width of the shared space.
        lr: highest learning rate.
        weight_decay: AdamW's weight decay.
        warmup: share of the steps in which the learning rate rises.
        seed: of the initial weights.
    """

    def __init__(
        self,
        output: str,
        dim: int = 256,
        lr: float = 1e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(output, lr, weight_decay, warmup, seed)
        self.dim = dim

    def setup(self, stage: str) -> None:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        self.task: RetrievalTask = data.task("train")
        sides = (self.task.images, self.task.gallery_set)
        if not all(isinstance(side, StoredFeatures) for side in sides):
            raise ConfigError("StoredHeads reads stored features: set data's clips: features")
        self.backbone = Stored({side.medium: side.width for side in sides}, self.dim).requires_grad_(True)

    def training_step(self, index: Tensor) -> Tensor:
        assert self.task.query_image is not None and self.task.gallery_image is not None
        index = index.cpu()
        targets = self.task.gallery_image[self.task.qrels.target[index]]
        query = gather(self._embed(self.task.images, self.task.query_image[index]))  # (B, D)
        target = gather(self._embed(self.task.gallery_set, targets))  # (B, D)
        temperature = self.backbone.temperature.clamp(min=0.01)
        loss = info_nce(query @ target.T / temperature, symmetric=True)
        self.note_step(loss, temperature, len(query))
        return loss

    def _embed(self, side: Any, positions: Tensor) -> Tensor:
        tokens = self.backbone.preprocess.batch([side.load(int(position)) for position in positions])
        return self.backbone.encode_query(
            self.backbone.image_features(tokens.to(self.device), side.medium), None
        )
