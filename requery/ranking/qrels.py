"""What is relevant to each query, graded, and what the ranking leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from requery.errors import DataError, first
from requery.ragged import Ragged

TARGET_GRADE = 2
"""Grade of the target; 1 is an item that satisfies the request as well."""


@dataclass(frozen=True)
class Qrels:
    """The truth of `Q` queries over a gallery of `N` items.

    Args:
        target: `(Q,)` int64 gallery index; -1 where the target is not in the gallery (a miss).
        relevant: `Q` rows of ascending gallery indices that satisfy the query, the target included.
        grades: `(relevant total,)` int64 aligned with `relevant.values`: 2 = the target, 1 = also right.
        excluded: `Q` rows of gallery indices removed from the ranking (the reference image).
        subset: `Q` rows of gallery indices that `recall_subset@k` ranks, the target included.
    """

    target: Tensor
    relevant: Ragged
    grades: Tensor
    excluded: Ragged | None = None
    subset: Ragged | None = None

    @classmethod
    def from_targets(
        cls, target: Tensor, excluded: Ragged | None = None, subset: Ragged | None = None
    ) -> Qrels:
        """Truth with one relevant item per query, the target."""
        present = target >= 0
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), present.long().cumsum(0)])
        relevant = Ragged(target[present].long(), offsets)
        grades = torch.full_like(relevant.values, TARGET_GRADE)
        return cls(target.long(), relevant, grades, excluded, subset)

    def __len__(self) -> int:
        return self.target.numel()

    @property
    def graded(self) -> bool:
        """Whether more than the targets is known to be relevant: only then can false negatives be counted."""
        return bool((self.grades != TARGET_GRADE).any())

    def select(self, rows: Tensor) -> Qrels:
        """The truth of some queries, in the order given, `(B,)` int64."""
        graded = Ragged(self.grades, self.relevant.offsets).select(rows)
        excluded = None if self.excluded is None else self.excluded.select(rows)
        subset = None if self.subset is None else self.subset.select(rows)
        return Qrels(self.target[rows], self.relevant.select(rows), graded.values, excluded, subset)

    @property
    def retrievable(self) -> Tensor:
        """`(relevant total,)` bool: which relevant items the ranking does not leave out."""
        if self.excluded is None:
            return torch.ones_like(self.relevant.values, dtype=torch.bool)
        n = 1 + max(
            (int(r.values.max()) for r in (self.relevant, self.excluded) if r.values.numel()), default=0
        )
        key, out = (r.row_of * n + r.values for r in (self.relevant, self.excluded))
        return ~torch.isin(key, out)

    def validate(self, n_queries: int, n_gallery: int) -> None:
        """Raise a DataError that names the first offending rows."""
        columns = {"relevant": self.relevant, "excluded": self.excluded, "subset": self.subset}
        if len(self) != n_queries:
            raise DataError(f"{len(self)} targets for {n_queries} queries")
        bad = ((self.target < -1) | (self.target >= n_gallery)).nonzero().flatten().tolist()
        if bad:
            raise DataError(f"targets outside the gallery of {n_gallery} items at queries {first(bad)}")
        for name, rows in columns.items():
            if rows is None:
                continue
            if len(rows) != n_queries:
                raise DataError(f"{len(rows)} rows of {name} items for {n_queries} queries")
            outside = (rows.values < 0) | (rows.values >= n_gallery)
            if bool(outside.any()):
                at = _distinct(rows.row_of[outside])
                raise DataError(f"{name} items outside the gallery of {n_gallery} at queries {first(at)}")
        if self.grades.shape != self.relevant.values.shape:
            raise DataError("grades and relevant items differ in number")
        if self.subset is not None:
            key = (self.subset.row_of * n_gallery + self.subset.values).sort().values
            bad = _distinct(key[1:][key.diff() == 0] // n_gallery)
            if bad:  # it would be ranked against itself
                raise DataError(f"a subset lists an item twice at queries {first(bad)}")
        self._validate_relevant()

    def _validate_relevant(self) -> None:
        rows, items = self.relevant.row_of, self.relevant.values
        unsorted = (items.diff() <= 0) & (rows.diff() == 0)
        if bool(unsorted.any()):
            at = _distinct(rows[1:][unsorted])
            raise DataError(f"relevant items are not ascending and distinct at queries {first(at)}")
        has_target = torch.zeros(len(self), dtype=torch.bool)
        has_target[rows[items == self.target[rows]]] = True
        bad = ((self.target >= 0) & ~has_target).nonzero().flatten().tolist()
        if bad:
            raise DataError(f"the target is not among the relevant items at queries {first(bad)}")
        bad = _distinct(rows[self.grades < 1])
        if bad:
            raise DataError(f"relevant items graded below 1 at queries {first(bad)}")


def _distinct(rows: Tensor) -> list[int]:
    return sorted(set(rows.tolist()))
