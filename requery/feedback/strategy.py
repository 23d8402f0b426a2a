"""What a strategy of feedback is: it moves the queries, or ranks their candidates anew."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import functional as F

from requery.feedback.aggregate import softmax_aggregate
from requery.feedback.rocchio import rocchio
from requery.feedback.settings import check_settings
from requery.feedback.shown import Shown

Normalisation = Literal["code", "always", "never"]


@dataclass(frozen=True)
class Strategy(ABC):
    """Settings of one way to use what a round showed.

    Raises:
        ConfigError: a setting is out of range.
    """

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def name(self) -> str:
        """What it is called in a table."""
        return type(self).__name__

    @abstractmethod
    def move(self, shown: Shown) -> Tensor:
        """The `(Q, D)` unit queries of the next round; a query that stays as it is is not searched again."""


@dataclass(frozen=True, kw_only=True)
class Reranking(Strategy):
    """A strategy whose scores are no product with a query: it ranks the first items of the search anew.

    Args:
        pool: items ranked anew; those behind them keep their ranks.
    """

    pool: int = 100

    def move(self, shown: Shown) -> Tensor:
        """Leave the queries as they are."""
        return shown.queries

    @abstractmethod
    def rescore(self, shown: Shown, items: Tensor, scores: Tensor) -> Tensor:
        """Score candidates anew.

        Args:
            shown: the round before.
            items: `(Q, P)` int64.
            scores: `(Q, P)` of the search.

        Returns:
            `(Q, P)`, larger is better.
        """


@dataclass(frozen=True, kw_only=True)
class RocchioStrategy(Strategy):
    """A strategy that finds a positive and a negative, and moves the queries by the Rocchio update.

    Args:
        alpha: weight of the query.
        beta: weight of the positive.
        gamma: weight of the negative.
    """

    alpha: float = 0.8
    beta: float = 0.1
    gamma: float = 0.1

    def move(self, shown: Shown) -> Tensor:
        """Start from `shown.base`."""
        return rocchio(shown.base, *self.directions(shown), self.alpha, self.beta, self.gamma)

    @abstractmethod
    def directions(self, shown: Shown) -> tuple[Tensor, Tensor | None]:
        """The positive and the negative, each `(Q, D)`; None = no negative."""


@dataclass(frozen=True, kw_only=True)
class SoftmaxStrategy(RocchioStrategy):
    """A strategy that splits some embeddings of the shown items softly into positive and negative.

    Args:
        temperature: of the split.
        normalize_feedback: normalise positive and negative: as the official `code` does (PRF yes, GRF no),
            `always` or `never`.
    """

    official_normalises: ClassVar[bool] = True

    temperature: float = 0.05
    normalize_feedback: Normalisation = "code"

    def directions(self, shown: Shown) -> tuple[Tensor, Tensor]:
        """By similarity to the queries of the round."""
        pair = softmax_aggregate(self.embeddings(shown), shown.queries, self.temperature)
        always = self.normalize_feedback == "always"
        if always or (self.normalize_feedback == "code" and self.official_normalises):
            pair = F.normalize(pair[0], dim=-1), F.normalize(pair[1], dim=-1)
        return pair

    @abstractmethod
    def embeddings(self, shown: Shown) -> Tensor:
        """`(Q, K, D)` of the shown items."""
