"""Ask one thing about many queries at once: a model, or whoever answers in its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from requery.errors import ConfigError
from requery.expansion.prompts import PROMPTS, Prompts, fill
from requery.expansion.settings import ExpansionSettings
from requery.expansion.trace import Trace
from requery.generation.generate import answers
from requery.generation.generator import Generator
from requery.generation.request import Request, Sampling
from requery.generation.store import Store

StepProgress = Callable[[str, int, int], None]
"""Called with (step, answers made, answers to make)."""


@dataclass(frozen=True)
class Asked:
    """One step's question about many queries.

    Args:
        step: of the pipeline.
        traces: `B` queries.
        prompts: `B` prompts.
        tokens: longest answer.
        n: answers a query.
        temperature: they are drawn at.
        image: whether images are shown.
    """

    step: str
    traces: Sequence[Trace]
    prompts: Sequence[str]
    tokens: int
    n: int
    temperature: float
    image: bool

    def requests(self) -> list[Request]:
        """One request a query."""
        return [
            Request(f"{trace.id} ({self.step})", (prompt,), trace.image if self.image else None)
            for trace, prompt in zip(self.traces, self.prompts, strict=True)
        ]


@dataclass(frozen=True)
class Ask(ABC):
    """Who answers the pipeline's steps.

    Args:
        settings: the pipeline's settings.
    """

    settings: ExpansionSettings

    @property
    def prompts(self) -> Prompts:
        """The words of the settings' version."""
        return PROMPTS[self.settings.prompts]

    def words(self, template: str, trace: Trace, **fields: str) -> str:
        """A prompt about a query; `fields` are those that the query alone does not give."""
        shown, prompts = self.settings.image and trace.image is not None, self.prompts
        return fill(
            template,
            look=prompts.look if shown else "",
            question=trace.question,
            caption=trace.caption,
            goal=prompts.goals[0 if trace.question else 1],
            evidence=prompts.evidences[0 if shown else 1 if trace.caption else 2],
            clue_words=str(self.settings.clue_words),
            line_words=str(self.settings.line_words),
            **fields,
        )

    def __call__(
        self,
        step: str,
        traces: Sequence[Trace],
        prompts: Sequence[str],
        tokens: int,
        n: int = 1,
        temperature: float | None = None,
        image: bool | None = None,
    ) -> list[tuple[str, ...]]:
        """Answers to one prompt a query.

        Args:
            step: what progress calls it.
            traces: `B` queries.
            prompts: `B` prompts.
            tokens: longest answer.
            n: answers a query.
            temperature: default that of the settings.
            image: whether images are shown; default as the settings say.

        Returns:
            `B` tuples of at most n texts: what failed or was empty is left out.
        """
        heat = self.settings.drawing.temperature if temperature is None else temperature
        shown = self.settings.image if image is None else image
        return self.answers(Asked(step, traces, prompts, tokens, n, heat, shown))

    @abstractmethod
    def answers(self, asked: Asked) -> list[tuple[str, ...]]:
        """What comes back, as of calling."""


@dataclass(frozen=True)
class AskModel(Ask):
    """Answers by an image–text model.

    Args:
        generator: the model.
        store: where its answers are kept; None keeps nothing.
        progress: called after each batch.
    """

    generator: Generator
    store: Store | None = None
    progress: StepProgress | None = None

    def __post_init__(self) -> None:
        if not self.generator.takes_prompts:
            raise ConfigError(f"{self.generator.name} takes no prompts; use an image–text model")

    def answers(self, asked: Asked) -> list[tuple[str, ...]]:
        """Answers of the store first; traces are told what theirs took."""
        progress, drawing = self.progress, self.settings.drawing
        found = answers(
            self.generator,
            asked.requests(),
            asked.n,
            Sampling(asked.temperature, drawing.top_p, asked.tokens, drawing.seed),
            store=self.store,
            progress=None if progress is None else lambda done, total: progress(asked.step, done, total),
        )
        for trace, row in zip(asked.traces, found, strict=True):
            drawn = row[:1] if asked.temperature == 0 else row  # a greedy answer was made once
            trace.tokens += sum(answer.tokens for answer in drawn)
            trace.seconds += sum(answer.seconds for answer in drawn)
        return [tuple(answer.text for answer in row) for row in found]
