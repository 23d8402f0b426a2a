"""Sentence encoders: a BERT whose tokens' mean is the embedding of a text (Reimers and Gurevych 2019)."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from requery.backbones.base import Backbone, need, unit
from requery.backbones.source import pretrained, read_json
from requery.errors import ConfigError
from requery.files import atomic_bytes
from requery.images import Medium

SENTENCE_TYPE = "bert"
POOLING = "1_Pooling/config.json"
LENGTH = "sentence_bert_config.json"

_SHORTEST = 16
"""Tokens the shortest texts are padded to."""


class NoImages:
    """The preprocessing of a model of texts: there is none."""

    key = "no-images@1"

    def __call__(self, item: Any) -> Tensor:
        """Raises a ConfigError: a sentence encoder reads no images."""
        raise ConfigError("a sentence encoder reads texts alone; choose CLIP, SigLIP or BLIP-2 for images")

    def batch(self, items: Sequence[Any]) -> Tensor:
        """As `__call__`."""
        return self(items)


class Sentence(Backbone):
    """`transformers.BertModel`, mean of its last hidden states, normalised: texts find texts.

    Texts are padded to the next power of two of the longest in a batch: most are far shorter than `max_text`.

    Args:
        model: the BERT model.
        tokenizer: its tokenizer.
        max_text: tokens a text is cut to.
        temperature: initial temperature.
    """

    media: ClassVar[tuple[Medium, ...]] = ()

    def __init__(self, model: Any, tokenizer: Any, max_text: int, temperature: float = 0.05) -> None:
        super().__init__(nn.Identity(), tokenizer, NoImages(), max_text)
        self.model = model
        self.temperature = nn.Parameter(torch.tensor(temperature))

    @classmethod
    def load(cls, folder: Path) -> Sentence:
        """Read a checkpoint of sentence-transformers.

        Raises:
            ConfigError: it pools otherwise than by the mean.
        """
        from transformers import AutoTokenizer, BertModel

        pooling = read_json(folder / POOLING)
        modes = [name for name, on in pooling.items() if name.startswith("pooling_mode") and on]
        if modes != ["pooling_mode_mean_tokens"]:
            raise ConfigError(f"{folder / POOLING}: only the mean of tokens is read, not {', '.join(modes)}")
        model = pretrained(BertModel, folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return cls(model, tokenizer, read_json(folder / LENGTH)["max_seq_length"])

    def encode_query(self, image: Tensor | None, text: Sequence[str] | None) -> Tensor:
        """`(B, D)` of `B` texts."""
        hidden, mask = self.text_tokens(need(text, "a text", "a sentence encoder"))
        kept = mask[..., None].to(hidden.dtype)
        return unit((hidden * kept).sum(1) / kept.sum(1))

    def encode_gallery(self, image: Tensor | None, text: Sequence[str] | None) -> Tensor:
        """`(B, 1, D)` of `B` texts."""
        return self.encode_query(image, text)[:, None]

    def text_tokens(self, text: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The last hidden states, `(B, L, W)`, and what is no padding, `(B, L)`."""
        ids, mask = self.tokens(text)
        hidden: Tensor = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        return hidden, mask.bool()

    def tokens(self, text: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token ids and attention mask of `B` texts, each `(B, length)`."""
        out = self.tokenizer(list(text), truncation=True, max_length=self.max_text)
        longest = max(len(row) for row in out["input_ids"])
        length = min(self.max_text, max(_SHORTEST, 1 << (longest - 1).bit_length()))
        padded = self.tokenizer.pad(out, padding="max_length", max_length=length, return_tensors="pt")
        device = self.temperature.device
        return padded["input_ids"].to(device), padded["attention_mask"].to(device)

    def save(self, folder: str) -> None:
        """Write the checkpoint, half precision, as sentence-transformers lays it out."""
        copy.deepcopy(self.model).half().save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        pooling = {
            "word_embedding_dimension": self.model.config.hidden_size,
            "pooling_mode_mean_tokens": True,
        }
        for name, settings in ((POOLING, pooling), (LENGTH, {"max_seq_length": self.max_text})):
            atomic_bytes(Path(folder) / name, (json.dumps(settings, indent=1) + "\n").encode())
