"""Direct preference optimisation: the better of two answers made likelier than it was, against the worse."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid


def dpo(
    chosen: Tensor, rejected: Tensor, chosen_before: Tensor, rejected_before: Tensor, beta: float
) -> tuple[Tensor, Tensor]:
    """Loss and margin of each pair (Rafailov et al. 2023, equation 7).

    margin = beta · [(log p(chosen) - log p₀(chosen)) - (log p(rejected) - log p₀(rejected))]; the loss is
    -log sigmoid(margin).

    Args:
        chosen: `(B,)` log-probability of each better answer.
        rejected: `(B,)` of each worse one.
        chosen_before: `(B,)` of the better ones under the reference p₀.
        rejected_before: `(B,)` of the worse ones.
        beta: above 0; the larger, the nearer the model stays to the reference.

    Returns:
        Losses and margins, `(B,)` each; a margin above 0 has learnt its pair.

    >>> import torch
    >>> loss, margin = dpo(*torch.tensor([[-1.0], [-3.0], [-2.0], [-2.0]]), beta=0.5)
    >>> round(loss.item(), 4), margin.item()
    (0.3133, 1.0)
    """
    margin = beta * ((chosen - chosen_before) - (rejected - rejected_before))
    return -logsigmoid(margin), margin
