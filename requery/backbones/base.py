"""What a backbone offers: frozen image features, and both sides of the retrieval from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from requery.errors import ConfigError
from requery.images import Medium
from requery.preprocess import Transform


class Backbone(nn.Module, ABC):
    """An image–text model whose vision tower is frozen and whose head may be trained.

    Images enter `encode_query` and `encode_gallery` as the vision tower's tokens, so that whatever only
    trains or adapts the head never runs the tower again.

    Args:
        vision: the vision tower, frozen and kept in evaluation mode.
        tokenizer: a transformers tokenizer.
        preprocess: from what an image set loads to the tower's input.
        max_text: tokens a text is cut and, outside training, padded to.
    """

    media: ClassVar[tuple[Medium, ...]] = ("image",)
    """What its towers read, beside texts."""

    always_padded: ClassVar[bool] = False
    """Whether texts are padded to `max_text` in training too: where padding is part of an embedding."""

    temperature: nn.Parameter
    """`()`: scores are divided by it in a loss; ranking never uses it."""

    def __init__(self, vision: nn.Module, tokenizer: Any, preprocess: Transform, max_text: int) -> None:
        super().__init__()
        self.vision = vision.requires_grad_(False).eval()
        self.tokenizer, self.preprocess, self.max_text = tokenizer, preprocess, max_text

    def train(self, mode: bool = True) -> Backbone:
        """Switch the head's mode; the frozen tower stays in evaluation mode."""
        super().train(mode)
        if not any(p.requires_grad for p in self.vision.parameters()):
            self.vision.eval()
        return self

    def image_features(self, pixels: Tensor, medium: Medium = "image") -> Tensor:
        """`(B, 3, S, S)` pixel values to the vision tower's tokens, `(B, L, W)`.

        Args:
            pixels: what `preprocess` made.
            medium: of what; one of `media`.
        """
        features: Tensor = self.vision(pixel_values=pixels).last_hidden_state
        return features

    @abstractmethod
    def encode_query(self, image: Tensor | None, text: Sequence[str] | None) -> Tensor:
        """Reference image tokens `(B, L, W)` and/or `B` texts to unit query embeddings `(B, D)`."""

    @abstractmethod
    def encode_gallery(self, image: Tensor | None, text: Sequence[str] | None) -> Tensor:
        """Image tokens `(B, L, W)` or `B` texts to unit gallery embeddings `(B, T, D)`."""

    def tokens(self, text: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token ids and attention mask of `B` texts, each `(B, length)`.

        Padded to `max_text` outside training, where bits must not depend on the batch; to the longest
        text while training.
        """
        out = self.tokenizer(
            list(text),
            padding="longest" if self.training and not self.always_padded else "max_length",
            truncation=True,
            max_length=self.max_text,
            return_attention_mask=True,
            return_tensors="pt",
        )
        device = self.temperature.device
        return out["input_ids"].to(device), out["attention_mask"].to(device)

    def text_tokens(self, text: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The text tower's last hidden state of `B` texts, `(B, L, W)`, and what is no padding, `(B, L)`.

        Raises:
            ConfigError: the backbone has no such tower.
        """
        raise ConfigError(f"{type(self).__name__} gives no tokens of texts; choose CLIP, SigLIP or BLIP-2")

    def truncated(self, text: Sequence[str]) -> int:
        """How many texts have more tokens than `max_text`: their ends are not read."""
        parts = (list(text[start : start + 4096]) for start in range(0, len(text), 4096))
        ids = (row for part in parts for row in self.tokenizer(part, verbose=False)["input_ids"])
        return sum(len(row) > self.max_text for row in ids)

    @abstractmethod
    def save(self, folder: str) -> None:
        """Write the model, half precision, as safetensors with its tokenizer and settings."""


def need(value: Any, what: str, model: str) -> Any:
    """The value, or an error saying that the model needs it."""
    if value is None:
        raise ConfigError(f"{model} needs {what} on this side of the task; choose another backbone or task")
    return value


def unit(x: Tensor) -> Tensor:
    """Normalise the last dimension."""
    return torch.nn.functional.normalize(x, dim=-1)
