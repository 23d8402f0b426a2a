"""The query side of a backbone as one module, from pixels and texts: gradients reach all of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from requery.backbones.base import Backbone
from requery.errors import ConfigError
from requery.task import RetrievalTask

PIXELS = 2**30
"""Bytes of decoded queries kept, so that a stream that passes again decodes nothing."""


class QueryEncoder(nn.Module):
    """Maps query numbers of a task, `(B,)`, to unit embeddings, `(B, D)`.

    Unlike the frozen features of the cache, images pass through the vision tower anew each time: its layer
    norms may be the very thing that is adapted.

    Args:
        backbone: the model; its weights are shared, not copied.
        task: whose queries; `open` changes it.
    """

    def __init__(self, backbone: Backbone, task: RetrievalTask) -> None:
        super().__init__()
        self.backbone, self.task = backbone, task
        self._pixels: dict[int, Tensor] = {}
        self._kept = 0

    def open(self, task: RetrievalTask) -> None:
        """Read this task's queries from now on; what was decoded of the same images is kept."""
        if task.images is not self.task.images:
            self._pixels, self._kept = {}, 0
        self.task = task

    def forward(self, batch: Tensor) -> Tensor:
        """Query numbers `(B,)` int64, or what `inputs` made of them, to `(B, D)`."""
        task = self.task
        if batch.ndim == 4:
            return self.backbone.encode_query(self.backbone.image_features(batch), None)
        image = None
        if task.query_image is not None:
            inputs = self.pixels(task.query_image[batch.cpu()])
            image = self.backbone.image_features(inputs, task.images.medium)
        return self.backbone.encode_query(image, task.texts_of(batch))

    def inputs(self, index: Tensor, as_pixels: bool = False) -> Tensor:
        """Some queries, `(B,)`, as a batch: their numbers, or pixels `(B, 3, S, S)` for a method to change.

        Raises:
            ConfigError: pixels are asked for where a query is not an image alone.
        """
        if not as_pixels:
            return index
        task = self.task
        if task.query_image is None or task.query_text is not None or task.images.medium != "image":
            raise ConfigError(
                "DeYO shuffles the patches of images; set shuffle: false where queries are not images alone"
            )
        return self.pixels(task.query_image[index.cpu()])

    def pixels(self, positions: Tensor) -> Tensor:
        """`(B,)` positions in the task's images to the tower's input, `(B, …)`, on the backbone's device."""
        rows = [self._load(int(position)) for position in positions]
        if not rows:
            raise ConfigError("no query to encode: a batch of a stream has at least one")
        return torch.stack(rows).to(self.backbone.temperature.device)

    def _load(self, position: int) -> Tensor:
        if position in self._pixels:
            return self._pixels[position]
        pixels = self.backbone.preprocess(self.task.images.load(position))
        if self._kept + pixels.nbytes <= PIXELS:
            self._pixels[position] = pixels
            self._kept += pixels.nbytes
        return pixels
