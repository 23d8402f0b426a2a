"""Whether published weights are here: in a folder of local copies, or in the hub's cache at their commit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from experiments.reproduce.table import Source
from requery.errors import first


class Found(NamedTuple):
    """Weights that a run needs.

    Args:
        settings: dotted key -> value that name them.
        missing: what is not there; empty where all is.
    """

    settings: dict[str, Any]
    missing: str = ""


def find(key: str, name: str, source: Source, local: Path | None) -> Found:
    """Look for weights.

    Args:
        key: the setting that names them, such as `model.backbone`.
        name: their name among the sources.
        source: where they come from.
        local: folder of local copies, which win over the hub's cache.
    """
    revision = f"{key.rpartition('.')[0]}.revision"  # of a hub id: its neighbour in every config
    for folder in _local(name, source, local):
        if folder.is_dir():
            return Found({key: str(folder), revision: None}, _refused(folder, key))
    if source.hub is None or source.revision is None:
        looked = first(_local(name, source, local)) or "give --weights, a folder of local copies"
        what = f"no local folder of {source.hub or name} ({looked})"
        what += ", and no commit of it with safetensors is known" if source.hub else ""
        return Found({key: source.folder or source.hub or name, revision: None}, what + _unread(source, key))
    settings = {key: source.hub, revision: source.revision}
    folder = _cached(source.hub, source.revision)
    if folder is None:
        return Found(
            settings, f"{source.hub} is not in the hub's cache at {source.revision}" + _unread(source, key)
        )
    return Found(settings, _refused(folder, key))


def _local(name: str, source: Source, local: Path | None) -> list[Path]:
    own = [Path(source.folder)] if source.folder else []
    if local is None:
        return own
    names = [name] if source.hub is None else [source.hub.replace("/", "--"), source.hub]
    return [*(local / each for each in names), *own]


def _cached(hub: str, revision: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _refused(folder: Path, key: str) -> str:
    """Why a folder cannot be used; empty where it can."""
    config = _mapping(folder / "config.json")
    if config is None:
        return f"{folder}: no config.json that can be read"
    shards = _mapping(folder / "model.safetensors.index.json")
    files = sorted(set(shards["weight_map"].values())) if shards else ["model.safetensors"]
    if absent := [file for file in files if not (folder / file).is_file()]:
        return f"{folder}: no {first(absent, 3)} (weights are read from safetensors alone)"
    return _unknown(str(config.get("model_type")), key)


def _mapping(path: Path) -> Mapping[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _unread(source: Source, key: str) -> str:
    why = _unknown(source.model_type, key) if source.model_type else ""
    return f"; and {why}" if why else ""


def _unknown(model_type: str, key: str) -> str:
    """Why no backbone reads a type of model; empty where one does, and for generators."""
    from requery.backbones import MODEL_TYPES

    if key.endswith(("backbone", "encoder")) and model_type not in MODEL_TYPES:
        return f"no backbone of Requery reads model_type {model_type!r} (read are {', '.join(MODEL_TYPES)})"
    return ""
