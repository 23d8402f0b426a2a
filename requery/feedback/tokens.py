"""Tokens of queries and items: fetched by number, and the one embedding of an item that has several."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Tokens = Callable[[Tensor], tuple[Tensor, Tensor | None]]
"""Numbers of some queries or items, `(n,)`, to their tokens, `(n, L, W)`, and which of them are no padding,
`(n, L)` bool, or None where all are equally long."""


def fetch_tokens(
    fetch: Tokens | None, numbers: Tensor, like: Tensor
) -> tuple[Tensor, Tensor | None] | tuple[None, None]:
    """Fetch each number once.

    Args:
        fetch: None = there is nothing to read.
        numbers: `(b, …)` int64.
        like: of the dtype and on the device wanted.

    Returns:
        `(b, …, L, W)` and its mask `(b, …, L)`.
    """
    if fetch is None:
        return None, None
    distinct, places = torch.unique(numbers.cpu(), return_inverse=True)
    tokens, mask = fetch(distinct)
    gathered = tokens[places.to(tokens.device)].to(like)
    return gathered, None if mask is None else mask[places.to(mask.device)].to(like.device)


def closest_token(items: Tensor, query: Tensor) -> Tensor:
    """The embedding of each item that is nearest to the query, the first of equals.

    Args:
        items: `(B, T, D)`, one item a query, or `(B, K, T, D)`; unit embeddings.
        query: `(B, D)`.

    Returns:
        `(B, D)` or `(B, K, D)`.

    >>> closest_token(torch.tensor([[[0.6, 0.8], [1.0, 0.0]]]), torch.tensor([[1.0, 0.0]]))
    tensor([[1., 0.]])
    """
    best = torch.einsum("b...td,bd->b...t", items, query).argmax(-1)
    at = best[..., None, None].expand(*best.shape, 1, items.shape[-1])
    return items.gather(-2, at).squeeze(-2)
