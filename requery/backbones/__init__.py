"""Image–text models, from a local folder or a hub repository at a pinned commit."""

from __future__ import annotations

from requery.backbones.base import Backbone
from requery.backbones.blip2 import HUB_TYPE, MODEL_TYPE, Blip2
from requery.backbones.clip import Clip, Fusion
from requery.backbones.source import read_json, resolve
from requery.errors import ConfigError

__all__ = ["Backbone", "Blip2", "Clip", "load_backbone"]


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
    if kind == "clip":
        return Clip.load(folder, fusion)
    if kind in (MODEL_TYPE, HUB_TYPE):
        return Blip2.load(folder)
    raise ConfigError(
        f"{folder}/config.json: model_type {kind!r} is not known; use clip, {HUB_TYPE} or {MODEL_TYPE}"
    )
