"""Both sides of any task by one backbone: what is frozen goes through the feature cache, once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from requery.backbones import Backbone
from requery.cache import FeatureCache, FeatureTable, weights_digest
from requery.cost import CostMeter
from requery.encode import Progress, encode_blocks
from requery.errors import ConfigError
from requery.images import ImageSet
from requery.pipeline import QueryBatch
from requery.task import RetrievalTask


class TaskEncoder:
    """Encodes queries and galleries.

    Args:
        backbone: the model, on its device.
        cache: of the frozen tower's tokens.
        cost: told what takes how long.
        progress: makes a progress bar of a name; None shows nothing.
    """

    def __init__(
        self,
        backbone: Backbone,
        cache: FeatureCache,
        cost: CostMeter,
        progress: Callable[[str], Progress] | None = None,
    ) -> None:
        self.backbone, self.cache, self.cost, self.progress = backbone, cache, cost, progress
        self._features: dict[int, tuple[ImageSet, FeatureTable]] = {}

    @property
    def device(self) -> torch.device:
        """Where the backbone is."""
        return self.backbone.temperature.device

    def require_media(self, task: RetrievalTask) -> None:
        """Raise a ConfigError where the backbone does not read what a task holds."""
        seen = [task.images] if task.query_image is not None else []
        seen += [task.gallery_set] if task.gallery_image is not None else []
        for images in seen:
            if images.medium not in self.backbone.media:
                raise ConfigError(
                    f"{type(self.backbone).__name__} reads {' and '.join(self.backbone.media)}, these data "
                    f"hold {images.medium}; choose another model.backbone"
                )

    def features(self, images: ImageSet) -> FeatureTable:
        """The frozen tower's tokens of a task's images, `(images, L, W)`; encoded once, then cached."""
        if id(images) not in self._features:
            with self.cost.stage("image_features", items=len(images)):
                table = self.cache.features(
                    images,
                    weights=weights_digest(self.backbone.vision),
                    preprocessing=self.backbone.preprocess.key,
                    dtype=torch.float16,
                    compute=lambda positions: self._tower(images, torch.tensor(list(positions))),
                    progress=None if self.progress is None else self.progress(f"{images.medium} features"),
                )
            self._features[id(images)] = images, table  # the set is kept: its id is its own while it lives
        return self._features[id(images)][1]

    def _tower(self, images: ImageSet, positions: Tensor) -> Tensor:
        def block(index: Tensor) -> Tensor:
            pixels = self.backbone.preprocess.batch([images.load(int(positions[i])) for i in index])
            return self.backbone.image_features(pixels.to(self.device), images.medium)

        return encode_blocks(block, len(positions), halved=self.cost.halved)

    def image_tokens(self, images: ImageSet, positions: Tensor) -> Tensor:
        """`(B,)` positions in a task's images to float32 tokens `(B, L, W)` on the device."""
        return self.features(images)[positions.cpu()].to(self.device, torch.float32)

    def queries(self, task: RetrievalTask, batch: QueryBatch, shared: bool = False) -> Tensor:
        """`(B, D)` on the device, in full blocks; shared, each process encodes a part of the same batch."""

        def block(at: Tensor) -> Tensor:
            image = None if batch.image is None else self.image_tokens(task.images, batch.image[at])
            text = None if batch.text is None else [batch.text[int(i)] for i in at]
            return self.backbone.encode_query(image, text)

        rows = encode_blocks(block, len(batch.index), shared=shared, halved=self.cost.halved)
        return rows.to(self.device)

    def gallery(self, task: RetrievalTask) -> Tensor:
        """The whole gallery, `(N, T, D)` on the CPU; processes share the work."""

        def block(at: Tensor) -> Tensor:
            if task.gallery_image is not None:
                tokens = self.image_tokens(task.gallery_set, task.gallery_image[at])
                return self.backbone.encode_gallery(tokens, None)
            assert task.gallery_text is not None
            return self.backbone.encode_gallery(None, [task.gallery_text[int(i)] for i in at])

        with self.cost.stage("encode_gallery", items=task.n_gallery):
            return encode_blocks(block, task.n_gallery, shared=True, halved=self.cost.halved)
