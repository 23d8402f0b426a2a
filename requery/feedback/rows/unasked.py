"""Rows that ask nobody: no feedback, pseudo-relevance, captions, a correction for hubs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from requery.feedback import strategies
from requery.feedback.hubs import HubCorrection, inverted_softmax_bias, nearest_queries_bias
from requery.feedback.row import Context, Row
from requery.feedback.rows.weighted import Weighted
from requery.feedback.strategy import Normalisation, Strategy

BASELINE = "none"


@dataclass(frozen=True, kw_only=True)
class NoFeedback(Row):
    """The first search in every round; the row all others are compared with, and always there."""

    title: ClassVar[str] = BASELINE

    def build(self, context: Context) -> Strategy:
        return strategies.NoFeedback()


@dataclass(frozen=True, kw_only=True)
class Softened(Weighted):
    """A row that splits what was shown softly into positive and negative.

    Args:
        temperature: of the split.
        normalize_feedback: `code` (PRF yes, GRF no), `always` or `never`.
    """

    temperature: float = 0.05
    normalize_feedback: Normalisation = "code"


@dataclass(frozen=True, kw_only=True)
class PRF(Softened):
    """Pseudo-relevance feedback on images."""

    title: ClassVar[str] = "PRF"

    def build(self, context: Context) -> Strategy:
        return self.made(strategies.PRF)


@dataclass(frozen=True, kw_only=True)
class GRF(Softened):
    """Generative relevance feedback on captions of the shown images.

    Args:
        source: `generated` captions (`model.captions`), or the annotators': an oracle, PRF on captions.
    """

    title: ClassVar[str] = "GRF"

    source: Literal["generated", "annotated"] = "generated"

    @property
    def name(self) -> str:
        """Says where the captions are from, if from the annotators."""
        return super().name.replace("source=annotated", "oracle captions")

    def build(self, context: Context) -> Strategy:
        table = context.captions() if self.source == "generated" else context.annotated()
        return self.made(strategies.GRF, captions=table, label=self.source)


@dataclass(frozen=True, kw_only=True)
class OriginalRocchio(Weighted):
    """Rocchio (1971) on images: mean of the first K, mean of the last K."""

    title: ClassVar[str] = "Rocchio"

    def build(self, context: Context) -> Strategy:
        return self.made(strategies.OriginalRocchio)


@dataclass(frozen=True, kw_only=True)
class VectorPRF(Row):
    """Vector PRF (Li et al.).

    Args:
        mode: `average` or `rocchio`.
        alpha: weight of the query, with `rocchio`.
        beta: weight of the items, with `rocchio`.
    """

    title: ClassVar[str] = "Vector-PRF"

    mode: Literal["average", "rocchio"] = "average"
    alpha: float = 0.4
    beta: float = 0.6

    def build(self, context: Context) -> Strategy:
        return self.made(strategies.VectorPRF)


@dataclass(frozen=True, kw_only=True)
class Explicit(Weighted):
    """The paper's upper bound: another caption of the target, which reads the truth.

    Args:
        draw: a caption for each `round` or `once`.
        seed: of the draws.
    """

    title: ClassVar[str] = "explicit"

    gamma: float = 0.0
    draw: Literal["round", "once"] = "round"
    seed: int = 28

    def build(self, context: Context) -> Strategy:
        return self.made(strategies.Explicit, captions=context.others())


@dataclass(frozen=True, kw_only=True)
class Hubs(Row):
    """Ranking corrected for hubs, by queries of the val split; no feedback.

    Args:
        kind: `nnn` (Chowdhury et al. 2024) or `inverted_softmax` (Bogolin et al. 2022).
        pool: items ranked anew.
    """

    title: ClassVar[str] = "hubs"

    kind: Literal["nnn", "inverted_softmax"] = "nnn"
    pool: int = 100

    def build(self, context: Context) -> Strategy:
        bias = nearest_queries_bias if self.kind == "nnn" else inverted_softmax_bias
        return HubCorrection(bias=bias(context.index, context.bank()), pool=self.pool)
