"""What goes into an encoder that is adapted, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def unit(embeddings: Tensor) -> Tensor:
    """Normalise, in float32 at least."""
    wide = embeddings.float() if embeddings.dtype in (torch.float16, torch.bfloat16) else embeddings
    return F.normalize(wide, dim=-1)


def usable(batch: Any) -> Any:
    """Copy inference tensors, which autograd refuses; leave the rest as it is."""
    match batch:
        case Tensor():
            return batch.clone() if batch.is_inference() else batch
        case Mapping():
            return {key: usable(value) for key, value in batch.items()}
        case list() | tuple():
            values = [usable(value) for value in batch]
            return type(batch)(*values) if hasattr(batch, "_fields") else type(batch)(values)
    return batch
