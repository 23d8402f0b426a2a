"""A generator's words as queries: the decoder's state at each word of a text, over the gallery of all words.

Query-shift adaptation needs queries and a fixed gallery, and a generator has neither by name. Ours: writing a
word is retrieval of it. The query is the decoder's last state at a word of the text that the model itself has
just written, the gallery the rows of its output layer, which never change. So whatever adapts a query encoder
adapts a generator's vision tower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from requery.errors import ConfigError
from requery.generation.captioner import Captioner
from requery.generation.chat import TransformersGenerator
from requery.generation.generator import Prompt
from requery.generation.local import LocalGenerator
from requery.generation.request import Sampling
from requery.generation.supervised import IGNORED, Example, supervised

Said = dict[str, Any]
"""Texts as the encoder takes them: `inputs` of the model; `labels`, `(B, A)` words, `IGNORED` in padding."""


class WordQueries(nn.Module):
    """Maps images and the texts written about them to one query a word: `Said` to `(words, D)`.

    Words are ranked as the model ranks them: a coordinate more, which is 0 in every query, makes all rows of
    the gallery equally long, so that cosines order them as the logits do (after Bachrach et al., RecSys
    2014). The softmax over cosines is the model's own where the temperature is 1 / (length of the state ·
    length of the longest row).

    Args:
        generator: a captioner, or a model that is talked to; in float32.
        longest: of a text, in tokens.

    Raises:
        ConfigError: the generator's weights are not in float32, in which small updates would be lost.
    """

    def __init__(self, generator: LocalGenerator, longest: int) -> None:
        super().__init__()
        if generator.model.dtype != torch.float32:
            raise ConfigError(
                f"{generator.name} is in {generator.model.dtype}; load it in float32 to adapt it"
            )
        self.generator, self.model = generator, generator.model
        self.longest = min(longest, generator.max_text)

    @property
    def tower(self) -> nn.Module:
        """What sees the images."""
        tower: nn.Module
        tower = getattr(self.model, "encoder", None) or self.model.get_encoder(modality="image")
        return tower

    @property
    def head(self) -> nn.Linear:
        """The output layer."""
        decoder = getattr(self.model, "text_decoder", self.model)  # BLIP does not know its own
        head: nn.Linear = decoder.get_output_embeddings()
        return head

    @torch.no_grad()
    def gallery(self) -> Tensor:
        """All words the model can write: `(V, D)` unit rows."""
        rows = self.head.weight
        if self.head.bias is not None:
            rows = torch.cat([rows, self.head.bias[:, None]], dim=1)
        square = rows.square().sum(dim=1)
        lacking = (square.max() - square).clamp(min=0).sqrt()
        return torch.cat([rows, lacking[:, None]], dim=1) / square.max().sqrt()

    def write(self, prompts: Sequence[Prompt]) -> list[str]:
        """Texts of the model as it is, greedy."""
        answers = self.generator.answer(prompts, Sampling(max_new_tokens=self.longest))
        return [answer.text for answer in answers]

    def say(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Said:
        """Put texts behind their prompts, to be read in one pass."""
        match self.generator:
            case Captioner() as captioner:
                return self._captioned(captioner, prompts, texts)
            case TransformersGenerator() as chat:
                pairs = zip(prompts, texts, strict=True)
                inputs, labels = supervised(chat, [Example(p, text, self.longest) for p, text in pairs])
                return {"inputs": inputs, "labels": labels}
        raise ConfigError(f"{self.generator.name} is neither a captioner nor a model that is talked to")

    def _captioned(self, captioner: Captioner, prompts: Sequence[Prompt], texts: Sequence[str]) -> Said:
        stops = captioner.stops
        end = stops if isinstance(stops, int) else stops[0]
        words = [captioner.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        rows = [[*row, end][: self.longest] for row in words]
        most = max(map(len, rows))
        padded = [row + [IGNORED] * (most - len(row)) for row in rows]
        labels = torch.tensor(padded, device=self.model.device)  # (B, A)
        ids = torch.cat([labels.new_full((len(rows), 1), captioner.start), labels], dim=1)
        ids = ids.masked_fill(ids == IGNORED, end)
        seen = torch.ones_like(ids)  # what is behind a text is seen by nothing before it
        side = "" if captioner.is_blip else "decoder_"
        inputs = {
            "pixel_values": captioner.pixels(prompts),
            f"{side}input_ids": ids,
            f"{side}attention_mask": seen,
        }
        return {"inputs": inputs, "labels": labels}

    def forward(self, said: Said) -> Tensor:
        """The states that foretell the words, `(words, D)`, not normalised."""
        states: list[Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda _, given: states.append(given[0]))
        try:
            self.model(**said["inputs"])
        finally:
            hook.remove()
        labels = said["labels"]
        foretelling = states[0][:, -labels.shape[1] - 1 : -1][labels != IGNORED]  # (words, width)
        more = [foretelling.new_zeros(len(foretelling), 1)]
        if self.head.bias is not None:
            more.insert(0, torch.ones_like(more[0]))
        return torch.cat([foretelling, *more], dim=1)
