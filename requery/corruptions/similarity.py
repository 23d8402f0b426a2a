"""How much two sentences say the same: the cosine of their mean token embeddings."""

from __future__ import annotations

import torch
from torch.nn.functional import cosine_similarity

from requery.corruptions.rewriter import checkpoint


class SentenceSimilarity:
    """A sentence encoder (published: paraphrase-mpnet-base-v2).

    Args:
        source: checkpoint folder, or hub id with its commit as `owner/name@commit`.

    Raises:
        ConfigError: a hub id without a commit.
        DataError: the checkpoint cannot be had.
    """

    def __init__(self, source: str) -> None:
        from transformers import AutoModel, AutoTokenizer

        from requery.backbones.source import pretrained

        folder = checkpoint(source)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = pretrained(AutoModel, folder).eval()

    @torch.no_grad()
    def __call__(self, one: str, other: str) -> float:
        """The cosine of two sentences, each encoded alone, so that neither's padding moves the other."""
        return float(cosine_similarity(self._embedding(one), self._embedding(other), dim=0))

    def _embedding(self, text: str) -> torch.Tensor:
        given = self.tokenizer(text, return_tensors="pt", truncation=True)
        hidden: torch.Tensor = self.model(**given).last_hidden_state
        return hidden[0].mean(0)
