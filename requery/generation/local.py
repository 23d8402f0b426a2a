"""What generators that run a transformers model here share: its files, its device, its batches."""

from __future__ import annotations

import sys
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from requery.errors import ConfigError, DataError
from requery.files import sha256_bytes, sha256_file
from requery.generation.generator import Answer, Prompt
from requery.generation.request import Sampling
from requery.generation.sampling import RowSampler

Dtype = Literal["float32", "bfloat16", "float16"]
READ = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""Files of a checkpoint folder that a model, its tokenizer and its image processor are made of."""
NOT_READ = ("README*", "LICENSE*")
MARKS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
"""What is kept of a checkpoint's settings for generation."""


class LocalGenerator(ABC):
    """A transformers model that answers batches of one shape.

    A batch is filled to `batch_size` by repeating its last prompt, so that a prompt of the same length is
    given the same bits in a full batch and in a half one. Where the device has no memory for a batch, its
    size is halved from there on.

    Args:
        model: a model with `generate`, on its device, in its dtype.
        name: what people call it.
        identity: see `Generator`.
        batch_size: prompts at a time.
    """

    takes_prompts: bool
    max_text = sys.maxsize
    """Tokens the model has places for."""

    def __init__(self, model: Any, name: str, identity: dict[str, str | None], batch_size: int) -> None:
        from transformers import GenerationConfig

        if batch_size < 1:
            raise ConfigError(f"batch_size is {batch_size}; it must be at least 1")
        self.model = model.eval()
        self.name, self.identity, self.batch_size = name, identity, batch_size
        marks = {mark: getattr(model.generation_config, mark) for mark in MARKS}
        # a checkpoint's own temperature, beams and penalties must not act beside what is asked for
        self.model.generation_config = GenerationConfig(**marks)  # type: ignore[no-untyped-call]

    def answer(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Answer]:
        """Answer each prompt, `batch_size` at a time."""
        out: list[Answer] = []
        while len(out) < len(prompts):
            part = list(prompts[len(out) : len(out) + self.batch_size])
            filled = part + [part[-1]] * (self.batch_size - len(part))
            started = time.perf_counter()
            try:
                with torch.no_grad():
                    answered = self.answer_batch(filled, sampling)[: len(part)]
            except torch.OutOfMemoryError:
                if self.batch_size == 1:
                    raise
                self.batch_size //= 2
                warnings.warn(
                    f"{self.name}: no memory for {2 * self.batch_size} prompts at a time; from here on "
                    f"{self.batch_size}",
                    stacklevel=2,
                )
                torch.cuda.empty_cache()
                continue
            seconds = (time.perf_counter() - started) / len(part)
            out += [Answer(text, tokens, seconds) for text, tokens in answered]
        return out

    @abstractmethod
    def answer_batch(self, prompts: list[Prompt], sampling: Sampling) -> list[tuple[str, int]]:
        """Answer a full batch: texts, and tokens generated."""

    def decode(self, inputs: dict[str, Any], prompts: list[Prompt], sampling: Sampling, turn: int) -> Tensor:
        """Run the model's `generate`, greedily or by each row's own draws; `(B, T)` tokens."""
        seeds = [prompt.seed for prompt in prompts]
        drawn = [] if sampling.greedy else [RowSampler(seeds, sampling.temperature, sampling.top_p, turn)]
        longest = min(sampling.max_new_tokens, self.max_text)
        out: Tensor = self.model.generate(
            **inputs, max_new_tokens=longest, do_sample=False, logits_processor=drawn
        )
        return out


def read(tokenizer: Any, tokens: Tensor, stops: int | list[int] | None) -> list[tuple[str, int]]:
    """Texts of new tokens `(B, T)`, and how many there are up to the first stop."""
    ends = {stops} if isinstance(stops, int) else set(stops or ())
    rows = []
    for row in tokens.tolist():
        stop = next((place for place, token in enumerate(row) if token in ends), len(row))
        rows.append((tokenizer.decode(row[:stop], skip_special_tokens=True).strip(), min(stop + 1, len(row))))
    return rows


def placed(device: str, dtype: Dtype | None) -> tuple[torch.device, torch.dtype]:
    """Device and dtype of a model: by default a GPU where there is one, bfloat16 there, else float32."""
    where = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    default = "bfloat16" if where.type == "cuda" else "float32"
    return where, getattr(torch, dtype or default)


def folder_digest(folder: Path) -> str:
    """SHA-256 of names and contents of a checkpoint's files: weights, settings, tokenizer, chat template.

    Raises:
        DataError: there is no such file.
    """
    files = sorted({path for pattern in READ for path in folder.glob(pattern)})
    found = {path.name: sha256_file(path) for path in files if not any(path.match(p) for p in NOT_READ)}
    if not found:
        raise DataError(f"{folder}: no model there; give a checkpoint folder")
    return sha256_bytes(repr(found).encode())
