"""AFS at work: tokens of what was shown are fetched, summarised and fed back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from requery.errors import ConfigError
from requery.feedback.attended import PatchAttention, least_attended
from requery.feedback.shown import Shown
from requery.feedback.strategy import RocchioStrategy
from requery.feedback.summarizer import AttentiveFeedbackSummarizer
from requery.feedback.tokens import Tokens, closest_token, fetch_tokens


@dataclass(frozen=True, eq=False)
class AFS(RocchioStrategy):
    """Feedback summarised by attention (Khaertdinov et al., arXiv 2511.17255); defaults of their code.

    The positive is the summarizer's output, the negative what it attended to least. Without captions and
    images the summarizer sees the query alone, and there is no negative.

    Args:
        summarizer: trained.
        query_tokens: of queries, by their numbers in the task.
        image_tokens: of gallery items, by index; None = images are not read.
        caption_tokens: of the items' captions, by index, in the order of the gallery; None = not read.
        captions: `(N, D)` unit embeddings of these captions; given with `caption_tokens`.
        temperature: of the negative's weights.
        mask_padding: hide all padding. Officially that of captions shorter than the longest of the K shown is
            read; hidden in any case is what a batch of other queries adds to it.
        patch_attention: see `least_attended`.
        legacy_uniform_negative: see `least_attended`.
        batch: queries summarised at a time.

    Raises:
        ConfigError: captions are given without their tokens, or the other way round.
    """

    summarizer: AttentiveFeedbackSummarizer
    query_tokens: Tokens
    image_tokens: Tokens | None = None
    caption_tokens: Tokens | None = None
    captions: Tensor | None = None
    temperature: float = 0.05
    mask_padding: bool = False
    patch_attention: PatchAttention = "sum"
    legacy_uniform_negative: bool = False
    batch: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.captions is None) != (self.caption_tokens is None):
            raise ConfigError("AFS: give the captions' embeddings and their tokens, or neither")

    def directions(self, shown: Shown) -> tuple[Tensor, Tensor | None]:
        """A batch of queries at a time."""
        places = torch.split(torch.arange(len(shown.rows)), self.batch)
        found = [self._summarise(shown, place) for place in places]
        positive = torch.cat([part for part, _ in found])
        negative = [part for _, part in found if part is not None]
        return positive, torch.cat(negative) if negative else None

    def _summarise(self, shown: Shown, place: Tensor) -> tuple[Tensor, Tensor | None]:
        here = place.to(shown.items.device)
        items, queries = shown.items[here], shown.queries[here]
        like = self.summarizer.projection.weight
        query, query_mask = fetch_tokens(self.query_tokens, shown.rows[place], like)
        caption, caption_mask = fetch_tokens(self.caption_tokens, items, like)
        image, image_mask = fetch_tokens(self.image_tokens, items, like)
        assert query is not None
        if not self.mask_padding:
            query_mask = image_mask = None
            caption_mask = None if caption_mask is None else _up_to_longest(caption_mask)
        out, attention = self.summarizer(
            query, caption, image, query_mask=query_mask, caption_mask=caption_mask, image_mask=image_mask
        )
        positive = F.normalize(out, dim=-1).to(queries)
        if attention is None:
            return positive, None
        negative = least_attended(
            attention.to(queries),
            None if self.captions is None else shown.look_up(self.captions, items),
            None if image is None else closest_token(shown.tokens(items), queries),
            caption_length=0 if caption is None else caption.shape[2],
            temperature=self.temperature,
            patch_attention=self.patch_attention,
            legacy_uniform_negative=self.legacy_uniform_negative,
            query_mask=query_mask,
        )
        return positive, negative


def _up_to_longest(mask: Tensor) -> Tensor:
    """`(B, K, L)`: every place up to the end of the longest of each query's K."""
    places = torch.arange(1, mask.shape[2] + 1, device=mask.device)
    ends = (mask * places).amax((1, 2))
    return (places <= ends[:, None])[:, None].expand_as(mask)
