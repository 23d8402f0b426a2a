"""Where a backbone's files come from: a local folder, or a hub repository at a pinned commit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch

from requery.errors import ConfigError, DataError, first
from requery.files import atomic_bytes
from requery.preprocess import CLIP_MEAN, CLIP_STD, Preprocess


def resolve(source: str, revision: str | None) -> Path:
    """The folder that holds the files; a hub id is downloaded once, at the commit given.

    Raises:
        ConfigError: a hub id without a commit hash.
        DataError: neither a folder nor reachable on the hub.
    """
    folder = Path(source)
    if (folder / "config.json").is_file():
        return folder
    if folder.exists() or source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise DataError(
            f"backbone {source}: no config.json there; give a checkpoint folder or a hub id owner/name"
        )
    if revision is None or not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise ConfigError(
            f"backbone {source}: a hub checkpoint needs its commit (40 hexadecimal digits) as `revision`, "
            f"so that tomorrow's run loads the same weights; got {revision!r}"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        patterns = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
        return Path(snapshot_download(source, revision=revision, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise DataError(
            f"backbone {source}@{revision}: not in the local hub cache and the hub cannot be reached "
            f"({type(error).__name__}); download it elsewhere and give its folder"
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a settings file; raises DataError naming it."""
    try:
        out: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); download the checkpoint again") from error
    if not isinstance(out, dict):
        raise DataError(
            f"{path}: holds no settings but a {type(out).__name__}; download the checkpoint again"
        )
    return out


def pretrained(model_class: Any, folder: Path, config: Any = None) -> Any:
    """Read a transformers model in float32: from safetensors alone, and none of its weights left at random.

    Args:
        model_class: of transformers.
        folder: of the checkpoint.
        config: settings in place of the folder's.

    Raises:
        DataError: the file lacks some of the model's weights.
    """
    model, found = model_class.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, config=config
    )
    if found["missing_keys"]:
        lost = first(sorted(found["missing_keys"]))
        raise DataError(f"{folder}: its safetensors lack {lost}; download the checkpoint again")
    return model


def preprocess_of(folder: Path, size: int) -> Preprocess:
    """The checkpoint's own mean and deviation, with QuRe's TargetPad(1.25) and bicubic resize."""
    path = folder / "preprocessor_config.json"
    settings = read_json(path) if path.is_file() else {}
    return Preprocess(
        size=size,
        mean=tuple(settings.get("image_mean", CLIP_MEAN)),
        std=tuple(settings.get("image_std", CLIP_STD)),
        pad_ratio=settings.get("pad_ratio", 1.25),
    )


def write_preprocess(preprocess: Preprocess, folder: Path) -> None:
    """Write what `preprocess_of` reads, under the names the hub uses."""
    settings = {
        "image_mean": preprocess.mean,
        "image_std": preprocess.std,
        "pad_ratio": preprocess.pad_ratio,
        "size": {"shortest_edge": preprocess.size},
    }
    atomic_bytes(folder / "preprocessor_config.json", (json.dumps(settings, indent=1) + "\n").encode())
