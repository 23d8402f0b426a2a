"""The fixed gallery as adaptation sees it: differentiable scores and the nearest candidate, in pieces."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from requery.ranking.embeddings import check_embeddings, check_shapes

PIECE = 1 << 24
"""Scores held at one time while candidates are looked for: 64 MiB in float32."""

_UNIT = 2e-3


class Gallery:
    """Unit embeddings of the whole gallery; an item with several is scored by its best.

    They are used where they lie, in their dtype: a copy is made only of an inference tensor, which autograd
    refuses, and of embeddings that are not unit vectors.

    Args:
        embeddings: `(M, D)` or `(M, T, D)`, T embeddings an item.

    Raises:
        DataError: the gallery is empty.
        EmbeddingError: an embedding has no direction.
    """

    def __init__(self, embeddings: Tensor) -> None:
        check_shapes(embeddings.new_empty(0, embeddings.shape[-1]), embeddings)
        check_embeddings(embeddings, "gallery")
        embeddings = embeddings.detach()
        if embeddings.is_inference():
            embeddings = embeddings.clone()
        norms = torch.linalg.vector_norm(embeddings, dim=-1)
        if bool(((norms - 1).abs() > _UNIT).any()):
            embeddings = F.normalize(embeddings, dim=-1)
        self.tokens = embeddings if embeddings.ndim == 3 else embeddings[:, None]

    def __len__(self) -> int:
        return self.tokens.shape[0]

    def _pieces(self, n_queries: int) -> tuple[Tensor, ...]:
        return torch.split(self.tokens, max(1, PIECE // (n_queries * self.tokens.shape[1])))

    def scores(self, queries: Tensor) -> Tensor:
        """Cosine similarity to every item, with gradient to the queries: `(B, D)` to `(B, M)`."""
        parts = [_best(queries, piece)[0] for piece in self._pieces(len(queries))]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def among(self, queries: Tensor, items: Tensor) -> Tensor:
        """Cosine similarity to some items, with gradient to the queries: `(B, D)`, `(K,)` to `(B, K)`."""
        return _best(queries, self.tokens[items])[0]

    @torch.no_grad()
    def nearest(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Find the item of the highest score for each query, the first one of equals.

        Args:
            queries: `(B, D)`.

        Returns:
            `(B,)` item indices and the `(B, D)` embedding of each that made the score.
        """
        best = queries.new_full((len(queries),), -torch.inf)
        item = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
        token = torch.zeros_like(item)
        start = 0
        for piece in self._pieces(len(queries)):
            scores, tokens = _best(queries, piece)
            value, at = scores.max(1)
            better = value > best
            best = torch.where(better, value, best)
            item = torch.where(better, at + start, item)
            token = torch.where(better, tokens.gather(1, at[:, None]).squeeze(1), token)
            start += len(piece)
        return item, self.tokens[item, token].to(queries.dtype)

    def closest_token(self, queries: Tensor, items: Tensor) -> Tensor:
        """The embedding of item i that is nearest to query i: `(B, D)`, `(B,)` to `(B, D)`."""
        tokens = self.tokens[items].to(queries.dtype)  # (B, T, D)
        best = torch.einsum("bd,btd->bt", queries.detach(), tokens).argmax(1)
        return tokens[torch.arange(len(items), device=items.device), best]


def _best(queries: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Score `(B, D)` against `(m, T, D)`: the best of T and which it was, both `(B, m)`."""
    m, n_tokens, dim = tokens.shape
    flat = queries @ tokens.reshape(m * n_tokens, dim).to(queries.dtype).T
    if n_tokens == 1:
        return flat, torch.zeros((), dtype=torch.int64, device=flat.device).expand_as(flat)
    best = flat.view(len(queries), m, n_tokens).max(-1)  # keeps indices for the gradient, not all T scores
    return best.values, best.indices
