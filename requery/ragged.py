"""Rows of different length in two flat tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ragged:
    """Rows of integers: row `i` is `values[offsets[i]:offsets[i + 1]]`.

    Args:
        values: `(total,)` int64 or int32.
        offsets: `(rows + 1,)` int64, starts at 0, never decreases, ends at `total`.
    """

    values: Tensor
    offsets: Tensor

    def __post_init__(self) -> None:
        if self.offsets.ndim != 1 or self.offsets.numel() < 1 or int(self.offsets[0]) != 0:
            raise ValueError("offsets must be (rows + 1,) and start at 0")
        if int(self.offsets[-1]) != self.values.numel() or bool((self.offsets.diff() < 0).any()):
            raise ValueError("offsets must not decrease and must end at the number of values")

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int] | Tensor], dtype: torch.dtype = torch.int64) -> Ragged:
        """Pack a list of rows."""
        parts = [torch.as_tensor(row, dtype=dtype).reshape(-1) for row in rows]
        lengths = torch.tensor([0, *(part.numel() for part in parts)], dtype=torch.int64)
        values = torch.cat(parts) if parts else torch.empty(0, dtype=dtype)
        return cls(values, lengths.cumsum(0))

    def __len__(self) -> int:
        return self.offsets.numel() - 1

    def __getitem__(self, row: int) -> Tensor:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return self.values[int(self.offsets[row]) : int(self.offsets[row + 1])]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[row] for row in range(len(self)))

    @property
    def lengths(self) -> Tensor:
        """`(rows,)` int64: the length of each row."""
        return self.offsets.diff()

    @property
    def row_of(self) -> Tensor:
        """`(total,)` int64: the row each value belongs to."""
        return torch.repeat_interleave(torch.arange(len(self)), self.lengths)

    def select(self, rows: Tensor) -> Ragged:
        """Take some rows, in the order given."""
        return Ragged.from_rows([self[int(row)] for row in rows], dtype=self.values.dtype)
