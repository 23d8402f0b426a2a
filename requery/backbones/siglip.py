"""SigLIP and SigLIP 2 of fixed resolution (Zhai et al. 2023, Tschannen et al. 2025)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from requery.backbones.base import unit
from requery.backbones.clip import Clip, Fusion
from requery.backbones.source import preprocess_of, pretrained
from requery.preprocess import Preprocess

SIGLIP_TYPE = "siglip"
"""`model_type` of both; that of SigLIP 2 with flexible resolution (NaFlex), `siglip2`, is not read."""

HALF = (0.5, 0.5, 0.5)


class Siglip(Clip):
    """`transformers.SiglipModel`: CLIP's two towers, images pooled by attention over all their tokens.

    The pooling head follows the tokens, so it belongs to the trained part, not to the frozen tower. Texts are
    lower-cased and padded, and the padding is read: a text's embedding is that of its last position. The bias
    of SigLIP's scores changes no ranking and no softmax: it is kept as it is in the checkpoint.

    Args:
        model: the SigLIP model; its head is taken out of its vision tower.
        tokenizer: its tokenizer.
        preprocess: from image to `pixel_values`.
        fusion: see `Clip`.
    """

    always_padded: ClassVar[bool] = True

    def __init__(self, model: Any, tokenizer: Any, preprocess: Preprocess, fusion: Fusion = "sum") -> None:
        head = model.vision_model.head
        _set_head(model, None)
        super().__init__(model, tokenizer, preprocess, fusion)
        self.head = head

    @classmethod
    def load(cls, folder: Path, fusion: Fusion = "sum") -> Siglip:
        """Read a `SiglipModel` with its `tokenizer.json`, as `save_pretrained` or the hub lay them out."""
        from transformers import PreTrainedTokenizerFast, SiglipModel

        model = pretrained(SiglipModel, folder)
        size = model.config.vision_config.image_size
        squashed = Preprocess(size, HALF, HALF, pad_ratio=None, squash=True)
        # Not AutoTokenizer: with sentencepiece installed it would cut texts by another implementation.
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        return cls(model, tokenizer, preprocess_of(folder, size, squashed), fusion)

    def tokens(self, text: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Of the texts in lower case, always padded; see `Backbone.tokens`."""
        return super().tokens([each.lower() for each in text])

    def truncated(self, text: Sequence[str]) -> int:
        """How many texts, in lower case, have more tokens than `max_text`."""
        return super().truncated([each.lower() for each in text])

    def _image(self, tokens: Tensor) -> Tensor:
        return unit(self.head(tokens))

    def _read(self, text: Sequence[str]) -> tuple[Any, Tensor]:
        ids, mask = self.tokens(text)
        return self.model.get_text_features(input_ids=ids), mask  # it was trained without a mask

    def _whole(self) -> Any:
        model = super()._whole()
        _set_head(model, copy.deepcopy(self.head))
        return model


def _set_head(model: Any, head: Any) -> None:
    model.vision_model.head, model.vision_model.use_head = head, head is not None
