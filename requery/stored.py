"""Features of clips that were made elsewhere: one tensor a medium, one row an item."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from requery.errors import DataError, first
from requery.images import Medium

TENSOR, IDS = "features.safetensors", "ids.json"
CONTENT = f"{TENSOR} (`features`, (N, L, W) or (N, D)) and {IDS} (a list of N names)"


class StoredFeatures:
    """Rows of a folder's `features.safetensors` by the names in its `ids.json` (an ImageSet).

    Features of shifted items lie in folders `<kind>@<severity>` below, in the same form.

    Args:
        folder: holds both files.
        medium: of what the features are.
        ids: names of the items, in the order wanted; None for all.

    Raises:
        DataError: a file is missing or malformed, or a name has no row.
    """

    def __init__(self, folder: Path, medium: Medium, ids: Sequence[str] | None = None) -> None:
        self.folder, self.medium = folder, medium
        names = _names(folder)
        try:
            with safe_open(folder / TENSOR, framework="pt") as file:  # mapped, not read
                self._rows = file.get_tensor("features")
        except (OSError, SafetensorError) as error:
            raise DataError(f"{folder / TENSOR}: cannot be read ({error}); it takes {CONTENT}") from error
        if self._rows.ndim not in (2, 3) or len(self._rows) != len(names):
            raise DataError(
                f"{folder}: {tuple(self._rows.shape)} features for {len(names)} names; it takes {CONTENT}"
            )
        row = {name: number for number, name in enumerate(names)}
        self.ids = names if ids is None else ids
        if absent := [name for name in self.ids if name not in row]:
            raise DataError(
                f"{folder / IDS}: no row for {len(absent)} of {len(self.ids)} items ({first(absent)}); add "
                "their features, or leave them out with on_bad: skip"
            )
        self._at = [row[name] for name in self.ids]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def width(self) -> int:
        """`W` of tokens, `D` of embeddings."""
        return int(self._rows.shape[-1])

    def load(self, position: int) -> NDArray[np.float32]:
        """One item's tokens, `(L, W)`; an embedding is one token.

        Raises:
            DataError: a value is NaN or infinite.
        """
        row = np.atleast_2d(self._rows[self._at[position]].float().numpy())
        if not np.isfinite(row).all():
            raise DataError(
                f"{self.folder / TENSOR}: NaN or infinite features of {self.ids[position]}; make them again"
            )
        return row

    def digest(self, position: int) -> str:
        """SHA-256 of the row's shape and values."""
        row = self.load(position)
        return hashlib.sha256(f"stored{row.shape}".encode() + row.tobytes()).hexdigest()

    def shifted(self, kind: str, severity: int, ids: Sequence[str]) -> StoredFeatures:
        """The features of some items under a shift.

        Raises:
            DataError: there is no folder of them, or it lacks an item.
        """
        folder = self.folder / f"{kind}@{severity}"
        if not folder.is_dir():
            raise DataError(
                f"{folder}: no such folder; stored features cannot be corrupted: put there, of the queries "
                f"under {kind} at severity {severity}, {CONTENT}"
            )
        return StoredFeatures(folder, self.medium, ids)


def _names(folder: Path) -> list[str]:
    path = folder / IDS
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); the folder takes {CONTENT}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: holds no list of names; the folder takes {CONTENT}")
    if len(set(names)) != len(names):
        raise DataError(f"{path}: some names occur twice; give each row its own")
    return names
