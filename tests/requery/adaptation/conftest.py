"""The toy encoder and stream of the parity fixtures."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

FIXTURES = Path(__file__).parents[2] / "fixtures/rest"


class Toy(nn.Module):
    """normalize(LN2(gelu(LN1(x W1ᵀ)) W2ᵀ) W3ᵀ)."""

    def __init__(self, w1, w2, w3):
        super().__init__()
        self.w1, self.w2, self.w3 = nn.Parameter(w1), nn.Parameter(w2), nn.Parameter(w3)
        self.ln1, self.ln2 = nn.LayerNorm(16), nn.LayerNorm(16)

    def forward(self, x):
        hidden = F.gelu(self.ln1(x @ self.w1.T))
        return F.normalize(self.ln2(hidden @ self.w2.T) @ self.w3.T, dim=1)


@pytest.fixture(scope="session")
def official():
    """Reads an npz of the official code's numbers into tensors."""

    def load(name):
        return {key: torch.from_numpy(np.asarray(value)) for key, value in np.load(FIXTURES / name).items()}

    return load


@pytest.fixture
def toy(official):
    """`encoder()` makes a fresh one; `gallery`, `batches` and `targets` go with it."""
    data = official("toy_stream_inputs.npz")

    def encoder():
        return Toy(*(data[name].clone() for name in ("W1", "W2", "W3")))

    return SimpleNamespace(encoder=encoder, gallery=data["gallery"], batches=data["x"], targets=data["gt"])
