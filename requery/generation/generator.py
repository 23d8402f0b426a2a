"""The interface of every generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from requery.generation.request import Sampling

Identity = Mapping[str, str | None]
"""All of a generator that can move its answers: digests and names, never a place on a disk or an address.

It has at least `kind` and `model`."""

CAPTIONER = "captioner"
"""`kind` in the identity of a generator that captions images and takes no words."""


@dataclass(frozen=True)
class Prompt:
    """One answer to be given.

    Args:
        turns: prompts of the dialogue.
        image: the image, as RGB, or None.
        seed: non-negative, of this answer's own draws: it depends on what is asked, not on the batch.
    """

    turns: tuple[str, ...]
    image: Image.Image | None
    seed: int


@dataclass(frozen=True)
class Answer:
    """An answer, or why there is none.

    Args:
        text: the answer to the last turn, without space around it.
        tokens: tokens generated, all turns together.
        seconds: time it took; in a batch, its share.
        error: why there is no answer; None where there is one.
    """

    text: str = ""
    tokens: int = 0
    seconds: float = 0.0
    error: str | None = None


class Generator(Protocol):
    """Answers prompts in batches.

    Attributes:
        name: what people call it; not part of its identity.
        identity: what stored answers are found by.
        batch_size: prompts it is given at most at a time.
        takes_prompts: False where it captions an image and takes no turns.
    """

    name: str
    identity: Identity
    batch_size: int
    takes_prompts: bool

    def answer(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Answer]:
        """Answer each prompt.

        An exception that is no RequeryError fails the batch, whose prompts are then tried one by one; a
        RequeryError ends everything, for going on would be of no use.
        """
        ...
