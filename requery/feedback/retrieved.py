"""What a frozen backbone retrieves for the captions a summarizer is trained on: found once, then on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from requery import distributed
from requery.cache import tensor_digest
from requery.errors import ConfigError
from requery.files import atomic_bytes, sha256_bytes
from requery.index import ExactIndex
from requery.ranking.qrels import Qrels
from requery.ranking.tiles import QUERY_BLOCK

FORMAT = "requery-retrieved-1"
DEPTH = 10
"""Items stored a caption (official)."""


@dataclass(frozen=True)
class Retrieved:
    """One search for each caption of each image, over all images.

    Args:
        offsets: `(N + 1,)` int64; the captions of image i are rows `offsets[i]` to `offsets[i + 1]`.
        texts: `(M, D)` unit embeddings of the captions.
        images: `(N, T, D)` unit embeddings of the images.
        items: `(M, 10)` int64 first images of each ranking, fewer where there are no more.
        rank: `(M,)` int64 rank of each caption's own image, from 1.
    """

    offsets: Tensor
    texts: Tensor
    images: Tensor
    items: Tensor
    rank: Tensor

    @classmethod
    def make(cls, offsets: Tensor, texts: Tensor, images: Tensor) -> Self:
        """Search where the embeddings are; several processes share the captions."""
        index = ExactIndex()
        index.add(images)
        own = torch.repeat_interleave(torch.arange(len(offsets) - 1), offsets.diff())
        share = distributed.share(-(-len(texts) // QUERY_BLOCK))
        some = slice(share.start * QUERY_BLOCK, share.stop * QUERY_BLOCK)
        ranking = index.rank(texts[some], Qrels.from_targets(own[some]), top_k=min(DEPTH, len(images)))
        items, rank = distributed.gather(ranking.top_index), distributed.gather(ranking.target_rank)
        return cls(offsets, *(column.cpu() for column in (texts, images, items, rank)))

    @classmethod
    def kept(cls, folder: Path, content: Sequence[object], make: Callable[[], Retrieved]) -> Retrieved:
        """Read what was found before, or find it and keep it; every process calls it.

        Args:
            folder: where it is kept.
            content: all that determines it, such as digests of weights, images and texts.
            make: finds it.
        """
        path = folder / f"{sha256_bytes(json.dumps([FORMAT, *content]).encode())}.safetensors"
        found = _read(path)
        if distributed.any_of(found is None):
            found = make()
            if distributed.rank() == 0:
                columns = {name: column.contiguous() for name, column in vars(found).items()}
                digests = {name: tensor_digest(column) for name, column in columns.items()}
                atomic_bytes(path, save(columns, digests))
            distributed.barrier("the training retrieval")
        assert found is not None
        return found

    def choose(self, images: Tensor, draws: Tensor) -> Tensor:
        """The rows of some images' captions, `(B,)` each: caption `draws` modulo their number."""
        return self.offsets[images] + draws % self.offsets.diff()[images]

    def others(self, images: Tensor, rows: Tensor) -> Tensor:
        """Embeddings of the images' other captions, `(B, C, D)`; with fewer than the most, some twice.

        Raises:
            ConfigError: an image has no other caption.
        """
        n = self.offsets.diff()[images]
        if bool((n < 2).any()):
            raise ConfigError("an image has one caption: train without the captions' loss")
        step = 1 + torch.arange(int(n.max()) - 1) % (n[:, None] - 1)
        first = self.offsets[images]
        return self.texts[first[:, None] + (rows - first)[:, None].add(step) % n[:, None]]


def _read(path: Path) -> Retrieved | None:
    """What is whole in a file; None where there is none, or it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            columns = {name: file.get_tensor(name) for name in file.keys()}
            digests = file.metadata() or {}
    except (OSError, SafetensorError):
        return None
    if any(tensor_digest(column) != digests.get(name) for name, column in columns.items()):
        return None
    return Retrieved(**columns)
