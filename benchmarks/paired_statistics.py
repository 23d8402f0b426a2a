"""The paired randomisation test and bootstrap, against their textbook forms."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.measure import Row, best_seconds
from requery.ranking.significance import paired_bootstrap, paired_randomisation

AT_ONCE = 500


def measure(quick: bool, turns: int) -> list[Row]:
    """10,000 draws over 5,000 queries."""
    draws, queries = (1_000, 50) if quick else (10_000, 5_000)
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(queries, generator=generator).double() for _ in range(2))
    size = f"{draws:,} draws × {queries:,} queries"
    contestants = {
        "randomisation": lambda: paired_randomisation(a, b, n=draws),
        "signs": lambda: textbook_randomisation(a - b, draws),
        "bootstrap": lambda: paired_bootstrap(a, b, n=draws),
        "resamples": lambda: textbook_bootstrap(a - b, draws),
    }
    best = best_seconds(turns, contestants)
    return [
        Row("paired randomisation test", size, best["randomisation"], "a sign for each", best["signs"]),
        Row("paired bootstrap", size, best["bootstrap"], "resamples gathered", best["resamples"]),
    ]


def textbook_randomisation(difference: Tensor, draws: int) -> float:
    """Flip the sign of each difference at random and sum."""
    generator = torch.Generator().manual_seed(0)
    extreme = 0
    for _ in range(0, draws, AT_ONCE):
        signs = 2.0 * torch.randint(2, (AT_ONCE, len(difference)), generator=generator) - 1.0
        extreme += int(((signs.double() @ difference).abs() >= difference.sum().abs()).sum())
    return (1 + extreme) / (1 + draws)


def textbook_bootstrap(difference: Tensor, draws: int) -> Tensor:
    """Draw queries with replacement and average, draw by draw."""
    generator = torch.Generator().manual_seed(0)
    shape = (AT_ONCE, len(difference))
    blocks = [torch.randint(len(difference), shape, generator=generator) for _ in range(0, draws, AT_ONCE)]
    means = torch.cat([difference[block].mean(1) for block in blocks])
    return torch.quantile(means, torch.tensor([0.025, 0.975], dtype=means.dtype))
