"""What is asked of a generator: an image, a dialogue, and how to draw the answer."""

from __future__ import annotations

from dataclasses import dataclass

from requery.errors import ConfigError
from requery.images import ImageSet


@dataclass(frozen=True)
class Request:
    """One item to generate texts for.

    Args:
        name: what messages and the store call it, such as the image's id; not part of what is asked.
        turns: prompts of a dialogue. Each is put after the answer to the one before, and the last answer is
            the result; none asks a captioner for its caption.
        image: a set of images and the position in it; None for text alone.
    """

    name: str
    turns: tuple[str, ...] = ()
    image: tuple[ImageSet, int] | None = None


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn.

    Args:
        temperature: logits are divided by it; 0 takes the likeliest token (greedy).
        top_p: tokens are drawn from the likeliest ones that together have at least this probability.
        max_new_tokens: longest answer of a turn, in tokens.
        seed: seed of the draws.

    Raises:
        ConfigError: a value is out of range.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ConfigError(f"temperature is {self.temperature}; it must be 0 (greedy) or more")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p is {self.top_p}; it must be above 0 and at most 1")
        if self.max_new_tokens < 1:
            raise ConfigError(f"max_new_tokens is {self.max_new_tokens}; it must be at least 1")

    @property
    def greedy(self) -> bool:
        """Whether nothing is drawn, so that all samples of a request are the same."""
        return self.temperature == 0
