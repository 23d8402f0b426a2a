"""Each query's set of negatives: sampled every epoch, kept in a file, summed up in five numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from requery.errors import DataError, RunError, first
from requery.files import atomic_bytes, sha256_bytes
from requery.negatives.sampling import draw_places
from requery.ragged import Ragged


@dataclass(frozen=True)
class NegativeSets:
    """The negatives of `M` queries.

    Args:
        sets: `M` rows of ascending corpus indices, int32; none is empty.
        fallback: `(M,)` bool: the strategy gave nothing, and the set is its documented fallback.
        first_offset: `(M,)` int64, rank of the set's best item minus the target's rank: 1 = directly after
            the target, negative where the set begins before it.

    Raises:
        DataError: a set is empty or the columns differ in length.
    """

    sets: Ragged
    fallback: Tensor
    first_offset: Tensor

    def __post_init__(self) -> None:
        if not len(self.sets) == self.fallback.numel() == self.first_offset.numel():
            raise DataError(
                f"{len(self.sets)} sets, {self.fallback.numel()} fallback flags: not one per query"
            )
        empty = (self.size == 0).nonzero().flatten().tolist()
        if empty:
            raise DataError(f"no negatives for queries {first(empty)}")

    def __len__(self) -> int:
        return len(self.sets)

    @property
    def size(self) -> Tensor:
        """`(M,)` int64: items in each set."""
        return self.sets.lengths

    def sample(self, query: Tensor, k: int, *, seed: int, epoch: int) -> Tensor:
        """Draw k negatives for each query, uniformly from its set.

        A query's draws depend on (seed, epoch, query) and its set alone: not on the batch, its order or
        earlier draws.

        Args:
            query: `(B,)` int64 query indices.
            k: negatives per query; distinct where the set has so many, else drawn with replacement.
            seed: of the run.
            epoch: 0-based.

        Returns:
            `(B, k)` int64 corpus indices.
        """
        at = query.cpu()
        nothing = np.empty((at.numel(), 0), dtype=np.int64)
        place = draw_places(self.size[at].numpy(), nothing, k, seed, epoch, at.numpy())
        return self.sets.values[self.sets.offsets[at, None] + torch.from_numpy(place)].long()

    def summary(self) -> dict[str, float]:
        """Size quartiles (a mean hides a mixture of tiny and near-corpus sets), offset and fallbacks."""
        low, median, high = np.quantile(self.size.numpy(), (0.25, 0.5, 0.75)).tolist()
        return {
            "size_median": median,
            "size_q1": low,
            "size_q3": high,
            "first_offset_median": float(np.median(self.first_offset.numpy())),
            "fallbacks": float(self.fallback.sum()),
        }

    def save(self, path: Path | str) -> str:
        """Write the sets to a safetensors file, whole or not at all; returns its SHA-256.

        Raises:
            RunError: the place cannot be written.
        """
        data = self.to_bytes()
        atomic_bytes(path, data)
        return sha256_bytes(data)

    def to_bytes(self) -> bytes:
        """The safetensors file of the sets."""
        columns = {"values": self.sets.values, "offsets": self.sets.offsets}
        return save({**columns, "fallback": self.fallback, "first_offset": self.first_offset})

    @classmethod
    def load(cls, path: Path | str, sha256: str | None = None) -> NegativeSets:
        """Read sets written by `save`.

        Args:
            path: the file.
            sha256: its expected SHA-256; None = not checked.

        Raises:
            RunError: the file is absent, damaged or another than expected.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise RunError(f"{path}: cannot be read ({error.strerror}); define the negatives anew") from error
        if sha256 is not None and sha256_bytes(data) != sha256:
            raise RunError(f"{path}: the content has changed since it was written; define the negatives anew")
        try:
            columns = load(data)
            sets = Ragged(columns["values"], columns["offsets"])
            return cls(sets, columns["fallback"], columns["first_offset"])
        except (SafetensorError, KeyError, ValueError, DataError) as error:
            raise RunError(f"{path}: not a file of negatives ({error}); define the negatives anew") from error
