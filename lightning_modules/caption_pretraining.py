"""What the makers of generators share: next-token prediction of an image's captions."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lightning_modules.pretraining import Pretraining
from requery.backbones.tokenizer import learn_tokenizer
from requery.distributed import gather

IGNORED = -100
"""Label of a position that is not learnt."""


class CaptionPretraining(Pretraining):
    """A generator from scratch on captioned images; a subclass makes the model in `build`.

    Args:
        output: folder the checkpoint is written to.
        captions: `any` draws one of an image's captions in each epoch; `first` always reads the first, for
            images whose other texts are keywords.
        px: side of the images in pixels.
        vocabulary: tokens of the byte-level BPE, learnt from the captions.
        max_text: longest text in tokens.
        lr: highest learning rate.
        weight_decay: AdamW's weight decay.
        warmup: share of the steps in which the learning rate rises.
        seed: which caption of an image is read in an epoch.
    """

    model: Any
    """The generator, of a class of transformers."""
    processor: Any
    """Its image processor, or the processor that holds both that and the tokenizer."""

    def __init__(
        self,
        output: str,
        captions: Literal["any", "first"],
        px: int,
        vocabulary: int,
        max_text: int,
        lr: float,
        weight_decay: float,
        warmup: float,
        seed: int,
    ) -> None:
        super().__init__(output, lr, weight_decay, warmup, seed)
        self.captions, self.px, self.vocabulary, self.max_text = captions, px, vocabulary, max_text

    def prepare(self) -> None:
        if self.captions == "first":
            self.pairs = [(position, texts[:1]) for position, texts in self.pairs]
        texts = (text for _, options in self.pairs for text in options)
        self.tokenizer = learn_tokenizer(texts, self.vocabulary, self.max_text)
        names = [f"{mark}_token_id" for mark in ("bos", "eos", "pad")]
        self.build({name: getattr(self.tokenizer, name) for name in names})
        self.pixels = torch.cat([self._pixels(start) for start in range(0, len(self.pairs), 256)])

    def build(self, marks: dict[str, int]) -> None:
        """Make the model and the processor for the tokenizer, whose `marks` are its bos, eos and pad ids."""
        raise AssertionError("defined by the makers of generators")

    def logits(self, pixels: Tensor, ids: Tensor) -> Tensor:
        """Logits of each token but the first of `<bos> … <eos>`.

        Args:
            pixels: `(B, …)` of the image processor.
            ids: `(B, T)` captions, padded on the right, where no earlier token looks.

        Returns:
            `(B, T - 1, V)`.
        """
        raise AssertionError("defined by the makers of generators")

    def _pixels(self, start: int) -> Tensor:
        part = [[self.images.load(position)] for position, _ in self.pairs[start : start + 256]]
        images = getattr(self.processor, "image_processor", self.processor)
        pixels: Tensor = images(part, return_tensors="pt")["pixel_values"]
        return pixels.half()

    def training_step(self, index: Tensor) -> Tensor:
        pixels = self.pixels[index.cpu()].to(self.device, torch.float32)
        options = {"padding": True, "truncation": True, "max_length": self.max_text, "return_tensors": "pt"}
        batch = self.tokenizer(self.texts(index), **options).to(self.device)
        ids = batch["input_ids"]  # (B, T): <bos> … <eos>
        labels = ids[:, 1:].masked_fill(batch["attention_mask"][:, 1:] == 0, IGNORED)
        logits = self.logits(pixels, ids).transpose(1, 2)  # (B, V, T - 1)
        losses = cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none")
        losses, tokens = gather(losses.sum(dim=1)), gather((labels != IGNORED).sum(dim=1))  # (B of all,)
        loss = losses.sum() / tokens.sum()
        self.note("train/loss", loss, len(losses))
        self.log("train/loss_step", loss, prog_bar=True)
        return loss

    def on_fit_end(self) -> None:
        if self.trainer.is_global_zero:
            self.tokenizer.backend_tokenizer.no_truncation()  # how batches were made is not its own
            self.tokenizer.backend_tokenizer.no_padding()
            for part in (self.model.half(), self.tokenizer, self.processor):
                part.save_pretrained(self.output)
