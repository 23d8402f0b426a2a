"""Frozen features, encoded once: shards on disk named by everything that determines their content."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from requery import distributed
from requery.errors import DataError, EmbeddingError, first
from requery.files import atomic_bytes, ensure_writable, sha256_bytes, sweep
from requery.images import ImageSet

FORMAT = 1
"""Raised whenever the layout of a shard changes; older shards are then rebuilt."""

Compute = Callable[[Sequence[int]], Tensor]
Progress = Callable[[int, int], None]


class FeatureTable:
    """Rows of features kept as shards, usually mapped from disk, of which all but the last are equally long.

    Args:
        shards: `(n, L, W)` tensors on the CPU, of one dtype.
    """

    def __init__(self, shards: Sequence[Tensor]) -> None:
        if not shards or any(part.shape[1:] != shards[0].shape[1:] for part in shards):
            raise ValueError("a table needs shards of one (L, W)")
        self._shards = list(shards)
        self._step = shards[0].shape[0]
        self._rows = sum(part.shape[0] for part in shards)
        if any(part.shape[0] != self._step for part in shards[:-1]) or shards[-1].shape[0] > self._step:
            raise ValueError("all shards but the last must be equally long, and the last no longer")

    def __len__(self) -> int:
        return self._rows

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the rows."""
        return self._shards[0].dtype

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(len(self), L, W)`."""
        _, tokens, width = self._shards[0].shape
        return self._rows, tokens, width

    def __getitem__(self, index: Tensor) -> Tensor:
        """Gather rows, `(B,)` integers -> `(B, L, W)` on the CPU."""
        rows = index.to("cpu", torch.int64)
        if rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < self._rows:
            raise IndexError(f"rows {int(rows.min())} to {int(rows.max())} of a table of {self._rows}")
        out = torch.empty((rows.numel(), *self.shape[1:]), dtype=self.dtype)
        shard = rows // self._step
        for number in torch.unique(shard).tolist():
            here = shard == number
            out[here] = self._shards[number][rows[here] - number * self._step]
        return out


class FeatureCache:
    """Features of frozen towers on disk, in `<root>/features/<key[:2]>/<key>.safetensors`.

    A shard holds `shard_items` consecutive items and is named by the SHA-256 of the format, the weights, the
    preprocessing, the dtype and its items' digests: nothing made otherwise can be taken for it, and images
    added at the end leave earlier shards as they are. A shard appears whole or not at all, so a kill
    costs one shard, and processes that write the same one write the same bytes.

    Args:
        root: folder of the cache; runs may share it.
        shard_items: items per shard; a multiple of the batch size `compute` pads to, so that no batch
            straddles two shards.
    """

    def __init__(self, root: Path | str, shard_items: int = 512) -> None:
        if shard_items < 1:
            raise ValueError(f"shard_items must be at least 1, not {shard_items}")
        self.root = Path(root)
        self.shard_items = shard_items

    def features(
        self,
        images: ImageSet,
        positions: Sequence[int] | None = None,
        *,
        weights: str,
        preprocessing: str,
        dtype: torch.dtype,
        compute: Compute,
        progress: Progress | None = None,
    ) -> FeatureTable:
        """Read the features of some images, and compute those of shards that are absent or damaged.

        Several processes compute a share of the shards each, and read the others' from disk; where the
        cache is not on a disk they share, each computes what it does not find.

        Args:
            images: where the items' names and digests come from.
            positions: positions in `images`, in the order of the table's rows; None for all.
            weights: digest of the frozen weights (`weights_digest`).
            preprocessing: whatever names the preprocessing exactly.
            dtype: dtype kept on disk.
            compute: positions -> `(n, L, W)` features, called with one shard's positions at a time.
            progress: called after each shard of this process with (items passed, items in all).

        Raises:
            DataError: there is no image.
            EmbeddingError: a feature is NaN or infinite in `dtype`; names the items; nothing is written.
            RunError: the cache cannot be written.
        """
        chosen = range(len(images)) if positions is None else positions
        if len(chosen) == 0:
            raise DataError("there is no image to encode; check the image split file and image_root")
        settings = [FORMAT, weights, preprocessing, str(dtype)]

        def shard(number: int) -> Tensor:
            part = chosen[number * self.shard_items : (number + 1) * self.shard_items]
            path = self._path([*settings, [images.digest(position) for position in part]])
            kept = _read(path, dtype, len(part))
            if kept is None:
                ensure_writable(path.parent)
                _write(path, _checked(compute(part), dtype, images, part))
                kept = _map(path)[0]
            return kept

        sweep(self.root / "features")  # what killed processes left
        n_shards = -(-len(chosen) // self.shard_items)
        shards: dict[int, Tensor] = {}
        for number in distributed.share(n_shards):
            shards[number] = shard(number)
            if progress is not None:
                progress(min((number + 1) * self.shard_items, len(chosen)), len(chosen))
        distributed.barrier("image features")
        return FeatureTable([shards[n] if n in shards else shard(n) for n in range(n_shards)])

    def _path(self, content: list[object]) -> Path:
        key = sha256_bytes(json.dumps(content).encode())
        return self.root / "features" / key[:2] / f"{key}.safetensors"


def _checked(features: Tensor, dtype: torch.dtype, images: ImageSet, part: Sequence[int]) -> Tensor:
    """`(n, L, W)` on the CPU in `dtype`, one row an item, every value finite."""
    if features.ndim != 3 or features.shape[0] != len(part):
        raise ValueError(
            f"compute returned {tuple(features.shape)} for {len(part)} items; (n, L, W) expected"
        )
    kept = features.detach().to("cpu", dtype).contiguous()
    bad = (~kept.isfinite().flatten(1).all(dim=1)).nonzero().flatten().tolist()
    if bad:
        names = first(images.ids[part[row]] for row in bad)
        raise EmbeddingError(
            f"NaN or infinite features in {dtype} for: {names}; check the weights and these images"
        )
    return kept


def tensor_digest(tensor: Tensor) -> str:
    """SHA-256 of a CPU tensor: dtype, shape and bytes."""
    digest = hashlib.sha256(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
    digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _write(path: Path, features: Tensor) -> None:
    atomic_bytes(path, save({"features": features}, {"sha256": tensor_digest(features)}))


def _map(path: Path) -> tuple[Tensor, str]:
    """A shard mapped from disk, and the checksum written with it."""
    with safe_open(path, framework="pt") as file:
        return file.get_tensor("features"), (file.metadata() or {}).get("sha256", "")


def _read(path: Path, dtype: torch.dtype, items: int) -> Tensor | None:
    """A shard as it was written; None where there is none, with a warning where it is damaged."""
    try:
        features, checksum = _map(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (SafetensorError, OSError) as error:
        warnings.warn(f"{path}: unreadable ({error}); its {items} items are encoded again", stacklevel=3)
        return None
    if features.dtype != dtype or features.shape[0] != items or tensor_digest(features) != checksum:
        warnings.warn(f"{path}: its content is damaged; its {items} items are encoded again", stacklevel=3)
        return None
    return features


def weights_digest(module: nn.Module) -> str:
    """SHA-256 of a module's state: names, dtypes, shapes and bytes, in the order of the names."""
    state = module.state_dict()
    return sha256_bytes(
        json.dumps([[name, tensor_digest(state[name].cpu())] for name in sorted(state)]).encode()
    )
