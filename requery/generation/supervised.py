"""Teach a generator its answers: the prompt as generation writes it, and the answer behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from requery.generation.chat import TransformersGenerator
from requery.generation.generator import Prompt

IGNORED = -100
"""Label of a place that is not learnt."""
PROBE = "here it is"
"""An answer by which the place behind answers is found in a template."""


@dataclass(frozen=True)
class Example:
    """A prompt and what is to be answered.

    Args:
        prompt: of one turn.
        answer: the answer; learnt with its end.
        longest: tokens generation stops after: of a longer answer the beginning is learnt, and no end.
    """

    prompt: Prompt
    answer: str
    longest: int


@dataclass(frozen=True)
class Scored:
    """What a model gives its answers, of each of `B` the tokens with a label.

    Args:
        losses: `(B,)` negative log-probability of the whole answer.
        tokens: `(B,)` how many tokens it has.
        right: `(B,)` how many of them are the likeliest, given those before.
    """

    losses: Tensor
    tokens: Tensor
    right: Tensor


def ending(generator: TransformersGenerator) -> int:
    """The token that ends an answer in the chat template, where generation stops; else the tokenizer's."""
    stops = generator.model.generation_config.eos_token_id
    ends = [stops] if isinstance(stops, int) else list(stops or ())
    written = generator.dialogue(Prompt(("a", "b"), None, 0), [PROBE]).partition(PROBE)[2]
    behind = generator.tokenizer(written, add_special_tokens=False)["input_ids"]
    return int(next((token for token in behind if token in ends), generator.tokenizer.eos_token_id))


def supervised(
    generator: TransformersGenerator, examples: Sequence[Example]
) -> tuple[dict[str, Tensor], Tensor]:
    """Inputs of a model for `B` examples, all with an image or all without, and the labels of their ends.

    Prompts are padded on the left, by the very call that generation makes; answers follow, padded on the
    right. Only answers have labels: neither prompts nor images nor padding is learnt, and there is no label
    that the embeddings know and the head does not.

    Returns:
        Inputs by name, `input_ids` `(B, P + A)` among them, and labels `(B, A)`, `IGNORED` where padded.
    """
    prompts = [example.prompt for example in examples]
    inputs = generator.inputs([generator.dialogue(prompt, []) for prompt in prompts], prompts)
    end, tokenizer = ending(generator), generator.tokenizer
    answers = [
        [*tokenizer(example.answer, add_special_tokens=False)["input_ids"], end][: example.longest]
        for example in examples
    ]
    longest = max(map(len, answers))
    rows = [answer + [IGNORED] * (longest - len(answer)) for answer in answers]
    labels = torch.tensor(rows, device=inputs["input_ids"].device)  # (B, A)
    written = labels.masked_fill(labels == IGNORED, tokenizer.pad_token_id)
    return _lengthened(inputs, written, labels != IGNORED), labels


def score(generator: TransformersGenerator, examples: Sequence[Example]) -> Scored:
    """Run the model over `B` examples, `batch_size` of about one length at a time."""
    columns = [torch.zeros(len(examples), device=generator.model.device) for _ in range(3)]
    for places in _alike(examples, generator.batch_size):
        found = _score(generator.model, *supervised(generator, [examples[i] for i in places]))
        rows = torch.tensor(places, device=columns[0].device)
        columns = [whole.index_copy(0, rows, part) for whole, part in zip(columns, found, strict=True)]
    return Scored(*columns)


def _alike(examples: Sequence[Example], size: int) -> list[list[int]]:
    """Places of examples, all with an image or all without, with little to pad."""
    batches = []
    for shown in (True, False):
        places = [i for i, one in enumerate(examples) if (one.prompt.image is not None) == shown]
        places.sort(key=lambda i: (len(examples[i].prompt.turns[0]) + len(examples[i].answer), i))
        batches += [places[start : start + size] for start in range(0, len(places), size)]
    return batches


def _score(model: Any, inputs: dict[str, Tensor], labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The columns of `Scored`."""
    keep = labels.shape[1] + 1  # each token is foretold by the one before
    logits = model(**inputs, logits_to_keep=keep, use_cache=False).logits[:, -keep:-1].float()  # (B, A, V)
    losses = cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    learnt = labels != IGNORED
    right = (logits.argmax(-1) == labels) & learnt
    return losses.sum(1), learnt.sum(1).float(), right.sum(1).float()


def _lengthened(inputs: dict[str, Any], answers: Tensor, learnt: Tensor) -> dict[str, Tensor]:
    """Inputs with the answers behind the prompts, as `generate` lengthens them token by token."""
    places, more = inputs["input_ids"].shape, answers.shape[1]
    out = {}
    for name, value in inputs.items():
        if name == "input_ids":
            tail = answers
        elif name == "attention_mask":
            tail = learnt.to(value.dtype)
        elif name == "cross_attention_mask":  # (B, P, images, tiles): an answer sees what its prompt saw
            tail = value[:, -1:].expand(-1, more, *value.shape[2:])
        elif value.shape[:2] == places:  # kinds of tokens: an answer is text
            tail = value.new_zeros(value.shape[0], more, *value.shape[2:])
        else:
            out[name] = value
            continue
        out[name] = torch.cat([value, tail], dim=1)
    return out
