"""A stream of query batches to a stream of scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor, nn

from requery.adaptation.adapter import Adapter
from requery.adaptation.settings import Method


def adapt_stream(
    encoder: nn.Module, stream: Iterable[Tensor], gallery: Tensor, method: Method, *, seed: int = 0
) -> Iterator[Tensor]:
    """Adapt to each batch as it arrives, and score the gallery for it.

    The encoder is adapted in place and stays so: an `Adapter` can reset it, resume, and has more options.

    Args:
        encoder: maps a batch to `(B, D)`.
        stream: batches in the order of arrival.
        gallery: `(M, D)` or `(M, T, D)` embeddings, fixed.
        method: settings, such as `TCR()`.
        seed: for what is random.

    Yields:
        `(B, M)` cosine similarities, whatever the temperature of the method's loss (HAT-VTR: corrected for
        hubs).

    >>> import torch
    >>> from requery.adaptation import TCR, adapt_stream
    >>> _ = torch.manual_seed(0)
    >>> encoder = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8))
    >>> stream = torch.randn(2, 16, 8)
    >>> [tuple(scores.shape) for scores in adapt_stream(encoder, stream, torch.randn(50, 8), TCR())]
    [(16, 50), (16, 50)]
    """
    adapter = Adapter(encoder, gallery, method, seed=seed)
    for batch in stream:
        yield adapter.scores(adapter.step(batch))
