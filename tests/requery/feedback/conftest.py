"""Numbers of the official code, and a small gallery."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from requery.feedback import AttentiveFeedbackSummarizer
from requery.index import ExactIndex

FIXTURES = Path(__file__).parents[2] / "fixtures/feedback"


def unit(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, generator=generator, dtype=torch.float64), dim=-1).to(dtype)


@pytest.fixture(scope="session")
def official():
    """Reads an npz of the official code's numbers into tensors."""

    def load(name):
        return {key: torch.from_numpy(np.asarray(value)) for key, value in np.load(FIXTURES / name).items()}

    return load


@pytest.fixture
def summarizer(official):
    """The authors' class and weights, float64."""
    module = AttentiveFeedbackSummarizer(20, 28, 16, dim=24, heads=4, depth=2).double()
    module.load_state_dict(official("afs_weights.npz"))
    return module


@pytest.fixture(scope="session")
def world():
    """40 queries, each its target and more noise, among 60 items."""
    images, noise = unit(60, 16), unit(40, 16, seed=1)
    index = ExactIndex()
    index.add(images)
    return SimpleNamespace(
        images=images,
        queries=normalize(images[:40] + 1.5 * noise, dim=-1),
        captions=normalize(images + unit(60, 16, seed=2), dim=-1),
        target=torch.arange(40),
        index=index,
    )
