"""What every benchmark's DataModule shares: tasks by split, and loaders of query indices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import lightning as L
import torch
from torch.utils.data import DataLoader

from datamodules.sampling import EpochShuffle
from requery.errors import ConfigError
from requery.ranking.tiles import QUERY_BLOCK
from requery.task import RetrievalTask


class RetrievalDataModule(L.LightningDataModule, ABC):
    """Serves one benchmark as `RetrievalTask`s.

    Loaders yield query indices, `(batch,)` int64: images are looked up in the feature cache and texts
    are tokenised in bulk, so there is nothing else to load. Test batches are the fixed blocks of
    queries in which everything is encoded and ranked.

    Args:
        batch_size: training queries per step.
        seed: seed of the training order.
        num_workers: worker processes that decode images while the cache is filled.
    """

    def __init__(self, batch_size: int = 64, seed: int = 0, num_workers: int = 0) -> None:
        super().__init__()
        if batch_size < 1:
            raise ConfigError(f"data.batch_size is {batch_size}; it must be at least 1")
        self.batch_size, self.seed, self.num_workers = batch_size, seed, num_workers
        self._tasks: dict[str, RetrievalTask] = {}

    @abstractmethod
    def build_task(self, split: str) -> RetrievalTask:
        """Read or generate one split (`train`, `val` or `test`)."""

    def task(self, split: str) -> RetrievalTask:
        """The split's task, built once."""
        if split not in self._tasks:
            self._tasks[split] = self.build_task(split)
        return self._tasks[split]

    @property
    def data_digests(self) -> dict[str, str]:
        """SHA-256 of each split used so far."""
        return {split: task.digest() for split, task in self._tasks.items()}

    def pairs(self, split: str) -> list[tuple[int, tuple[str, ...]]]:
        """Position in `task(split).images` and captions of each image, for pre-training.

        Raises:
            ConfigError: the benchmark has no captions.
        """
        raise ConfigError(f"{type(self).__name__} has no captions of the {split} split to pre-train on")

    def train_dataloader(self) -> DataLoader[int]:
        n = self.task("train").n_queries
        return index_loader(n, self.batch_size, EpochShuffle(n, self.seed))

    def val_dataloader(self) -> DataLoader[int]:
        return index_loader(self.task("val").n_queries, QUERY_BLOCK)

    def test_dataloader(self) -> DataLoader[int]:
        return index_loader(self.task("test").n_queries, QUERY_BLOCK)

    def predict_dataloader(self) -> DataLoader[int]:
        return self.test_dataloader()


def index_loader(
    n: int, batch_size: int, sampler: EpochShuffle | None = None, drop_last: bool = False
) -> DataLoader[int]:
    """Batches of the numbers `0 … n-1`, in order or as the sampler says."""
    numbers: Any = range(n)
    return DataLoader(
        numbers, batch_size=batch_size, sampler=sampler, collate_fn=torch.tensor, drop_last=drop_last
    )
