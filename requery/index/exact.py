"""Exact search: every item is scored. The reference all other indexes are held against."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from requery.cache import tensor_digest
from requery.errors import DataError, EmbeddingError
from requery.files import atomic_bytes
from requery.index.ranked import RankedSearch
from requery.ranking.embeddings import check_embeddings
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import MEMORY_BUDGET, Ranking, rank

FORMAT = "requery-exact-index-2"


class ExactIndex(RankedSearch):
    """A gallery in memory, float32; search and rank share tiles, scores and the rule for ties.

    Args:
        memory_budget: bytes of scores held at one time.
    """

    def __init__(self, memory_budget: int = MEMORY_BUDGET) -> None:
        self.memory_budget = memory_budget
        self._gallery: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self._gallery is None else self._gallery.shape[0]

    @property
    def embeddings(self) -> Tensor:
        """`(N, T, D)` float32.

        Raises:
            DataError: nothing was added.
        """
        if self._gallery is None:
            raise DataError("the gallery is empty: add embeddings to the index first")
        return self._gallery

    def add(self, embeddings: Tensor) -> None:
        """Append items, `(n, T, D)` or `(n, D)`, of the sizes already there.

        Raises:
            EmbeddingError: sizes differ, or an embedding has NaN, infinite or zero norm.
        """
        if embeddings.ndim not in (2, 3):
            raise EmbeddingError(
                f"gallery embeddings must be (n, D) or (n, T, D), not {tuple(embeddings.shape)}"
            )
        items = embeddings.detach().float()
        items = items if items.ndim == 3 else items[:, None]
        if self._gallery is not None and items.shape[1:] != self._gallery.shape[1:]:
            held, new = tuple(self._gallery.shape[1:]), tuple(items.shape[1:])
            raise EmbeddingError(f"items of (T, D) = {new} do not fit an index of {held}")
        check_embeddings(items, "gallery")
        self._gallery = torch.cat([items[:0] if self._gallery is None else self._gallery, items])

    def vectors(self, items: Tensor) -> Tensor:
        """The embeddings of some items; see `VectorIndex.vectors`."""
        return self.embeddings[items.to(self.embeddings.device)]

    def rank(self, queries: Tensor, qrels: Qrels, *, top_k: int = 100) -> Ranking:
        """Rank all items for each query; see `requery.ranking.ranks.rank`."""
        return rank(queries, self.embeddings, qrels, top_k=top_k, memory_budget=self.memory_budget)

    def save(self, path: Path | str) -> None:
        """Write the embeddings with their checksum as safetensors, whole or not at all.

        Raises:
            DataError: nothing was added.
            RunError: the file cannot be written.
        """
        from safetensors.torch import save

        embeddings = self.embeddings.cpu()
        metadata = {"format": FORMAT, "sha256": tensor_digest(embeddings)}
        atomic_bytes(path, save({"embeddings": embeddings}, metadata))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing, damaged or something else.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                known = metadata.get("format") == FORMAT
                embeddings = file.get_tensor("embeddings") if known else None
        except (OSError, SafetensorError) as error:
            raise DataError(f"{path}: not a readable index ({error}); build it again") from error
        if embeddings is None:
            raise DataError(f"{path}: not an exact index ({FORMAT}); build it again")
        if tensor_digest(embeddings) != metadata.get("sha256"):
            raise DataError(f"{path}: its content does not match its checksum; build it again")
        index = cls()
        index.add(embeddings)
        return index
