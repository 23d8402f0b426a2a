"""Image–text models, from a local folder or a hub repository at a pinned commit."""

from __future__ import annotations

from safetensors import SafetensorError

from requery.backbones.base import Backbone
from requery.backbones.blip2 import HUB_TYPE, MODEL_TYPE, Blip2
from requery.backbones.clip import Clip, Fusion
from requery.backbones.source import read_json, resolve
from requery.errors import ConfigError, DataError

__all__ = ["Backbone", "Blip2", "Clip", "load_backbone"]

BROKEN = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)
"""What the readers of transformers and safetensors raise on missing and damaged files."""


def load_backbone(source: str, revision: str | None = None, fusion: Fusion = "sum") -> Backbone:
    """Load a backbone.

    Args:
        source: a checkpoint folder, or a hub id `owner/name`.
        revision: the hub repository's commit hash; required for a hub id.
        fusion: how CLIP composes a query of image and text.

    Raises:
        ConfigError: an architecture Requery does not know, or a hub id without a commit.
        DataError: the files are missing or broken.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = resolve(source, revision)
    kind = read_json(folder / "config.json").get("model_type")
    if kind not in ("clip", MODEL_TYPE, HUB_TYPE):
        raise ConfigError(
            f"{folder}/config.json: model_type {kind!r} is not known; use clip, {HUB_TYPE} or {MODEL_TYPE}"
        )
    try:
        return Clip.load(folder, fusion) if kind == "clip" else Blip2.load(folder)
    except BROKEN as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DataError(
            f"{folder}: the checkpoint cannot be read ({reason}); it needs its settings, its tokenizer and "
            "its weights as safetensors: download or convert it again"
        ) from error
