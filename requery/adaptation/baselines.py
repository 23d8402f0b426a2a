"""Losses of the published test-time adaptation methods, on logits over the whole gallery.

They are those of the benchmark in TCR's official repository, which differ in places from the methods' own
papers (quantiles of the batch in place of fixed entropies). Where a selection is empty the benchmark's value
is NaN with a gradient of 0; here both are 0.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from requery.adaptation.objective import row_entropy


def _mean(values: Tensor) -> Tensor:
    """Mean that is 0, and still has a graph, for nothing."""
    return values.sum() / max(1, values.numel())


def smallest(values: Tensor, share: float) -> Tensor:
    """The k-th smallest of `(B,)` values, k = int(share · B) but at least 1."""
    return values.kthvalue(max(1, int(share * values.numel()))).values


def tent(logits: Tensor) -> Tensor:
    """Mean entropy (Wang et al., ICLR 2021).

    Args:
        logits: `(B, M)` similarities divided by the temperature.

    Returns:
        Scalar.

    >>> tent(torch.zeros(2, 4))
    tensor(1.3863)
    """
    return row_entropy(logits).mean()


def eata(
    logits: Tensor, average: Tensor | None, margin: float = 0.4, distance: float = 0.05
) -> tuple[Tensor, Tensor | None]:
    """Entropy of reliable, non-redundant predictions (Niu et al., ICML 2022), without its Fisher term.

    Kept are the `margin · B` lowest entropies, and of them those whose prediction has a cosine below
    `distance` with the moving average; weights are exp(margin - H).

    Args:
        logits: `(B, M)`.
        average: `(M,)` moving average of predictions, None before the first batch.
        margin: both the share of the batch and, as in the benchmark, the constant in the weight.
        distance: largest absolute cosine that is not redundant.

    Returns:
        The loss and the next moving average, 0.9 old + 0.1 mean of the kept.
    """
    entropy = row_entropy(logits)
    kept = entropy.detach() <= smallest(entropy.detach(), margin)
    p = logits.detach().softmax(1)
    if average is None:
        average = p[kept].mean(0)
    else:
        kept = kept & (F.cosine_similarity(average[None], p, dim=1).abs() < distance)
        if bool(kept.any()):
            average = 0.9 * average + 0.1 * p[kept].mean(0)
    reliable = entropy[kept]
    return _mean(reliable * torch.exp(margin - reliable.detach())), average


def sar_first(entropy: Tensor, margin: float = 0.4) -> tuple[Tensor, Tensor, Tensor]:
    """First pass of SAR (Niu et al., ICLR 2023): mean of the `margin · B` lowest entropies.

    Args:
        entropy: `(B,)`.
        margin: share of the batch.

    Returns:
        The loss; the `(B,)` rows kept; their largest entropy, for the second pass.
    """
    threshold = smallest(entropy.detach(), margin)
    kept = entropy.detach() <= threshold
    return entropy[kept].mean(), kept, threshold


def sar_second(entropy: Tensor, kept: Tensor, threshold: Tensor) -> Tensor:
    """Second pass of SAR: mean over the rows kept that are now below the threshold."""
    return _mean(entropy[kept & (entropy.detach() < threshold)])


def read(logits: Tensor) -> Tensor:
    """Confident predictions that are balanced over the gallery (READ, Yang et al., ICLR 2024).

    Mean of -p_max ln p_max, minus the entropy of the softmax of the summed predictions (a softmax of
    probabilities, as in the benchmark).

    Args:
        logits: `(B, M)`.

    Returns:
        Scalar.
    """
    p = logits.softmax(1)
    best = p.max(1).values
    return -(best * best.log()).mean() - row_entropy(p.sum(0, keepdim=True)).squeeze(0)


def shot(logits: Tensor, confidence: float = 0.9, weight: float = 0.1) -> Tensor:
    """Information maximisation with pseudo-labels (SHOT, Liang et al., ICML 2020).

    Args:
        logits: `(B, M)`.
        confidence: least probability of a row whose best item is taken for its label.
        weight: of the pseudo-labels' cross-entropy; 0 = SHOT-IM.

    Returns:
        Scalar.
    """
    p = logits.softmax(1)
    mean = p.mean(0)
    loss = row_entropy(logits).mean() + (mean * (mean + 1e-5).log()).sum()
    if weight == 0:
        return loss
    best, label = p.detach().max(1)
    return loss + weight * _mean(F.cross_entropy(logits, label, reduction="none")[best > confidence])


def deyo(
    logits: Tensor,
    shuffled: Tensor | None,
    *,
    share: float = 0.5,
    margin: float = 0.4,
    least_drop: float = 0.0,
) -> Tensor:
    """Entropy of predictions that depend on shape (DeYO, Lee et al., ICLR 2024).

    Kept are entropies below the `share · B`-th smallest whose probability falls by more than `least_drop`
    when the image's patches are shuffled; weights grow with confidence and with that fall.

    Args:
        logits: `(B, M)`.
        shuffled: `(B, M)` of the shuffled images; None where there is nothing to shuffle (texts): the fall
            is then 0 and filters nothing.
        share: of the batch, by entropy.
        margin: share of the kept whose largest entropy is the weights' reference.
        least_drop: of the probability.

    Returns:
        Scalar.
    """
    entropy = row_entropy(logits)
    value = entropy.detach()
    drop = torch.zeros_like(value)
    kept = value < smallest(value, share)
    if shuffled is not None:
        p, label = logits.detach().softmax(1).max(1)
        drop = p - shuffled.detach().softmax(1).gather(1, label[:, None]).squeeze(1)
        kept = kept & (drop > least_drop)
    low = value[kept]
    k = int(margin * low.numel())
    reference = low.kthvalue(k).values if k else low.new_tensor(torch.inf)
    weight = 1 / ((low - reference).exp() + 0.1) + 1 / (-drop[kept]).exp() + 0.1
    return _mean(weight * entropy[kept])
