"""What an embedding must be before it is ranked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from requery.errors import DataError, EmbeddingError, first


def check_shapes(queries: Tensor, gallery: Tensor) -> None:
    """Check that queries `(Q, D)` and a gallery `(N, T, D)` or `(N, D)` go together.

    Raises:
        DataError: the gallery is empty.
        EmbeddingError: the shapes do not fit.
    """
    if gallery.shape[:1] == (0,):
        raise DataError("the gallery is empty: there is nothing to rank")
    shapes = f"queries {tuple(queries.shape)}, gallery {tuple(gallery.shape)}"
    if queries.ndim != 2 or gallery.ndim not in (2, 3) or 0 in gallery.shape:
        raise EmbeddingError(f"embeddings must be (Q, D) and (N, D) or (N, T, D): {shapes}")
    if queries.shape[1] != gallery.shape[-1]:
        raise EmbeddingError(f"embeddings differ in their last size: {shapes}; do they come from one model?")


def check_embeddings(embeddings: Tensor, side: str, ids: Sequence[str] | None = None) -> None:
    """Refuse embeddings without a direction: NaN, infinite or zero norm.

    With finite norms no score can overflow, by the Cauchy–Schwarz inequality.

    Args:
        embeddings: `(n, D)` or `(n, T, D)`.
        side: `query` or `gallery`, for the message.
        ids: names of the items; their positions are named where there are none.

    Raises:
        EmbeddingError: names the first ten offending items.
    """
    parts = torch.split(embeddings, 1024)  # half precision is widened in pieces
    norms = torch.cat([torch.linalg.vector_norm(part.float(), dim=-1) for part in parts])
    bad = ~(norms.isfinite() & (norms > 0))
    if bad.ndim == 2:
        bad = bad.any(1)
    if bool(bad.any()):
        at = bad.nonzero().flatten().tolist()
        named = first(at if ids is None else (ids[i] for i in at))
        raise EmbeddingError(
            f"{len(at)} {side} embeddings have NaN, infinite or zero norm: {named}; "
            "check the model's weights and precision, and these items"
        )
