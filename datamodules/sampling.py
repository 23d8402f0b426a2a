"""In which batches items are read: a function of (seed, epoch), split between processes and resumable."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler

from requery import distributed
from requery.ranking.tiles import QUERY_BLOCK
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


class TrainingBatches(Sampler[list[int]]):
    """Batches of a shuffled epoch; several processes share each batch, so that a step is the same step.

    A process's part may be empty where a batch has fewer items than there are processes.

    Args:
        sampler: the order of the items.
        batch_size: items per batch, all processes' together.
        drop_last: leave out a last batch that is smaller.
    """

    def __init__(self, sampler: EpochShuffle, batch_size: int, drop_last: bool = False) -> None:
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last
        self.read = 0  # batches of the epoch that have been handed out
        self.skip = 0  # batches the next epoch's iteration leaves out: a resumed run has seen them

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(self.sampler)
        self.read, self.skip = self.skip, 0
        for start in range(self.read * self.batch_size, len(self) * self.batch_size, self.batch_size):
            batch = order[start : start + self.batch_size]
            self.read += 1
            yield [batch[place] for place in distributed.share(len(batch))]


class QueryBlocks(Sampler[list[int]]):
    """The fixed blocks of queries in which everything is ranked, each whole on one process.

    Every process gets equally many batches, as collective operations need; the last may be empty.

    Args:
        n: queries, or other things that are tested.
        size: of a block.
    """

    def __init__(self, n: int, size: int = QUERY_BLOCK) -> None:
        self.n, self.size = n, size

    def __len__(self) -> int:
        return -(-self._blocks // distributed.world_size())

    def __iter__(self) -> Iterator[list[int]]:
        own = distributed.share(self._blocks)
        for number in range(len(self)):
            start = own[number] * self.size if number < len(own) else self.n
            yield list(range(start, min(start + self.size, self.n)))

    @property
    def _blocks(self) -> int:
        return -(-self.n // self.size)


class IndexLoader:
    """Batches of numbers, `(batch,)` int64; its state says how many batches of the epoch were read.

    No torch DataLoader: there is nothing to load, and Lightning would replace its batches when it predicts.

    Args:
        batches: which numbers; Lightning tells its `sampler`, if it has one, the epoch.
    """

    def __init__(self, batches: TrainingBatches | QueryBlocks) -> None:
        self.batches = batches
        if isinstance(batches, TrainingBatches):
            self.sampler = batches.sampler  # only there: Lightning takes a sampler for a shuffled order

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Tensor]:
        return (torch.tensor(batch, dtype=torch.int64) for batch in self.batches)

    def state_dict(self) -> dict[str, int]:
        """Batches of the epoch that were handed out."""
        return {"read": getattr(self.batches, "read", 0)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Leave out, in the next iteration, the batches that were read."""
        if isinstance(self.batches, TrainingBatches):
            self.batches.skip = state["read"]
