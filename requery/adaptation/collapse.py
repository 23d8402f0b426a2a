"""Signs that adaptation has destroyed the encoder: all queries alike, or one answer to all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from requery.errors import ConfigError


@dataclass(frozen=True)
class Collapse:
    """When to call it a collapse, and whether to start anew (ours).

    Args:
        variance: share of the first window's feature variance below which the queries are alike.
        share: of a window's queries that may have the same nearest item; and always twice as many as in the
            first window, since the source model has hubs of its own.
        window: latest queries that are looked at; the first so many are the reference.
        reset: go back to the source weights on a collapse.

    Raises:
        ConfigError: a value is out of range.
    """

    variance: float = 0.1
    share: float = 0.5
    window: int = 64
    reset: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.variance <= 1 and 0 < self.share <= 1 and self.window >= 2):
            raise ConfigError(f"{self}: variance and share must lie in [0, 1], window be at least 2")


class CollapseMonitor:
    """Watch the queries that leave the encoder.

    Args:
        settings: limits.
    """

    def __init__(self, settings: Collapse) -> None:
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget the queries; the next window is the reference."""
        self.queries: Tensor | None = None
        self.predicted: Tensor | None = None
        self.reference: tuple[float, int] | None = None
        """Variance and size of the largest hub in the first window."""

    def reason(self, queries: Tensor, predicted: Tensor | None) -> str | None:
        """Look at one more batch.

        Args:
            queries: `(B, D)` as ranked.
            predicted: `(B,)` nearest items, where the method knows them.

        Returns:
            What is wrong, or None.
        """
        if not bool(queries.isfinite().all()):
            return "embeddings are not finite"
        self.queries = self._latest(self.queries, queries)
        if predicted is not None:
            self.predicted = self._latest(self.predicted, predicted)
        if len(self.queries) < self.settings.window:
            return None
        variance, most = float(self.queries.var(0).sum()), 0
        if self.predicted is not None:
            most = int(torch.unique(self.predicted, return_counts=True)[1].max())
        if self.reference is None:
            self.reference = variance, most
        first_variance, first_most = self.reference
        if variance < self.settings.variance * first_variance:
            return f"the queries' variance is {variance / first_variance:.2%} of the first window's"
        if most > max(self.settings.share * self.settings.window, 2 * first_most):
            return f"{most} of {self.settings.window} queries have the same nearest item"
        return None

    def _latest(self, old: Tensor | None, new: Tensor) -> Tensor:
        return (new if old is None else torch.cat([old, new]))[-self.settings.window :]

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on."""
        return {"queries": self.queries, "predicted": self.predicted, "reference": self.reference}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a `state_dict`."""
        self.queries, self.predicted = state["queries"], state["predicted"]
        self.reference = None if state["reference"] is None else tuple(state["reference"])
