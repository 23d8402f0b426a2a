"""The Attentive Feedback Summarizer: local features of what was shown, read by the query, to one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from requery.feedback.pooler import AttentivePooler


class AttentiveFeedbackSummarizer(nn.Module):
    """AFS (Khaertdinov et al., arXiv 2511.17255): predicts the target image from query and feedback.

    Parameters have the names of the authors' checkpoints. Without captions and images it sees the query
    alone: the control that says what feedback adds.

    Args:
        text_dim: width of the text tokens, of queries and captions alike.
        vision_dim: width of the image tokens.
        output_dim: D, of the joint space.
        dim: E, width inside; 768 for CLIP, 256 for BLIP-2 and SigLIP.
        heads: 12 for CLIP, 16 for BLIP-2 and SigLIP.
        depth: blocks.
    """

    def __init__(
        self,
        text_dim: int,
        vision_dim: int,
        output_dim: int,
        dim: int = 768,
        heads: int = 12,
        depth: int = 2,
    ) -> None:
        super().__init__()
        self.text_projection = nn.Linear(text_dim, dim)
        self.vision_projection = nn.Linear(vision_dim, dim)
        self.pooler = AttentivePooler(dim, heads, depth)
        self.projection = nn.Linear(dim, output_dim)

    def forward(
        self,
        query: Tensor,
        captions: Tensor | None = None,
        images: Tensor | None = None,
        *,
        query_mask: Tensor | None = None,
        caption_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Summarise the feedback on some queries.

        Masks are bool, True where a token may be read; None = everywhere, padding included (official). Each
        query must keep a token of its captions or images where it has any.

        Args:
            query: `(B, Lq, text_dim)` tokens of the first query.
            captions: `(B, K, Lt, text_dim)` tokens of the shown items' captions, or None.
            images: `(B, K, Nv, vision_dim)` tokens of the shown images, or None.
            query_mask: `(B, Lq)`.
            caption_mask: `(B, K, Lt)`.
            image_mask: `(B, K, Nv)`.

        Returns:
            `(B, D)`, not normalised; `(B, H, 1 + Lq, M)` attention to the tokens, of the captions first, M =
            K · Lt + K · Nv, or None where there are none.
        """
        parts = [(self.text_projection, captions, caption_mask), (self.vision_projection, images, image_mask)]
        read = [(project(part.flatten(1, 2)), mask) for project, part, mask in parts if part is not None]
        memory = torch.cat([tokens for tokens, _ in read], 1) if read else None
        memory_mask = None
        if any(mask is not None for _, mask in read):
            everywhere = [torch.ones_like(tokens[..., 0], dtype=torch.bool) for tokens, _ in read]
            masks = zip(read, everywhere, strict=True)
            memory_mask = torch.cat([a if m is None else m.flatten(1) for (_, m), a in masks], 1)
        pooled, attention = self.pooler(self.text_projection(query), memory, query_mask, memory_mask)
        return self.projection(pooled), attention
