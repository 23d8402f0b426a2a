"""What every benchmark's DataModule shares: tasks by split, and loaders of query indices."""

from __future__ import annotations

from abc import ABC, abstractmethod

import lightning as L

from datamodules.sampling import EpochShuffle, IndexLoader, QueryBlocks, TrainingBatches
from datamodules.sources import Sources
from requery.errors import ConfigError
from requery.expansion.trace import VisualQuestion
from requery.ranking.preference import Preferences
from requery.ranking.pseudo_relevance import Match
from requery.task import RetrievalTask


class RetrievalDataModule(L.LightningDataModule, ABC):
    """Serves one benchmark as `RetrievalTask`s.

    Loaders yield query indices, `(batch,)` int64: images are looked up in the feature cache and texts
    are tokenised in bulk, so there is nothing else to load. Test batches are the fixed blocks of
    queries in which everything is encoded and ranked.

    Args:
        batch_size: training queries per step, all processes' together.
        seed: seed of the training order.
        num_workers: worker processes that decode images while the cache is filled.
    """

    disjoint: str | None = None
    """Why no two splits share anything, where that is so by construction."""
    match: Match = "substring"
    """Where in a passage an answer to one of `questions` may stand."""

    def __init__(self, batch_size: int = 64, seed: int = 0, num_workers: int = 0) -> None:
        super().__init__()
        if batch_size < 1:
            raise ConfigError(f"data.batch_size is {batch_size}; it must be at least 1")
        self.batch_size, self.seed, self.num_workers = batch_size, seed, num_workers
        self._tasks: dict[str, RetrievalTask] = {}

    @abstractmethod
    def build_task(self, split: str) -> RetrievalTask:
        """Read or generate one split (`train`, `val` or `test`)."""

    def sources(self, split: str) -> Sources | None:
        """What the split's files say, problems included, to be checked before anything is built from it.

        Returns:
            None where no file is read.

        Raises:
            DataError: the files cannot be found.
        """
        return None

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

    def questions(self, split: str) -> list[VisualQuestion]:
        """The split's queries as questions about images, in the task's order, for query expansion.

        Raises:
            ConfigError: the benchmark has no questions.
        """
        raise ConfigError(f"{type(self).__name__} asks no questions whose answers stand in a corpus")

    def answers(self, split: str) -> list[tuple[str, ...]]:
        """What counts as an answer to each of the split's questions, the surest first.

        Raises:
            ConfigError: the benchmark has no questions.
        """
        raise ConfigError(f"{type(self).__name__} asks no questions whose answers stand in a corpus")

    def preferences(self, split: str) -> Preferences:
        """Which of two lists of gallery items was preferred for each of the split's queries.

        Raises:
            ConfigError: the benchmark has no such judgements.
        """
        raise ConfigError(f"{type(self).__name__} has no lists that people judged")

    def train_dataloader(self) -> IndexLoader:
        return training_loader(self.task("train").n_queries, self.batch_size, self.seed)

    def val_dataloader(self) -> IndexLoader:
        return block_loader(self.task("val").n_queries)

    def test_dataloader(self) -> IndexLoader:
        return block_loader(self.task("test").n_queries)

    def predict_dataloader(self) -> IndexLoader:
        return self.test_dataloader()


def training_loader(n: int, batch_size: int, seed: int, drop_last: bool = False) -> IndexLoader:
    """Shuffled batches of the numbers `0 … n-1`."""
    return IndexLoader(TrainingBatches(EpochShuffle(n, seed), batch_size, drop_last))


def block_loader(n: int) -> IndexLoader:
    """The numbers `0 … n-1` in the fixed blocks of a test."""
    return IndexLoader(QueryBlocks(n))
