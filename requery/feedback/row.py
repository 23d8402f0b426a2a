"""What a row of a table of feedback is: settings, and the strategy they make once there are data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar, Protocol, Self, TypeVar

from torch import Tensor

from requery.feedback.guards import Guards
from requery.feedback.session import Loop
from requery.feedback.settings import check_settings
from requery.feedback.shuffled import Shuffled
from requery.feedback.strategy import Strategy
from requery.feedback.summarizer import AttentiveFeedbackSummarizer
from requery.feedback.summarizer_file import Head
from requery.feedback.tokens import Tokens
from requery.feedback.users import User
from requery.index.base import VectorIndex
from requery.ragged import Ragged

S = TypeVar("S", bound=Strategy)
_DATA = {"label", "summarizer"}
"""What strategies call so is no setting."""


class Context(Protocol):
    """What rows may ask for; what none asks for is never made. All processes ask for the same, in turn."""

    index: VectorIndex
    relevant: Ragged

    def captions(self) -> Tensor:
        """Embeddings of one generated caption an item, `(N, D)`."""
        ...

    def caption_tokens(self) -> Tokens:
        """Their tokens."""
        ...

    def image_tokens(self) -> Tokens:
        """The frozen tower's tokens of the items."""
        ...

    def query_tokens(self) -> Tokens:
        """Tokens of the queries' texts."""
        ...

    def annotated(self) -> Tensor:
        """Embeddings of an annotator's caption of each item, `(N, D)`."""
        ...

    def others(self) -> Tensor:
        """Embeddings of other captions of each query's target, `(Q, C, D)`."""
        ...

    def bank(self) -> Tensor:
        """Queries of another split, `(B, D)`."""
        ...

    def summarizer(self, folder: str) -> tuple[AttentiveFeedbackSummarizer, Head]:
        """A trained summarizer and what it reads."""
        ...


@dataclass(frozen=True, kw_only=True)
class Row(ABC):
    """Settings of one row; `requery.feedback.rows` has them all.

    Args:
        label: its name in tables; null = its class and what differs from the defaults.
        guards: against drift.
        exclude_seen: take what was shown out of later rankings; compare such a row by `shown`.
        shuffled: feed each query what was shown for another: a control.
    """

    title: ClassVar[str] = ""

    label: str | None = None
    guards: Guards = field(default_factory=Guards)
    exclude_seen: bool = False
    shuffled: bool = False

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def name(self) -> str:
        """What it is called in a table."""
        if self.label is not None:
            return self.label
        given = ", ".join(_changed(self))
        return self.title + (f"({given})" if given else "")

    def controls(self) -> tuple[Row, ...]:
        """Rows that belong beside it in every table."""
        return ()

    def loop(self, rounds: int, k: int, accumulate: bool) -> Loop:
        """How its rounds go."""
        return Loop(rounds, k, accumulate, self.exclude_seen, self.guards)

    def user(self, context: Context) -> User | None:
        """Who marks what is shown; None = nobody."""
        return None

    @abstractmethod
    def build(self, context: Context) -> Strategy:
        """The strategy, without shuffling."""

    def strategy(self, context: Context) -> Strategy:
        """The strategy."""
        made = self.build(context)
        return Shuffled(made) if self.shuffled else made

    def settings(self, kind: type[Strategy]) -> dict[str, Any]:
        """Those of a strategy that this row has under the same names."""
        names = [f.name for f in fields(kind) if f.name not in _DATA]
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def made(self, kind: type[S], **data: Any) -> S:
        """A strategy with these settings."""
        return kind(**self.settings(kind), **data)

    def control(self, suffix: str, **changes: Any) -> Self:
        """This row, changed, with a name that says of which row it is the control."""
        return replace(self, label=f"{self.name}, {suffix}", **changes)


def expand(rows: Sequence[Row]) -> tuple[list[Row], list[tuple[str, str]]]:
    """Each row with its controls behind it, and the names of (row, control)."""
    every: list[Row] = []
    pairs = []
    for row in rows:
        controls = row.controls()
        every += [row, *controls]
        pairs += [(row.name, control.name) for control in controls]
    return every, pairs


def _changed(settings: Any, top: bool = True) -> Iterator[str]:
    """`name=value` of what is not at its default."""
    for f in fields(settings):
        if f.metadata.get("unnamed") or (top and f.name == "label"):
            continue
        value, default = getattr(settings, f.name), _default(f)
        if is_dataclass(value):
            yield from _changed(value, top=False)
        elif value != default:
            yield f"{f.name}={value}"


def _default(f: Any) -> Any:
    return f.default_factory() if callable(f.default_factory) else f.default
