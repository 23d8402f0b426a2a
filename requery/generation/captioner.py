"""Captioners: models that write an image's caption without being asked in words."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from requery.errors import ConfigError
from requery.generation.generator import Prompt
from requery.generation.local import LocalGenerator, read
from requery.generation.request import Sampling


class Captioner(LocalGenerator):
    """`BlipForConditionalGeneration` or `VisionEncoderDecoderModel`.

    Args:
        model: the model.
        processor: its image processor.
        tokenizer: its tokenizer.
        name: what people call it.
        identity: see `Generator`.
        batch_size: images at a time.
    """

    takes_prompts = False

    def __init__(
        self,
        model: Any,
        processor: Any,
        tokenizer: Any,
        name: str,
        identity: dict[str, str | None],
        batch_size: int = 32,
    ) -> None:
        super().__init__(model, name, identity, batch_size)
        self.processor, self.tokenizer = processor, tokenizer
        self.is_blip = model.config.model_type == "blip"
        if self.is_blip:  # its decoder has settings of its own, and ends a text by [SEP]
            model.text_decoder.generation_config = model.generation_config
            decoder, self.stops = model.config.text_config, model.config.text_config.sep_token_id
        else:
            decoder, self.stops = model.config.decoder, model.generation_config.eos_token_id
        self.max_text = getattr(decoder, "max_position_embeddings", sys.maxsize) - 1

    @property
    def start(self) -> int:
        """The token that every text begins with."""
        settings = self.model.generation_config
        start: int = settings.bos_token_id if self.is_blip else settings.decoder_start_token_id
        return start

    def pixels(self, prompts: Sequence[Prompt]) -> Tensor:
        """The images as the model takes them, `(B, C, H, W)`."""
        images = [prompt.image for prompt in prompts]
        pixels: Tensor = self.processor(images=images, return_tensors="pt")["pixel_values"]
        return pixels.to(self.model.device, self.model.dtype)

    def answer_batch(self, prompts: list[Prompt], sampling: Sampling) -> list[tuple[str, int]]:
        """Caption each image.

        Raises:
            ConfigError: a prompt has words, or no image.
        """
        if any(prompt.turns or prompt.image is None for prompt in prompts):
            raise ConfigError(f"{self.name} captions images and takes no words; ask it without turns")
        inputs = {"pixel_values": self.pixels(prompts)}
        if not self.is_blip:  # unasked, transformers warns that padding may be seen
            seen = torch.ones(len(prompts), 1, dtype=torch.int64, device=self.model.device)
            inputs["decoder_attention_mask"] = seen
        tokens = self.decode(inputs, prompts, sampling, turn=0)
        return read(self.tokenizer, tokens[:, 1:], self.stops)  # the first is the mark of the beginning
