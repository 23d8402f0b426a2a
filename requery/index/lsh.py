"""Hashing by random hyperplanes (Charikar 2002): near bits first, then exact scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from requery.cache import tensor_digest
from requery.errors import ConfigError, DataError
from requery.files import atomic_bytes
from requery.index.faiss import load_faiss
from requery.index.ranked import RankedSearch
from requery.index.single import one_each, score_candidates
from requery.ranking.embeddings import check_embeddings, check_shapes
from requery.ranking.listed import rank_listed
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking

FORMAT = "requery-lsh-index-1"


class LshIndex(RankedSearch):
    """One bit a hyperplane: items are sorted by differing bits, and the first of them scored exactly.

    All codes are scanned, so nothing is lost to a bucket's edge, unlike in `HashTables`. What is not among
    the candidates has rank 0.

    Args:
        bits: hyperplanes; a passage takes bits / 8 bytes beside its embedding.
        candidates: items scored exactly for each query.

    Raises:
        ConfigError: one of the two is not positive, or FAISS is not installed.
    """

    def __init__(self, bits: int = 1024, candidates: int = 500) -> None:
        if bits < 1 or candidates < 1:
            raise ConfigError(f"LSH with {bits} bits and {candidates} candidates: both must be at least 1")
        self.bits, self.candidates = bits, candidates
        self._faiss = load_faiss()
        self._codes: Any = None
        self._gallery = torch.empty(0, 0)

    def __len__(self) -> int:
        return len(self._gallery)

    def add(self, embeddings: Tensor) -> None:
        """Append items, `(n, D)` or `(n, 1, D)`.

        Raises:
            EmbeddingError: an item has several embeddings, or NaN, infinite or zero norm; or sizes differ.
        """
        items = one_each(embeddings, self._gallery.shape[1] if len(self) else None)
        if self._codes is None:
            # Rotated: bits of the axes themselves would follow how the model spreads its dimensions.
            self._codes = self._faiss.IndexLSH(items.shape[1], self.bits, True, False)
            self._codes.train(items[:0].numpy())
        self._codes.add(items.numpy())
        self._gallery = torch.cat([self._gallery, items]) if len(self) else items

    def rank(self, queries: Tensor, qrels: Qrels, *, top_k: int = 100) -> Ranking:
        """Rank the candidates of each query; other items have rank 0."""
        if top_k < 1:
            raise ConfigError(f"top_k ({top_k}) must be at least 1")
        if not len(self):
            raise DataError("the gallery is empty: add embeddings to the index first")
        check_shapes(queries, self._gallery)
        check_embeddings(queries, "query")
        asked = queries.detach().float().cpu().contiguous()
        near = self._codes.search(asked.numpy(), min(self.candidates, len(self)))[1]
        items = torch.from_numpy(near)
        scores = score_candidates(asked, self._gallery, items)
        return rank_listed(scores, items, qrels, len(self), top_k=top_k)

    def save(self, path: Path | str) -> None:
        """Write embeddings, settings and checksum as safetensors, whole or not at all; codes are made anew.

        Raises:
            DataError: nothing was added.
            RunError: the file cannot be written.
        """
        if not len(self):
            raise DataError("the gallery is empty: add embeddings to the index first")
        from safetensors.torch import save

        settings = {"bits": str(self.bits), "candidates": str(self.candidates)}
        metadata = {"format": FORMAT, "sha256": tensor_digest(self._gallery), **settings}
        atomic_bytes(path, save({"embeddings": self._gallery}, metadata))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing, damaged or something else.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                metadata, embeddings = file.metadata() or {}, file.get_tensor("embeddings")
        except (OSError, SafetensorError) as error:
            raise DataError(f"{path}: not a readable index ({error}); build it again") from error
        if metadata.get("format") != FORMAT or metadata.get("sha256") != tensor_digest(embeddings):
            raise DataError(f"{path}: not an LSH index ({FORMAT}), or damaged; build it again")
        index = cls(int(metadata["bits"]), int(metadata["candidates"]))
        index.add(embeddings)
        return index
