"""The last queries of the stream with their candidates, for batches too small to have statistics."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Pairs(NamedTuple):
    """Queries and their nearest candidates.

    Args:
        queries: `(n, D)`.
        candidates: `(n, D)`.
        items: `(n,)` gallery indices of the candidates.
        entropy: `(n,)` of the refined predictions.
    """

    queries: Tensor
    candidates: Tensor
    items: Tensor
    entropy: Tensor

    def followed_by(self, other: Pairs) -> Pairs:
        """Join two, in time."""
        return Pairs(*(torch.cat(both) for both in zip(self, other, strict=True)))

    def detached(self) -> Pairs:
        """The same without graph."""
        return Pairs(*(column.detach() for column in self))


class Recent:
    """First in, first out.

    Args:
        window: pairs kept; 0 keeps none.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.pairs: Pairs | None = None
        self.unused = 0
        """Queries seen since the window was last due."""

    def due(self, n: int) -> int:
        """Count `n` new queries; all that are new once they are as many as the window holds, else 0."""
        self.unused += n
        if self.unused < self.window:
            return 0
        new, self.unused = self.unused, 0
        return new

    def keep(self, pairs: Pairs) -> None:
        """Replace what is kept by the last of `pairs`, which begin with it."""
        if self.window:
            self.pairs = Pairs(*(column[-self.window :].clone() for column in pairs))

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on."""
        return {"unused": self.unused, "pairs": None if self.pairs is None else self.pairs._asdict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a `state_dict`."""
        self.unused = int(state["unused"])
        self.pairs = None if state["pairs"] is None else Pairs(**state["pairs"])
