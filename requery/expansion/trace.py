"""What happened to each query on its way, every text included: what a run's folder keeps of an expansion."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from requery.expansion.parse import Parsed
from requery.files import atomic_write
from requery.images import ImageSet


@dataclass(frozen=True)
class VisualQuestion:
    """A question about an image.

    Args:
        id: its name.
        question: the question.
        caption: the image's caption, or None.
        image: a set of images and the position in it, or None.
    """

    id: str
    question: str
    caption: str | None = None
    image: tuple[ImageSet, int] | None = None


@dataclass(frozen=True)
class Step:
    """One thing asked of the model.

    Args:
        name: `caption`, `rewrite`, `expand` or `refine`.
        prompt: what was asked.
        answers: what came back, as it came.
        parsed: what was read from it.
    """

    name: str
    prompt: str
    answers: tuple[str, ...]
    parsed: Parsed


@dataclass
class Round:
    """One round of expanding and refining.

    Args:
        context: passages shown for expanding.
        utilities: of each clue that was read.
        kept: clues of the window; where there are fewer, the rewritten question fills it.
        refined_context: passages shown for refining.
        refined: refined queries.
        found: the first ten passages of the query after this round, where another may follow.
    """

    context: tuple[int, ...] = ()
    utilities: tuple[float, ...] = ()
    kept: tuple[str, ...] = ()
    refined_context: tuple[int, ...] = ()
    refined: tuple[str, ...] = ()
    found: tuple[int, ...] = ()


@dataclass
class Trace:
    """One query's way; the steps fill it.

    Args:
        id: the query's name.
        question: as it is used: "" where it is switched off.
        caption: as it is used.
        image: the image.
        sharpness: shape of the first retrieval's scores; None without a gate.
        spent: whether the model was asked; False where the gate is shut.
        rewritten: the question rewritten, or "".
        steps: all that was asked, in order.
        rounds: rounds of expanding.
        weights: weight of each term of the final query.
        changed: whether anything was added to the original query.
        tokens: that the model wrote for it.
        seconds: they took when they were written; each run's own, so no part of `row`.
    """

    id: str
    question: str
    caption: str
    image: tuple[ImageSet, int] | None = field(default=None, repr=False, compare=False)
    sharpness: float | None = None
    spent: bool = True
    rewritten: str = ""
    steps: list[Step] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=dict)
    changed: bool = False
    tokens: int = 0
    seconds: float = field(default=0.0, repr=False, compare=False)

    @property
    def original(self) -> str:
        """The original query: question and caption."""
        return join(self.question, self.caption)

    @property
    def standing(self) -> str:
        """The question in words that stand without the image, as well as it is known."""
        return self.rewritten or self.question

    @property
    def kept(self) -> tuple[str, ...]:
        """Clues of the last round that has any."""
        return self._last.kept

    @property
    def refined(self) -> tuple[str, ...]:
        """Refined queries of that round."""
        return self._last.refined

    @property
    def _last(self) -> Round:
        return next((done for done in reversed(self.rounds) if done.kept), Round())

    @property
    def text(self) -> str:
        """The expanded query for an encoder of text, the most important first."""
        return join(self.standing, *(self.refined or self.kept)) if self.changed else self.original

    def row(self) -> dict[str, Any]:
        """All of it but the image and the time, for JSON."""
        apart = ("image", "seconds", "steps", "rounds")
        row = {name: value for name, value in vars(self).items() if name not in apart}
        return {**row, "steps": list(map(asdict, self.steps)), "rounds": list(map(asdict, self.rounds))}


def join(*texts: str) -> str:
    """Texts in one line, each once."""
    return " ".join(dict.fromkeys(text for text in texts if text))


def outcomes(traces: Sequence[Trace]) -> Mapping[str, Mapping[str, int]]:
    """How many answers of each step were used, and why the others were not.

    `query` counts what became of whole queries: `expanded`, `spared` by the gate, or `original` where the
    model was asked to no avail.
    """
    counts: dict[str, Counter[str]] = {"query": Counter()}
    for trace in traces:
        counts["query"]["expanded" if trace.changed else "original" if trace.spent else "spared"] += 1
        for step in trace.steps:
            counts.setdefault(step.name, Counter())[step.parsed.outcome] += 1
    return {name: dict(counter) for name, counter in counts.items()}


def write_traces(path: Path | str, traces: Sequence[Trace]) -> None:
    """Write one line of JSON for each query.

    Raises:
        RunError: the file cannot be written.
    """
    with atomic_write(path) as file:
        for trace in traces:
            file.write(json.dumps(trace.row(), ensure_ascii=False) + "\n")
