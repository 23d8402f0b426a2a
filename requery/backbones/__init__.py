"""Models of images and texts, of texts, or of sounds and videos: local folders, or the hub at a commit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from requery.backbones.base import Backbone
from requery.backbones.blip2 import HUB_TYPE, MODEL_TYPE, Blip2
from requery.backbones.clip import Clip, Fusion
from requery.backbones.pe_audio_video import PE_TYPE, PeAudioVideo
from requery.backbones.sentence import SENTENCE_TYPE, Sentence
from requery.backbones.siglip import SIGLIP_TYPE, Siglip
from requery.backbones.source import read_json, resolve
from requery.backbones.stored import STORED_TYPE, Stored
from requery.errors import ConfigError, DataError

__all__ = ["Backbone", "Blip2", "Clip", "PeAudioVideo", "Sentence", "Siglip", "Stored", "load_backbone"]

READERS: dict[str, Callable[[Path, Fusion], Backbone]] = {
    "clip": Clip.load,
    HUB_TYPE: lambda folder, _: Blip2.load(folder),
    MODEL_TYPE: lambda folder, _: Blip2.load(folder),
    SIGLIP_TYPE: Siglip.load,
    PE_TYPE: lambda folder, _: PeAudioVideo.load(folder),
    SENTENCE_TYPE: lambda folder, _: Sentence.load(folder),
    STORED_TYPE: lambda folder, _: Stored.load(folder),
}
MODEL_TYPES = tuple(READERS)
"""`model_type` of the checkpoints that can be read."""

BROKEN = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)
"""What the readers of transformers and safetensors raise on missing and damaged files."""


def load_backbone(source: str, revision: str | None = None, fusion: Fusion = "sum") -> Backbone:
    """Load a backbone.

    Args:
        source: a checkpoint folder, or a hub id `owner/name`.
        revision: the hub repository's commit hash; required for a hub id.
        fusion: how CLIP or SigLIP composes a query of image and text.

    Raises:
        ConfigError: an architecture Requery does not know, or a hub id without a commit.
        DataError: the files are missing or broken.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = resolve(source, revision)
    kind = read_json(folder / "config.json").get("model_type")
    if kind not in READERS:
        raise ConfigError(
            f"{folder}/config.json: model_type {kind!r} is not known; it is one of {', '.join(READERS)}"
        )
    try:
        return READERS[kind](folder, fusion)
    except BROKEN as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DataError(
            f"{folder}: the checkpoint cannot be read ({reason}); it needs its settings, its tokenizer and "
            "its weights as safetensors: download or convert it again"
        ) from error
