"""Gradient decoupling: adapt without undoing what the source model knows.

These designs are ours. REST's abstract names gradient decoupling, but its formula is not public, so none of
them is REST's module. With g the gradient of the adaptation loss and k that of a knowledge loss (the
divergence of the refined predictions from the source model's on the same batch; 0 at the source weights):

- `prograd` (design A): per parameter tensor, g minus its part along k where the two conflict; the rule of
  ProGrad (Zhu et al., ICCV 2023).
- `pcgrad` (B): the same on all parameters as one vector; the rule of PCGrad (Yu et al., NeurIPS 2020).
- `orthogonal` (C): g minus its part along k always; `strength` below 1 keeps some of it.
- `subspace` (D): g minus its part in the span of the main gradient directions of source-like pairs.
- `l2_anchor`: g plus a pull back to the source weights; the simplest, and the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from requery.adaptation.sam import Gradients

DecouplingName = Literal["none", "prograd", "pcgrad", "orthogonal", "subspace", "l2_anchor"]


def prograd(gradient: Gradients, knowledge: Gradients, strength: float = 1.0) -> Gradients:
    """Drop from each tensor what points against its knowledge gradient (design A).

    Args:
        gradient: g, one tensor a parameter, None where it is not reached.
        knowledge: k, aligned.
        strength: share of the conflicting part that is dropped.

    Returns:
        The decoupled gradients; their product with k is at least 0, tensor by tensor, at strength 1.
    """
    return [
        g if g is None or k is None else g - strength * _along(g, k, only_conflict=True)
        for g, k in zip(gradient, knowledge, strict=True)
    ]


def pcgrad(gradient: Gradients, knowledge: Gradients, strength: float = 1.0) -> Gradients:
    """Drop what points against the knowledge gradient, all parameters as one vector (design B)."""
    return _whole(gradient, knowledge, strength, only_conflict=True)


def orthogonal(gradient: Gradients, knowledge: Gradients, strength: float = 1.0) -> Gradients:
    """Drop what points along the knowledge gradient, with it or against it (design C).

    At strength 1 the step does not change the knowledge loss to first order; at 0 nothing is dropped.
    """
    return _whole(gradient, knowledge, strength, only_conflict=False)


def main_directions(rows: Tensor, rank: int) -> Tensor:
    """Span of the gradients of source-like pairs: the first right singular vectors.

    Args:
        rows: `(n, P)` flattened gradients.
        rank: directions at most.

    Returns:
        `(r, P)` orthonormal, r at most `rank` and the rows' numerical rank.
    """
    values: Tensor
    directions: Tensor
    _, values, directions = torch.linalg.svd(rows, full_matrices=False)
    tolerance = values.max() * max(rows.shape) * torch.finfo(rows.dtype).eps
    return directions[:rank][values[:rank] > tolerance]


def subspace(gradient: Gradients, basis: Tensor, strength: float = 1.0) -> Gradients:
    """Drop the part in the span of `basis`, `(r, P)` orthonormal (design D)."""
    flat = flatten(gradient)
    return _unflatten(flat - strength * basis.T @ (basis @ flat), gradient)


def l2_anchor(
    gradient: Gradients, parameters: Sequence[Tensor], source: Sequence[Tensor], strength: float = 1.0
) -> Gradients:
    """Add the gradient of strength/2 · ‖theta - theta_source‖²."""
    return [
        g if g is None else g + strength * (p.detach() - s)
        for g, p, s in zip(gradient, parameters, source, strict=True)
    ]


def flatten(gradient: Gradients) -> Tensor:
    """One vector of all gradients that are there."""
    return torch.cat([g.flatten() for g in gradient if g is not None])


def _unflatten(flat: Tensor, like: Gradients) -> Gradients:
    parts = iter(torch.split(flat, [g.numel() for g in like if g is not None]))
    return [g if g is None else next(parts).view_as(g) for g in like]


def _whole(gradient: Gradients, knowledge: Gradients, strength: float, *, only_conflict: bool) -> Gradients:
    aligned: Gradients = [
        g if g is None else (torch.zeros_like(g) if k is None else k)
        for g, k in zip(gradient, knowledge, strict=True)
    ]
    flat = flatten(gradient)
    return _unflatten(flat - strength * _along(flat, flatten(aligned), only_conflict=only_conflict), gradient)


def _along(g: Tensor, k: Tensor, *, only_conflict: bool) -> Tensor:
    """Part of g along k; 0 where k is 0, and, on request, where the two do not conflict."""
    product, square = (g * k).sum(), (k * k).sum()
    share = product / square.clamp(min=torch.finfo(k.dtype).tiny)
    return (share.clamp(max=0) if only_conflict else share) * k
