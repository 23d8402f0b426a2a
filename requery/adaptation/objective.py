"""The query-shift objective: uniformity, query–gallery gap, noise-robust consistency.

TCR (Li et al., ICLR 2025) gives the three losses and REST (arXiv 2511.14416) keeps them; all have weight 1.
The formulas are those of TCR's official code, where the text and the code differ.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_EPS = 1e-3


def row_entropy(logits: Tensor) -> Tensor:
    """Entropy of each row's softmax, in nats.

    Args:
        logits: `(B, K)` similarities divided by a temperature.

    Returns:
        `(B,)`, from 0 to ln K.

    >>> row_entropy(torch.zeros(2, 4))
    tensor([1.3863, 1.3863])
    """
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


def query_uniformity(queries: Tensor, t: float = 0.1, centre: Tensor | None = None) -> Tensor:
    """Spread the queries away from their centre: mean of exp(-t ‖q_i - z_Q‖) (L_MU; REST's Eq. 9).

    The paper writes exp(-‖·‖/t); its code multiplies by t = 0.1, which is the paper's t = 10. The centre
    carries a gradient and is not normalised.

    Args:
        queries: `(B, D)` unit embeddings.
        t: scale of the distances.
        centre: `(D,)` in place of the batch's mean, which is the query itself in a batch of one.

    Returns:
        Scalar, from exp(-2 t) to 1.

    >>> query_uniformity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    tensor(0.9048)
    """
    centre = queries.mean(0) if centre is None else centre
    return torch.exp(-t * torch.linalg.vector_norm(queries - centre, dim=1)).mean()


def modality_gap(queries: Tensor, candidates: Tensor) -> Tensor:
    """Distance between the means of the normalised queries and of their nearest candidates (Delta).

    Args:
        queries: `(B, D)`.
        candidates: `(B, D)`, the nearest gallery embedding of each query, with repetition.

    Returns:
        Scalar, from 0 to 2; the means themselves are not normalised.

    >>> modality_gap(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]]))
    tensor(1.4142)
    """
    shift = F.normalize(queries).mean(0) - F.normalize(candidates).mean(0)
    gap: Tensor = torch.linalg.vector_norm(shift)
    return gap


def noise_robust_entropy(logits: Tensor, threshold: Tensor | float) -> Tensor:
    """Sharpen the confident predictions only: mean of w_i H_i over the rows with H_i <= E_m (L_NA, "REM").

    w_i = max(0, 1 - H_i / (E_m + 1e-3)) carries no gradient; the mean is over the rows kept. Where no row is
    kept the official code's value is NaN with a gradient of exactly 0; here both are 0.

    Args:
        logits: `(B, K)` similarities to the candidates, divided by the temperature.
        threshold: E_m, in nats.

    Returns:
        Scalar.

    >>> noise_robust_entropy(torch.tensor([[0.0, 0.0], [9.0, 0.0]]), 1.0)
    tensor(0.1072)
    >>> noise_robust_entropy(torch.zeros(1, 4), 1.0)
    tensor(0.)
    """
    entropy = row_entropy(logits)
    value = entropy.detach()
    weight = (1 - value / (threshold + _EPS)).clamp(min=0) * (value <= threshold)
    return (weight * entropy).sum() / (value <= threshold).sum().clamp(min=1)


def gap_weighted_entropy(entropy: Tensor, gap: Tensor, source_gap: Tensor) -> Tensor:
    """Entropy of all rows, held back while the batch's gap exceeds the source's (UCA's REM).

    Args:
        entropy: `(B,)`.
        gap: scalar, Delta_T; used without gradient.
        source_gap: scalar, Delta_S.

    Returns:
        Scalar, mean H times min(1, Delta_S / (Delta_T + 1e-3)).
    """
    return entropy.mean() * (source_gap / (gap.detach() + _EPS)).clamp(max=1)


def confidence_margins(similarities: Tensor) -> Tensor:
    """Best minus second-best similarity of each row, `(B, K)` to `(B,)`; 0 where there is one candidate."""
    if similarities.shape[1] < 2:
        return similarities.new_zeros(similarities.shape[0])
    best = similarities.topk(2, dim=1).values
    return best[:, 0] - best[:, 1]


def confidence_drift(margins: Tensor, source: Tensor, tolerance: float) -> Tensor:
    """Hold the mean margin near the source's: relu(|mean - source| - tolerance · std / sqrt(B)) (UCA).

    Args:
        margins: `(B,)` of the batch.
        source: scalar, mean margin of the source-like pairs.
        tolerance: standard errors within which nothing is lost.

    Returns:
        Scalar; 0 for fewer than two rows, whose deviation is undefined.
    """
    if margins.shape[0] < 2:
        return margins.sum() * 0
    tolerated = margins.std() * (tolerance / len(margins) ** 0.5)
    drift: Tensor = (margins.mean() - source).abs() - tolerated
    return drift.clamp(min=0)
