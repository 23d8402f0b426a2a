"""What a summarizer attended to least: the negative of AFS."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

PatchAttention = Literal["sum", "mean"]


def least_attended(
    attention: Tensor,
    captions: Tensor | None,
    images: Tensor | None,
    *,
    caption_length: int = 0,
    temperature: float = 0.05,
    patch_attention: PatchAttention = "sum",
    legacy_uniform_negative: bool = False,
    query_mask: Tensor | None = None,
) -> Tensor:
    """Average the shown items, the least attended weighing most (official code of AFS).

    Attention is added up over heads and query tokens, then over each item's own tokens; w = softmax(-a /
    temperature) over the items. The totals run into the hundreds, so w is close to one-hot.

    Args:
        attention: `(B, H, 1 + Lq, K · Lt + K · Nv)`, of the captions' tokens first.
        captions: `(B, K, D)` embeddings of the captions; None where none were read.
        images: `(B, K, D)` embeddings of the images; None where none were read.
        caption_length: Lt.
        temperature: of w.
        patch_attention: add up an image's tokens (official) or average them (the authors' demo).
        legacy_uniform_negative: weigh all items alike, as an earlier version did by a wrong axis.
        query_mask: `(B, Lq)` bool, which query tokens exist; None = all count.

    Returns:
        `(B, D)` unit vectors.
    """
    if query_mask is not None:
        attention = attention * F.pad(query_mask, (1, 0), value=True)[:, None, :, None]
    mass = attention.sum((1, 2))  # (B, M)
    n_caption_tokens = 0 if captions is None else captions.shape[1] * caption_length
    sides = []
    for embeddings, part in ((captions, mass[:, :n_caption_tokens]), (images, mass[:, n_caption_tokens:])):
        if embeddings is None:
            continue
        tokens = part.reshape(*embeddings.shape[:2], -1)
        mean = embeddings is images and patch_attention == "mean"
        totals = tokens.mean(2) if mean else tokens.sum(2)
        weights = (-totals / temperature).softmax(1)
        weights = torch.ones_like(weights) if legacy_uniform_negative else weights
        sides.append(torch.einsum("bk,bkd->bd", weights, embeddings))
    return F.normalize(torch.stack(sides).mean(0), dim=-1)
