"""Checkpoints that are whole or absent, whatever stops the process that writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from requery.files import atomic_write


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write beside the old checkpoint and rename; Lightning's own write leaves half a file behind a kill."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint.

        Raises:
            RunError: the disk is full (names the bytes needed) or the place cannot be written.
        """
        with atomic_write(path, "wb", size=_bytes(checkpoint)) as file:
            torch.save(checkpoint, file)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = lambda storage, location: storage,
        weights_only: bool | None = True,
    ) -> dict[str, Any]:
        """Read a checkpoint; nothing in it is executed."""
        return super().load_checkpoint(path, map_location, weights_only=True)


def _bytes(value: Any) -> int:
    """What the tensors of nested containers take."""
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(map(_bytes, value.values()))
    return sum(map(_bytes, value)) if isinstance(value, (list, tuple)) else 0
