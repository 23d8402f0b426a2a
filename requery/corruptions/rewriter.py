"""Sentences rewritten by sequence-to-sequence models: in another style, or to another language and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from requery.errors import ConfigError

PROMPTS = {
    "formal": "transfer Casual to Formal: ",
    "casual": "transfer Formal to Casual: ",
    "passive": "transfer Active to Passive: ",
    "active": "transfer Passive to Active: ",
}
"""What Styleformer (Damodaran 2021) puts before a sentence."""


class Rewriter:
    """Passes a sentence through one model, or through several in turn.

    Args:
        sources: checkpoint folders, or hub ids with their commits as `owner/name@commit`: one for a style,
            two for back-translation.
        prompt: put before the sentence.
        sample: draw words (top 50, 0.95 of the probability, as Styleformer does) rather than search by beams.
        max_tokens: tokens of a rewritten sentence.

    Raises:
        ConfigError: no source, or a hub id without a commit.
        DataError: a checkpoint cannot be had.
    """

    def __init__(
        self, sources: list[str], prompt: str = "", sample: bool = False, max_tokens: int = 64
    ) -> None:
        if not sources:
            raise ConfigError("a rewriter needs at least one checkpoint")
        self.prompt, self.max_tokens = prompt, max_tokens
        self.search = (
            {"do_sample": True, "top_k": 50, "top_p": 0.95, "num_beams": 1} if sample else {"num_beams": 5}
        )
        self.steps = [_load(checkpoint(source)) for source in sources]

    @torch.no_grad()
    def __call__(self, text: str, seed: int = 0) -> str:
        """Rewrite one sentence; the same seed gives the same words."""
        text = self.prompt + text
        with torch.random.fork_rng():
            torch.manual_seed(seed % 2**63)
            for tokenizer, model in self.steps:
                given = tokenizer(text, return_tensors="pt", truncation=True)
                given = {name: given[name] for name in ("input_ids", "attention_mask")}
                made = model.generate(**given, **self.search, max_new_tokens=self.max_tokens)
                text = str(tokenizer.decode(made[0], skip_special_tokens=True)).strip()
        return text


def checkpoint(source: str) -> Path:
    """The folder of a checkpoint named as a folder or as `owner/name@commit`."""
    from requery.backbones.source import resolve  # with all backbones: not for kinds that need no model

    name, _, commit = source.partition("@")
    return resolve(name, commit or None) if not Path(source).is_dir() else resolve(source, None)


def _load(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    from requery.backbones.source import pretrained

    return AutoTokenizer.from_pretrained(folder), pretrained(AutoModelForSeq2SeqLM, folder).eval()
