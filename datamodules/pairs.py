"""Image–text pairs of any benchmark that has captions, for pre-training."""

from __future__ import annotations

from datamodules.base import RetrievalDataModule, training_loader
from datamodules.sampling import IndexLoader
from datamodules.sources import Sources
from requery.task import RetrievalTask


class PairsDataModule(RetrievalDataModule):
    """Serves the images of another DataModule with their captions; batches are numbers of pairs.

    Args:
        source: a DataModule with `pairs(split)`: ShapesDataModule, KarpathyDataModule.
        batch_size: pairs per step; the last, smaller batch of an epoch is left out.
        seed: seed of the order.
    """

    def __init__(self, source: RetrievalDataModule, batch_size: int = 256, seed: int = 0) -> None:
        super().__init__(batch_size=batch_size, seed=seed)
        self.source = source

    def build_task(self, split: str) -> RetrievalTask:
        """The source's task."""
        return self.source.task(split)

    def sources(self, split: str) -> Sources | None:
        """What the source's files say."""
        return self.source.sources(split)

    def pairs(self, split: str) -> list[tuple[int, tuple[str, ...]]]:
        """Position of each image in `task(split).images`, with its captions."""
        return self.source.pairs(split)

    def train_dataloader(self) -> IndexLoader:
        return training_loader(len(self.pairs("train")), self.batch_size, self.seed, drop_last=True)
