"""Weighted means over an epoch that survive a restart in its middle."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class Means:
    """Add up named values with weights; the sums are kept in float64, on the values' device.

    Example:
        >>> means = Means()
        >>> means.add("loss", 1.0, weight=1)
        >>> means.add("loss", 4.0, weight=2)
        >>> means.values()
        {'loss': 3.0}
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._weights: dict[str, float] = {}
        self.names: set[str] = set()
        """Every name ever added."""

    def add(self, name: str, value: Tensor | float, weight: float = 1) -> None:
        """Add a value, `()`, that stands for `weight` items; one of no items is not added."""
        self.names.add(name)
        if weight == 0:
            return
        term = torch.as_tensor(value).detach().double() * weight
        self._sums[name] = self._sums[name] + term if name in self._sums else term
        self._weights[name] = self._weights.get(name, 0) + weight

    def values(self) -> dict[str, float]:
        """The means so far."""
        return {name: float(total) / self._weights[name] for name, total in self._sums.items()}

    def reset(self) -> None:
        """Begin anew."""
        self._sums, self._weights = {}, {}

    def state_dict(self) -> dict[str, list[float]]:
        """Sum and weight of each name."""
        return {name: [float(total), self._weights[name]] for name, total in self._sums.items()}

    def load_state_dict(self, state: Mapping[str, list[float]]) -> None:
        """Go on from what `state_dict` gave."""
        self._sums = {name: torch.tensor(total, dtype=torch.float64) for name, (total, _) in state.items()}
        self._weights = {name: weight for name, (_, weight) in state.items()}
        self.names |= set(state)
