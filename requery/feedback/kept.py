"""Tokens of texts or images, made when first asked for and kept while there is room."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from requery.encode import encode_blocks

Make = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Numbers `(n,)` to tokens `(n, L, W)` and which of them are no padding, `(n, L)` bool."""

ROOM = 2**30


class KeptTokens:
    """A `requery.feedback.Tokens` that remembers, in half precision.

    What is new is made in full blocks of one shape, so that its bits depend neither on what is asked together
    with it nor on what was kept: a resumed training reads what the uninterrupted one read.

    Args:
        make: the model; all items have the same length.
        room: bytes kept at most; beyond, items are made anew each time.
    """

    def __init__(self, make: Make, room: int = ROOM) -> None:
        self._make, self._room = make, room
        self._kept: dict[int, Tensor] = {}

    def __call__(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Distinct items, `(n,)` int64, to `(n, L, W)` float16 and `(n, L)` bool, on the CPU."""
        wanted = numbers.tolist()
        new = [number for number in wanted if number not in self._kept]
        made = dict(zip(new, self._made(torch.tensor(new)), strict=True)) if new else {}
        rows = torch.stack([made[n] if n in made else self._kept[n] for n in wanted])
        left = self._room // rows[0].nbytes - len(self._kept)
        self._kept |= {number: made[number].clone() for number in new[: max(0, left)]}
        return rows[..., :-1], rows[..., -1] > 0

    def _made(self, numbers: Tensor) -> Tensor:
        def block(at: Tensor) -> Tensor:
            tokens, mask = self._make(numbers[at])
            return torch.cat([tokens, mask[..., None].to(tokens)], -1).half()

        return encode_blocks(block, len(numbers))
