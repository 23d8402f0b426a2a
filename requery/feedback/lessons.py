"""What a summarizer learns from: captions as queries, what a first search showed for them, their images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from requery.errors import ConfigError
from requery.feedback.loss import feedback_cosine
from requery.feedback.masking import kept_items
from requery.feedback.retrieved import Retrieved
from requery.feedback.settings import check_settings
from requery.feedback.summarizer import AttentiveFeedbackSummarizer
from requery.feedback.summarizer_file import Head
from requery.feedback.tokens import Tokens, closest_token, fetch_tokens
from requery.rng import draws

_CAPTIONS, _IMAGES = 0, 1


@dataclass(frozen=True)
class Training:
    """How a summarizer is trained.

    Args:
        image_loss: the cosine to the target image (the authors' final models: this alone).
        caption_loss: the cosine to the target's other captions.
        random_mask: hide 0 to K - 1 of the shown images, and of the captions, in each step.
        contrast: weight of an InfoNCE loss against the other items the search found and the batch's other
            targets; 0 = none, as in the paper (ours).
        temperature: of that loss.
        queries: `all` captions, or `hard` ones, whose image the search did not put first (ours).

    Raises:
        ConfigError: a value is out of range, or no loss is left.
    """

    image_loss: bool = True
    caption_loss: bool = False
    random_mask: bool = False
    contrast: float = 0.0
    temperature: float = 0.05
    queries: Literal["all", "hard"] = "all"

    def __post_init__(self) -> None:
        check_settings(self)
        if not (self.image_loss or self.caption_loss or self.contrast):
            raise ConfigError("Training: every loss is off; leave one of image_loss, caption_loss, contrast")


@dataclass(frozen=True, eq=False)
class Lessons:
    """The pairs of a training split.

    Args:
        found: the first search.
        query_tokens: of captions, by their rows in `found`.
        image_tokens: of the images.
        caption_tokens: of the images' generated captions; None where the head does not read them.
    """

    found: Retrieved
    query_tokens: Tokens
    image_tokens: Tokens | None
    caption_tokens: Tokens | None

    def draw(self, images: Tensor, training: Training, seed: int, epoch: int) -> Tensor:
        """One caption of each image, `(B,)` to rows `(B,)`; a hard one where there is one, if asked."""
        drawn = torch.from_numpy((draws(seed, epoch, images.numpy()) >> 1).astype("int64"))
        rows = self.found.choose(images, drawn)
        if training.queries == "hard":
            for _ in range(int(self.found.offsets.diff().max()) - 1):
                drawn = drawn + 1
                rows = torch.where(self.found.rank[rows] > 1, rows, self.found.choose(images, drawn))
        return rows

    def summarise(
        self,
        model: AttentiveFeedbackSummarizer,
        head: Head,
        rows: Tensor,
        masked: tuple[int, int] | None = None,
    ) -> Tensor:
        """What the summarizer makes of some captions' first search, `(B,)` rows to `(B, D)`.

        Args:
            model: the summarizer.
            head: what it reads.
            rows: of the captions.
            masked: seed and step of the items hidden at random; None hides none.
        """
        items, like = self.found.items[rows][:, : head.k], model.projection.weight
        query, query_mask = fetch_tokens(self.query_tokens, rows, like)
        caption, caption_mask = fetch_tokens(self.caption_tokens, items, like)
        image, image_mask = fetch_tokens(self.image_tokens, items, like)
        assert query is not None
        if not head.mask_padding:
            query_mask = caption_mask = image_mask = None
        if masked is not None:
            caption_mask = _hidden(caption, caption_mask, rows, *masked, _CAPTIONS)
            image_mask = _hidden(image, image_mask, rows, *masked, _IMAGES)
        masks = {"query_mask": query_mask, "caption_mask": caption_mask, "image_mask": image_mask}
        out: Tensor = model(query, caption, image, **masks)[0]
        return out

    def loss(self, out: Tensor, images: Tensor, rows: Tensor, training: Training) -> Tensor:
        """The losses of a batch.

        Args:
            out: `(B, D)` of the summarizer.
            images: `(B,)` targets.
            rows: `(B,)` captions.
            training: which losses.
        """
        target = closest_token(self.found.images[images], self.found.texts[rows]).to(out)
        image = target if training.image_loss else None
        captions = self.found.others(images, rows).to(out) if training.caption_loss else None
        loss = out.new_zeros(())
        if training.image_loss or training.caption_loss:
            loss = feedback_cosine(out, image, captions)
        if training.contrast:
            loss = loss + training.contrast * self._contrast(out, images, rows, training.temperature)
        return loss

    def _contrast(self, out: Tensor, images: Tensor, rows: Tensor, temperature: float) -> Tensor:
        shown = self.found.items[rows]  # (B, 10)
        others = images.expand(len(images), -1)  # (B, B)
        candidates = torch.cat([images[:, None], shown, others], 1)
        rivals = candidates != images[:, None]
        rivals[:, 0] = True
        distinct, place = torch.unique(candidates, return_inverse=True)
        embedded = self.found.images[distinct].to(out)
        unit = F.normalize(out, dim=-1)
        scores = torch.einsum("bd,ntd->bnt", unit, embedded).amax(-1).gather(1, place.to(out.device))
        scores = (scores / temperature).masked_fill(~rivals.to(out.device), -torch.inf)
        return F.cross_entropy(scores, torch.zeros(len(out), dtype=torch.int64, device=out.device))


def _hidden(
    tokens: Tensor | None, mask: Tensor | None, rows: Tensor, seed: int, step: int, kind: int
) -> Tensor | None:
    """A mask that also hides some items, `(B, K, L)`."""
    if tokens is None:
        return None
    kept = kept_items(rows, step, tokens.shape[1], seed=seed, kind=kind).to(tokens.device)
    everywhere = (
        torch.ones(tokens.shape[:3], dtype=torch.bool, device=tokens.device) if mask is None else mask
    )
    return everywhere & kept[..., None]
