"""Draw tokens by random numbers that belong to the row, not to the batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from requery.rng import draws

UNIT = 2.0**-53


class RowSampler:
    """A logits processor that chooses each row's next token; greedy decoding then takes what it chose.

    Row i's draw at a step is a pure function of (its seed, turn, step), so that a row is given the same
    tokens in any batch in which it has the same logits. Temperature and nucleus (Holtzman et al. 2020, §3.1)
    are applied as in transformers.

    Args:
        seeds: `B` non-negative integers below 2**64.
        temperature: above 0.
        top_p: in (0, 1].
        turn: number of the dialogue's turn.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, top_p: float, turn: int = 0) -> None:
        self.seeds = np.array(seeds, dtype=np.uint64)
        self.temperature, self.top_p, self.turn, self.step = temperature, top_p, turn, 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Logits `(B, V)` to logits that are 0 at the token chosen and -inf elsewhere."""
        bits = draws(0, self.seeds, self.turn, self.step) >> np.uint64(11)
        self.step += 1
        share = torch.from_numpy(bits.astype(np.float64) * UNIT).to(scores.device)  # (B,) in [0, 1)
        chosen = nucleus(scores, self.temperature, self.top_p, share)
        return torch.full_like(scores, -torch.inf).scatter(1, chosen[:, None], 0.0)


def nucleus(scores: Tensor, temperature: float, top_p: float, share: Tensor) -> Tensor:
    """Invert the distribution function of the nucleus at `share`.

    Args:
        scores: `(B, V)` logits.
        temperature: above 0.
        top_p: in (0, 1].
        share: `(B,)` float64 in [0, 1).

    Returns:
        `(B,)` tokens.
    """
    probabilities = torch.softmax(scores.double() / temperature, dim=1)
    ordered, tokens = probabilities.sort(dim=1, descending=True, stable=True)
    until = ordered.cumsum(dim=1)
    size = (until - ordered < top_p).sum(dim=1)  # (B,), at least 1
    mass = until.gather(1, size[:, None] - 1)  # (B, 1)
    place = torch.minimum((until <= share[:, None] * mass).sum(dim=1), size - 1)
    return tokens.gather(1, place[:, None])[:, 0]
