"""Rows whose shown items a simulated user marks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from requery.feedback.marked import MarkedRocchio
from requery.feedback.nearest import NearestMarked
from requery.feedback.pairs import ContextPairs
from requery.feedback.row import Context, Row
from requery.feedback.settings import check_settings
from requery.feedback.strategy import Strategy
from requery.feedback.users import SimulatedUser, User


@dataclass(frozen=True, kw_only=True)
class Clicks:
    """A simulated user; see `requery.feedback.SimulatedUser`.

    Args:
        wrong: share of wrong marks.
        position_bias: exponent of looking at later positions; 0 = at every item.
        budget: marks a round; null = no limit.
        seed: of the draws.
    """

    wrong: float = 0.0
    position_bias: float = 0.0
    budget: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class Judging(Row):
    """A row whose shown items a simulated user marks.

    Args:
        clicks: the user.
    """

    clicks: Clicks = field(default_factory=Clicks)

    def user(self, context: Context) -> User:
        return SimulatedUser(context.relevant, **vars(self.clicks))


@dataclass(frozen=True, kw_only=True)
class Marked(Judging):
    """Towards what the user marked relevant, away from the rest (weights of VisualReF)."""

    title: ClassVar[str] = "marks"

    alpha: float = 0.6
    beta: float = 0.2
    gamma: float = 0.2

    def build(self, context: Context) -> Strategy:
        return self.made(MarkedRocchio)


@dataclass(frozen=True, kw_only=True)
class Nearest(Judging):
    """Candidates ranked by the nearest marked item.

    Args:
        query_weight: of the search's score.
        pool: items ranked anew.
    """

    title: ClassVar[str] = "1-NN"

    query_weight: float = 1.0
    pool: int = 100

    def build(self, context: Context) -> Strategy:
        return self.made(NearestMarked)


@dataclass(frozen=True, kw_only=True)
class Pairs(Judging):
    """Qdrant's formula over pairs of judged items.

    Args:
        a: weight of the query.
        b: exponent of the confidence.
        c: weight of the pairs.
    """

    title: ClassVar[str] = "pairs"

    a: float = 1.0
    b: float = 1.0
    c: float = 0.1

    def build(self, context: Context) -> Strategy:
        return self.made(ContextPairs)
