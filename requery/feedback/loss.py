"""What a feedback summarizer is trained with."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from requery.errors import ConfigError


def feedback_cosine(output: Tensor, image: Tensor | None = None, captions: Tensor | None = None) -> Tensor:
    """Cosine distance to the target image and to its other captions, each with weight one half.

    0.5 · mean(1 - cos(o, image)) + 0.5 · mean(1 - ô · mean of the captions); the mean of unit vectors is not
    normalised again. The authors' final models are trained on the image alone, still with weight one half.

    Args:
        output: `(B, D)` of the summarizer, of any length.
        image: `(B, D)` target images; None = this term is off. Of several embeddings an image take
            `closest_token` to the query (official) or their mean.
        captions: `(B, C, D)` other captions of the targets; None = this term is off.

    Returns:
        Scalar.

    Raises:
        ConfigError: both terms are off.

    >>> import torch
    >>> feedback_cosine(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    tensor(0.5000)
    """
    if image is None and captions is None:
        raise ConfigError("feedback_cosine: both losses are off; give target images or captions")
    unit = F.normalize(output, dim=-1)
    loss = output.new_zeros(())
    if image is not None:
        loss = loss + 0.5 * (1 - (unit * F.normalize(image, dim=-1)).sum(-1)).mean()
    if captions is not None:
        loss = loss + 0.5 * (1 - (unit * F.normalize(captions, dim=-1).mean(1)).sum(-1)).mean()
    return loss
