"""Projections of stored features into one space: LayerNorm and a linear map for each medium."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from requery.backbones.paired import Paired
from requery.backbones.source import read_json
from requery.errors import ConfigError
from requery.files import atomic_bytes

STORED_TYPE = "requery-stored"


class Head(nn.Module):
    """LayerNorm and a linear map of each token, then the mean over tokens: `(B, L, width)` to `(B, dim)`.

    Args:
        width: of the stored features.
        dim: of the shared space.
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.norm, self.projection = nn.LayerNorm(width), nn.Linear(width, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Project `(B, L, width)`."""
        out: Tensor = self.projection(self.norm(tokens)).mean(1)
        return out


@dataclass(frozen=True)
class AsStored:
    """Stored features as they are, as tensors."""

    key: str = "stored@1"

    def __call__(self, item: Any) -> Tensor:
        """`(L, W)` float32.

        Raises:
            ConfigError: the item is a sound or a video, not features of it.
        """
        features: NDArray[np.float32] = item
        if not isinstance(item, np.ndarray) or item.dtype != np.float32 or item.ndim != 2:
            raise ConfigError(
                f"a backbone of model_type {STORED_TYPE} reads stored features: set data's clips: features, "
                "or choose a backbone that reads sounds and videos"
            )
        return torch.from_numpy(features.copy())

    def batch(self, items: Sequence[Any]) -> Tensor:
        """`(B, L, W)`."""
        return torch.stack([self(item) for item in items])


class Stored(Paired):
    """A trained projection of each medium's stored features.

    Args:
        widths: width of the features by medium.
        dim: width of the shared space.
        temperature: initial temperature.
    """

    def __init__(self, widths: Mapping[str, int], dim: int, temperature: float = 0.07) -> None:
        heads = nn.ModuleDict({medium: Head(width, dim) for medium, width in sorted(widths.items())})
        super().__init__(heads, AsStored(), temperature)
        self.config = {"model_type": STORED_TYPE, "widths": dict(sorted(widths.items())), "dim": dim}

    @classmethod
    def load(cls, folder: Path) -> Stored:
        """Read a checkpoint written by `save`."""
        from safetensors.torch import load_file

        config = read_json(folder / "config.json")
        model = cls(config["widths"], config["dim"])
        model.load_state_dict(load_file(folder / "model.safetensors"))
        return model

    def save(self, folder: str) -> None:
        """Write settings and weights, half precision."""
        from safetensors.torch import save

        weights = {name: value.detach().cpu().half() for name, value in self.state_dict().items()}
        atomic_bytes(Path(folder) / "model.safetensors", save(weights))
        atomic_bytes(Path(folder) / "config.json", (json.dumps(self.config, indent=1) + "\n").encode())
