"""Sharpness-aware minimisation: the gradient at the worst point nearby (Foret et al., ICLR 2021)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Gradients = list[Tensor | None]


def sharpness_aware(
    parameters: Sequence[Tensor], first: Gradients, second: Callable[[], Gradients], rho: float = 0.05
) -> Gradients:
    """Climb to w + rho · g / ‖g‖, take the gradient there, and come back.

    Args:
        parameters: leaves; back at their exact values when this returns or raises.
        first: their gradients g; None where a parameter is not reached.
        second: computes the gradients at the parameters' present values.
        rho: length of the climb.

    Returns:
        The gradients at the climbed point.
    """
    reached = [(p, g) for p, g in zip(parameters, first, strict=True) if g is not None]
    kept = [p.detach().clone() for p, _ in reached]
    scale = rho / (torch.nn.utils.get_total_norm([g for _, g in reached]) + 1e-12)
    with torch.no_grad():
        for p, g in reached:
            p.add_(g * scale)
    try:
        return second()
    finally:
        with torch.no_grad():
            for (p, _), value in zip(reached, kept, strict=True):
                p.copy_(value)
