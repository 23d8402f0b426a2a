"""Vector search by FAISS: as fast as one likes, and as wrong as its recall says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from requery.errors import ConfigError, DataError
from requery.files import atomic_bytes
from requery.index.ranked import RankedSearch
from requery.index.single import one_each
from requery.ranking.embeddings import check_embeddings, check_shapes
from requery.ranking.listed import rank_listed
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking


class FaissIndex(RankedSearch):
    """A gallery of one unit embedding an item in an index of FAISS, by inner product.

    What the index does not return has rank 0: metrics beyond its depth are those of a miss. `recall` tells
    how much of the exact first items it finds; print it beside every score.

    Args:
        factory: FAISS' description: `Flat`, `HNSW32`, `IVF1024,Flat` …
        parameters: of the search, as `nprobe=32` or `efSearch=64`; empty = the index's own.

    Raises:
        ConfigError: FAISS is not installed.
    """

    def __init__(self, factory: str = "Flat", parameters: str = "") -> None:
        self.factory, self.parameters = factory, parameters
        self._faiss = load_faiss()
        self._index: Any = None

    def __len__(self) -> int:
        return 0 if self._index is None else int(self._index.ntotal)

    def add(self, embeddings: Tensor) -> None:
        """Append items, `(n, D)` or `(n, 1, D)`; the first ones also train an index that has to be.

        Raises:
            ConfigError: FAISS does not know the factory or the parameters, or there are too few to train on.
            EmbeddingError: an item has several embeddings, or NaN, infinite or zero norm; or sizes differ.
        """
        vectors = one_each(embeddings, None if self._index is None else self._index.d).numpy()
        try:
            if self._index is None:
                index = self._faiss.index_factory(
                    vectors.shape[1], self.factory, self._faiss.METRIC_INNER_PRODUCT
                )
                index.train(vectors)
                self._configure(index)
                self._index = index
            self._index.add(vectors)
        except RuntimeError as error:
            raise ConfigError(
                f"FAISS index {self.factory!r} {self.parameters!r}: {_reason(error)}"
            ) from error

    def _configure(self, index: Any) -> None:
        if self.parameters:
            self._faiss.ParameterSpace().set_index_parameters(index, self.parameters)

    def rank(self, queries: Tensor, qrels: Qrels, *, top_k: int = 100) -> Ranking:
        """Rank the first `top_k` items the index returns; relevant ones beyond have rank 0."""
        if top_k < 1:
            raise ConfigError(f"top_k ({top_k}) must be at least 1")
        if self._index is None:
            raise DataError("the gallery is empty: add embeddings to the index first")
        check_shapes(queries, torch.empty(len(self), self._index.d, device="meta"))
        check_embeddings(queries, "query")
        spare = 0 if qrels.excluded is None else int(qrels.excluded.lengths.max())
        depth = min(top_k + spare, len(self))
        scores, items = self._index.search(queries.detach().float().cpu().numpy(), depth)
        return rank_listed(torch.from_numpy(scores), torch.from_numpy(items), qrels, len(self), top_k=top_k)

    def save(self, path: Path | str) -> None:
        """Write the index to a file, whole or not at all.

        Raises:
            DataError: nothing was added.
            RunError: the file cannot be written.
        """
        if self._index is None:
            raise DataError("the gallery is empty: add embeddings to the index first")
        head = json.dumps({"factory": self.factory, "parameters": self.parameters}).encode()
        atomic_bytes(path, head + b"\n" + self._faiss.serialize_index(self._index).tobytes())

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote. FAISS checks little: read only what you trust.

        Raises:
            DataError: the file is missing, damaged or something else.
        """
        import numpy as np

        try:
            head, _, body = Path(path).read_bytes().partition(b"\n")
            index = cls(**json.loads(head))
            index._index = index._faiss.deserialize_index(np.frombuffer(body, np.uint8))
            index._configure(index._index)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise DataError(
                f"{path}: not a readable FAISS index ({_reason(error)}); build it again"
            ) from error
        return index


def recall(found: Tensor, exact: Tensor) -> float:
    """The share of the exact first items that an index found.

    Args:
        found: `(Q, k)` items of the index; -1 for none.
        exact: `(Q, k)` items of exact search.

    >>> recall(torch.tensor([[1, 2]]), torch.tensor([[2, 3]]))
    0.5
    """
    hit = (found[:, None, :] == exact[:, :, None]).any(2)
    return float(hit.double().mean())


def load_faiss() -> Any:
    """The library; raises a ConfigError where it is not installed."""
    try:
        import faiss
    except ImportError as error:
        raise ConfigError("FAISS is not installed: pip install 'requery[cpu]', or [gpu]") from error
    return faiss


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
