"""Rows of a trained summarizer: AFS, and its control that sees the query alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from requery.feedback.afs import AFS as Strategic
from requery.feedback.attended import PatchAttention
from requery.feedback.row import Context, Row
from requery.feedback.rows.weighted import Weighted
from requery.feedback.strategy import Strategy
from requery.feedback.summarizer import AttentiveFeedbackSummarizer
from requery.feedback.summarizer_file import Head


def summarizing(
    context: Context, model: AttentiveFeedbackSummarizer, head: Head, **settings: Any
) -> Strategic:
    """The strategy of a summarizer, with the tokens that its head reads.

    Args:
        context: where they come from.
        model: trained.
        head: what it reads.
        **settings: of the strategy.
    """
    return Strategic(
        model,
        context.query_tokens(),
        context.image_tokens() if head.images else None,
        context.caption_tokens() if head.captions else None,
        context.captions() if head.captions else None,
        mask_padding=head.mask_padding,
        **settings,
    )


@dataclass(frozen=True, kw_only=True)
class QueryOnly(Weighted):
    """A head that sees the query alone, trained as AFS is: the control that says what feedback adds.

    Args:
        summarizer: folder of the head.
        batch: queries summarised at a time.
    """

    title: ClassVar[str] = "query-only"

    summarizer: str = field(metadata={"unnamed": True})
    batch: int = field(default=32, metadata={"unnamed": True})

    def build(self, context: Context) -> Strategy:
        model, head = context.summarizer(self.summarizer)
        return summarizing(context, model, head, **self.settings(Strategic))


@dataclass(frozen=True, kw_only=True)
class AFS(QueryOnly):
    """The attentive feedback summarizer; both its controls come with it.

    Args:
        query_only: folder of the query-only head trained as it was.
        temperature: of the negative's weights.
        patch_attention: add up an image's tokens or average them.
        legacy_uniform_negative: weigh all items alike.
    """

    title: ClassVar[str] = "AFS"

    query_only: str = field(metadata={"unnamed": True})
    temperature: float = 0.05
    patch_attention: PatchAttention = "sum"
    legacy_uniform_negative: bool = False

    def controls(self) -> tuple[Row, ...]:
        weights = {"alpha": self.alpha, "beta": self.beta, "guards": self.guards}
        head = QueryOnly(
            label=f"{self.name}, query only",
            summarizer=self.query_only,
            exclude_seen=self.exclude_seen,
            **weights,  # type: ignore[arg-type]
        )
        return self.control("shuffled", shuffled=True), head
