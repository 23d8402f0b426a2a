"""Exact search of a gallery that lies on disk in half precision and is mapped into memory."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import IO, Self

import numpy as np
import torch
from torch import Tensor

from requery.cache import tensor_digest
from requery.errors import DataError, EmbeddingError
from requery.files import atomic_write
from requery.index.ranked import RankedSearch
from requery.ranking.embeddings import check_embeddings
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import MEMORY_BUDGET, Ranking, rank
from requery.ranking.tiles import Tiles

FORMAT = "requery-mapped-index-1"

_ALIGNMENT = 64
"""The embeddings begin at a multiple of so many bytes: else scoring would copy them."""


class MappedIndex(RankedSearch):
    """A gallery on disk, float16; only the blocks being scored are widened, to float32.

    Scores, ranks and ties are those of an `ExactIndex` of the same rounded embeddings, bit for bit. What is
    added goes to an unnamed file, which ends with the index; `save` keeps it.

    Args:
        folder: where that file is made; None = the system's folder for temporary files.
        memory_budget: bytes of scores held at one time.
    """

    def __init__(self, folder: Path | str | None = None, memory_budget: int = MEMORY_BUDGET) -> None:
        self.memory_budget = memory_budget
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._begin = 0
        self._shape: tuple[int, ...] = (0,)
        self._mapped: Tiles | None = None

    def __len__(self) -> int:
        return self._shape[0]

    @property
    def embeddings(self) -> Tensor:
        """`(N, T, D)` float16, mapped.

        Raises:
            DataError: nothing was added.
        """
        return self._tiles.gallery

    @property
    def _tiles(self) -> Tiles:
        if self._file is None:
            raise DataError("the gallery is empty: add embeddings to the index first")
        if self._mapped is None:
            self._file.flush()
            # Copy on write: torch has no read-only tensors; nothing here writes.
            items = np.memmap(self._file, np.float16, "c", self._begin, self._shape)
            self._mapped = Tiles(torch.from_numpy(items))
        return self._mapped

    def add(self, embeddings: Tensor) -> None:
        """Append items, `(n, T, D)` or `(n, D)`, of the sizes already there, rounded to float16.

        Raises:
            EmbeddingError: sizes differ, or a rounded embedding has NaN, infinite or zero norm.
        """
        if embeddings.ndim not in (2, 3):
            raise EmbeddingError(
                f"gallery embeddings must be (n, D) or (n, T, D), not {tuple(embeddings.shape)}"
            )
        items = embeddings.detach().to("cpu", torch.float16)
        items = (items if items.ndim == 3 else items[:, None]).contiguous()
        if self._file is not None and items.shape[1:] != self._shape[1:]:
            held, new = tuple(self._shape[1:]), tuple(items.shape[1:])
            raise EmbeddingError(f"items of (T, D) = {new} do not fit an index of {held}")
        check_embeddings(items, "gallery")
        if self._file is None or self._begin > 0:
            self._file = self._spool(self._file)
        self._file.seek(0, 2)
        self._file.write(items.numpy().data)
        self._shape = (len(self) + len(items), *items.shape[1:])
        self._mapped = None

    def _spool(self, saved: IO[bytes] | None) -> IO[bytes]:
        """A file to append to, with what an earlier one holds."""
        # It is unnamed and lives as long as the index.
        spool = tempfile.TemporaryFile(dir=self._folder)
        if saved is not None:
            saved.seek(self._begin)
            shutil.copyfileobj(saved, spool)
            saved.close()
        self._begin = 0
        return spool

    def vectors(self, items: Tensor) -> Tensor:
        """The embeddings of some items, float32; only their pages are read. See `VectorIndex.vectors`."""
        return self.embeddings[items.cpu()].float()

    def rank(self, queries: Tensor, qrels: Qrels, *, top_k: int = 100) -> Ranking:
        """Rank all items for each query; see `requery.ranking.ranks.rank`."""
        tiles = self._tiles.twin()  # the embeddings were checked when they were added
        return rank(queries, tiles, qrels, top_k=top_k, memory_budget=self.memory_budget)

    def save(self, path: Path | str) -> None:
        """Write the embeddings with their checksum as safetensors, whole or not at all.

        Raises:
            DataError: nothing was added.
            RunError: the file cannot be written.
        """
        data = self.embeddings.numpy().data.cast("B")
        entry = {"dtype": "F16", "shape": list(self._shape), "data_offsets": [0, data.nbytes]}
        metadata = {"format": FORMAT, "sha256": tensor_digest(self.embeddings)}
        header = json.dumps({"__metadata__": metadata, "embeddings": entry}).encode()
        header += b" " * (-(8 + len(header)) % _ALIGNMENT)
        with atomic_write(Path(path), "wb", size=8 + len(header) + data.nbytes) as file:
            file.write(len(header).to_bytes(8, "little") + header)
            file.write(data)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Map what `save` wrote; it is read once, to compare its checksum.

        Raises:
            DataError: the file is missing, damaged or something else.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as saved:
                metadata = saved.metadata() or {}
                shape = tuple(saved.get_slice("embeddings").get_shape())
            file = open(path, "rb")
        except (OSError, SafetensorError) as error:
            raise DataError(f"{path}: not a readable index ({error}); build it again") from error
        if metadata.get("format") != FORMAT:
            raise DataError(f"{path}: not a mapped index ({FORMAT}); build it again")
        index = cls()
        index._file, index._shape = file, shape
        index._begin = 8 + int.from_bytes(file.read(8), "little")
        if tensor_digest(index.embeddings) != metadata.get("sha256"):
            raise DataError(f"{path}: its content does not match its checksum; build it again")
        check_embeddings(index.embeddings, "gallery")
        return index
