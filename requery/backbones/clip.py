"""CLIP (Radford et al. 2021), and the training-free fusion of its two embeddings."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from requery.backbones.base import Backbone, need, unit
from requery.backbones.source import preprocess_of, pretrained, write_preprocess
from requery.preprocess import Preprocess

Fusion = Literal["image", "text", "sum"]


class Clip(Backbone):
    """`transformers.CLIPModel`; a composed query is its image's, its text's or the sum of both embeddings.

    Args:
        model: the CLIP model.
        tokenizer: its tokenizer.
        preprocess: from image to `pixel_values`.
        fusion: what a query with image and text becomes: `image`, `text`, or `sum`, the normalised sum
            of the two unit embeddings.
    """

    preprocess: Preprocess

    def __init__(self, model: Any, tokenizer: Any, preprocess: Preprocess, fusion: Fusion = "sum") -> None:
        super().__init__(
            model.vision_model, tokenizer, preprocess, model.config.text_config.max_position_embeddings
        )
        self.model = model
        self.fusion = fusion
        self.temperature = nn.Parameter(torch.exp(-model.logit_scale.detach()).squeeze())

    @classmethod
    def load(cls, folder: Path, fusion: Fusion = "sum") -> Clip:
        """Read a `CLIPModel` with its tokenizer, as `save_pretrained` or the hub lay them out."""
        from transformers import AutoTokenizer, CLIPModel

        model = pretrained(CLIPModel, folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return cls(model, tokenizer, preprocess_of(folder, model.config.vision_config.image_size), fusion)

    def encode_query(self, image: Tensor | None, text: Sequence[str] | None) -> Tensor:
        """`(B, D)`; with image and text, their fusion."""
        if image is None or self.fusion == "text":
            return self._text(need(text, "a text", "CLIP"))
        if text is None or self.fusion == "image":
            return self._image(image)
        return unit(self._image(image) + self._text(text))

    def encode_gallery(self, image: Tensor | None, text: Sequence[str] | None) -> Tensor:
        """`(B, 1, D)`."""
        out = self._text(need(text, "an image or a text", "CLIP")) if image is None else self._image(image)
        return out[:, None]

    def _image(self, tokens: Tensor) -> Tensor:
        pooled = self.model.vision_model.post_layernorm(tokens[:, 0])  # CLIP pools the class token
        return unit(self.model.visual_projection(pooled))

    def _text(self, text: Sequence[str]) -> Tensor:
        return unit(self._read(text)[0].pooler_output)

    def text_tokens(self, text: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Of CLIP's text model, after its last layer norm."""
        out, mask = self._read(text)
        return out.last_hidden_state, mask.bool()

    def _read(self, text: Sequence[str]) -> tuple[Any, Tensor]:
        """What the text model gives, and which tokens are no padding, `(B, L)`."""
        ids, mask = self.tokens(text)
        return self.model.get_text_features(input_ids=ids, attention_mask=mask), mask

    def save(self, folder: str) -> None:
        """Write the checkpoint, half precision."""
        model = self._whole()
        model.logit_scale.data.copy_(-self.temperature.detach().log())
        model.half().save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        write_preprocess(self.preprocess, Path(folder))

    def _whole(self) -> Any:
        """A copy of the model, as transformers knows it."""
        return copy.deepcopy(self.model)
