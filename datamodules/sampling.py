"""Orders of training queries that depend on (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Iterator

from torch.utils.data import Sampler

from requery.rng import permutation


class EpochShuffle(Sampler[int]):
    """A permutation of `n` items, another in each epoch; Lightning calls `set_epoch`."""

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed, self.epoch = n, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order is next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[int]:
        return iter(permutation(self.seed, self.epoch, self.n).tolist())
