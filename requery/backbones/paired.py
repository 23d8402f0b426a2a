"""Models with one tower a medium, whose embeddings lie in one space: a sound finds its video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from requery.backbones.base import Backbone, need, unit
from requery.images import Medium
from requery.preprocess import Transform


class Paired(Backbone):
    """A tower for sounds and one for videos; texts are not read.

    A tower includes its projection: its output is one token, the embedding before it is normalised.

    Args:
        towers: modules `audio` and `video` (or one of them), from what `preprocess` makes to `(B, D)`.
        preprocess: from sounds and videos to the towers' inputs.
        temperature: initial temperature.
    """

    media: ClassVar[tuple[Medium, ...]] = ("audio", "video")
    vision: nn.ModuleDict

    def __init__(self, towers: nn.ModuleDict, preprocess: Transform, temperature: float = 0.07) -> None:
        super().__init__(towers, None, preprocess, 0)
        self.temperature = nn.Parameter(torch.tensor(temperature))

    def image_features(self, pixels: Tensor, medium: Medium = "image") -> Tensor:
        """The tower's input, `(B, …)`, to embeddings `(B, 1, D)`."""
        out: Tensor = self.vision[medium](pixels)
        return out[:, None]

    def encode_query(self, image: Tensor | None, text: Sequence[str] | None) -> Tensor:
        """`(B, D)`."""
        tokens: Tensor = need(image, "a sound or a video", type(self).__name__)
        return unit(tokens[:, 0])

    def encode_gallery(self, image: Tensor | None, text: Sequence[str] | None) -> Tensor:
        """`(B, 1, D)`."""
        return self.encode_query(image, text)[:, None]
