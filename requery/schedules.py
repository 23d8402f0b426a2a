"""When the learning rate changes and when hard negatives are defined anew."""

from __future__ import annotations

import math

from requery.errors import ConfigError


def cosine_per_epoch(epoch: int, epochs: int, lr: float, floor: float = 0.01) -> float:
    """Learning rate of an epoch, constant within it: half a cosine from `lr` towards `floor * lr`.

    The last epoch is `epochs - 1`, so that the floor itself is never reached (QuRe's official code).

    Args:
        epoch: 0-based.
        epochs: epochs of the whole run.
        lr: rate of epoch 0.
        floor: fraction of `lr` the curve ends at.
    """
    least = floor * lr
    return (lr - least) * 0.5 * (1.0 + math.cos(math.pi * epoch / epochs)) + least


def definition_period(epochs: int, n_def: int) -> int:
    """Epochs between two definitions of hard negatives: `epochs // n_def`, also the length of the warm-up.

    Raises:
        ConfigError: `n_def` is not within 1 … `epochs`.
    """
    if not 1 <= n_def <= epochs:
        raise ConfigError(f"n_def={n_def} must lie between 1 and the number of epochs, {epochs}")
    return epochs // n_def


def definition_epochs(epochs: int, n_def: int) -> list[int]:
    """Epochs (0-based) at whose start hard negatives are defined: multiples of the period, 0 left out.

    The paper counts the warm-up as the first of `n_def` definitions; where `n_def` does not divide `epochs`
    the remainder adds one more (QuRe, Kwak et al. 2025, Algorithm 1; the official code's rule).

    >>> definition_epochs(30, 6), definition_epochs(50, 6)
    ([5, 10, 15, 20, 25], [8, 16, 24, 32, 40, 48])
    """
    period = definition_period(epochs, n_def)
    return list(range(period, epochs, period))
