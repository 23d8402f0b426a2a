"""Where a backbone's files come from: a local folder, or a hub repository at a pinned commit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from requery.errors import DataError, first
from requery.files import atomic_bytes
from requery.hub import is_hub_id, require_commit
from requery.preprocess import RESAMPLING, Preprocess


def resolve(source: str, revision: str | None) -> Path:
    """The folder that holds the files; a hub id is downloaded once, at the commit given.

    Raises:
        ConfigError: a hub id without a commit hash.
        DataError: neither a folder nor reachable on the hub.
    """
    folder = Path(source)
    if (folder / "config.json").is_file():
        return folder
    if folder.exists() or not is_hub_id(source):
        raise DataError(
            f"backbone {source}: no config.json there; give a checkpoint folder or a hub id owner/name"
        )
    revision = require_commit("backbone", source, revision)
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


def preprocess_of(folder: Path, size: int, default: Preprocess | None = None) -> Preprocess:
    """The checkpoint's own mean, deviation and resampling.

    Args:
        folder: of the checkpoint.
        size: side of the tower's input in pixels.
        default: the rest, and what its file does not say; None = QuRe's TargetPad(1.25) and bicubic resize.
    """
    default = Preprocess(size) if default is None else default
    path = folder / "preprocessor_config.json"
    settings = read_json(path) if path.is_file() else {}
    resample = settings.get("resample", RESAMPLING[default.interpolation])
    return replace(
        default,
        size=size,
        mean=tuple(settings.get("image_mean", default.mean)),
        std=tuple(settings.get("image_std", default.std)),
        pad_ratio=settings.get("pad_ratio", default.pad_ratio),
        interpolation=Image.Resampling(resample).name.lower(),
    )


def write_preprocess(preprocess: Preprocess, folder: Path) -> None:
    """Write what `preprocess_of` reads, under the names the hub uses."""
    settings = {
        "image_mean": preprocess.mean,
        "image_std": preprocess.std,
        "pad_ratio": preprocess.pad_ratio,
        "resample": RESAMPLING[preprocess.interpolation].value,
        "size": dict.fromkeys(
            ("height", "width") if preprocess.squash else ("shortest_edge",), preprocess.size
        ),
    }
    atomic_bytes(folder / "preprocessor_config.json", (json.dumps(settings, indent=1) + "\n").encode())
