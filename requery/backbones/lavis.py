"""LAVIS' BLIP-2 checkpoints with CLIP's tower (`blip2_pretrained_vitL.pth`, QuRe's start) as our own folder.

LAVIS does not store a tower that stayed frozen: `blip2_pretrained_vitL.pth` then needs `clip_vit_L.pth`,
whose weights keep OpenAI CLIP's names. That tower has a layer norm before its blocks and none after them, and
QuickGELU inside. BLIP-2 leaves out CLIP's last block; all blocks of LAVIS' file are used, 23 as in its code
of today (an earlier version built 21 of them). Every size is read from the tensors.

The official files could not be fetched where this was written: the names were taken from LAVIS' code, and the
conversion was checked on a small model of the same layout.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from requery.backbones.blip2 import Blip2
from requery.backbones.lavis_names import HEAD_NAMES, TOWER_NAMES, UNUSED, State, refuse, rename
from requery.errors import ConfigError, DataError
from requery.preprocess import Preprocess

TOWER = "visual_encoder."
"""Prefix of the tower's names in a checkpoint that holds one; a file of the tower alone has no prefix."""

DECODER_MARK = "[DEC]"
"""LAVIS adds it to BERT's vocabulary as the first token of a caption: one more row of embeddings."""

MAX_TEXT = 32
HEAD_WIDTH = 64
"""Channels of an attention head, in every CLIP tower and in BERT."""


def convert(checkpoint: Path, output: Path, tokenizer: str | Path, vision: Path | None = None) -> Blip2:
    """Write a folder that `load_backbone` reads.

    Args:
        checkpoint: LAVIS' file, such as `blip2_pretrained_vitL.pth`.
        output: the folder to write.
        tokenizer: folder of bert-base-uncased, or its hub id and commit as `owner/name@commit`.
        vision: the tower's file (`clip_vit_L.pth`), for a checkpoint without `visual_encoder.*`.

    Returns:
        the model that was written.

    Raises:
        ConfigError: the tower is given twice or not at all, or the tokenizer's hub id has no commit.
        DataError: a file cannot be read, or its weights are not those of this layout.
    """
    state = _read(checkpoint)
    tower = {name.removeprefix(TOWER): state.pop(name) for name in list(state) if name.startswith(TOWER)}
    if tower and vision is not None:
        raise ConfigError(f"{checkpoint} holds a vision tower of its own; leave {vision} out")
    if not tower and vision is None:
        raise ConfigError(f"{checkpoint} holds no {TOWER}*; give the tower's file too, clip_vit_L.pth")
    where = str(checkpoint)
    if vision is not None:
        tower, where = _read(vision), f"{checkpoint} with {vision}"
    head = {name: value for name, value in state.items() if not UNUSED.fullmatch(name)}
    weights = rename(head, HEAD_NAMES, checkpoint) | rename(tower, TOWER_NAMES, vision or checkpoint)
    model = _build(weights, _tokenizer(tokenizer), where)
    model.save(str(output))
    return model


def _read(path: Path) -> State:
    """The tensors of a file; nothing but tensors and plain containers is ever unpickled."""
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(f"{path}: refused, it is no file of plain tensors; download it again") from error
    except (OSError, EOFError, RuntimeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); download it again") from error
    state = data.get("model", data) if isinstance(data, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise DataError(f"{path}: holds no state dict; give the .pth file of LAVIS")
    return state


def _tokenizer(source: str | Path) -> Any:
    from transformers import AutoTokenizer

    name, _, commit = str(source).partition("@")
    folder = Path(source).is_dir()
    if not folder and not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise ConfigError(f"tokenizer {source}: no such folder; or give a hub id as owner/name@commit")
    load = partial(cast(Any, AutoTokenizer).from_pretrained, trust_remote_code=False)
    try:
        tokenizer = load(source) if folder else load(name, revision=commit)
    except (OSError, ValueError) as error:
        raise DataError(f"tokenizer {source}: cannot be read; give bert-base-uncased's folder") from error
    tokenizer.add_special_tokens({"bos_token": DECODER_MARK})
    return tokenizer


def _build(weights: State, tokenizer: Any, where: str) -> Blip2:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    tower, qformer, head = _sizes(weights, where)
    if len(tokenizer) != qformer["vocab_size"]:
        raise DataError(
            f"{where}: embeds {qformer['vocab_size']} tokens, the tokenizer with {DECODER_MARK} has "
            f"{len(tokenizer)}; give bert-base-uncased's"
        )
    qformer["pad_token_id"] = tokenizer.pad_token_id
    settings = {"qformer": qformer, **head, "max_text": MAX_TEXT}
    vision = CLIPVisionModel(CLIPVisionConfig(**tower))
    model = Blip2.create(vision, tokenizer, settings, Preprocess(tower["image_size"])).eval()
    # transformers' class has a last layer norm, which only its pooled output passes
    expected = {name: v.shape for name, v in model.state_dict().items() if "post_layernorm" not in name}
    refuse(where, "unknown weights", weights.keys() - expected.keys())
    refuse(where, "missing weights", expected.keys() - weights.keys())
    refuse(where, "weights of another shape", (n for n, v in weights.items() if v.shape != expected[n]))
    model.load_state_dict({name: value.float() for name, value in weights.items()}, strict=False)
    return model


def _sizes(weights: State, where: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Settings of the tower, of the Q-Former and of what lies above it, read from the shapes."""
    sources = {
        "patch": "vision.embeddings.patch_embedding.weight",
        "position": "vision.embeddings.position_embedding.weight",
        "tower_mlp": "vision.encoder.layers.0.mlp.fc1.weight",
        "word": "embeddings.word_embeddings.weight",
        "place": "embeddings.position_embeddings.weight",
        "mlp": "qformer.encoder.layer.0.intermediate.dense.weight",
        "query": "query_tokens",
        "projection": "text_proj.weight",
    }
    refuse(where, "missing weights", set(sources.values()) - weights.keys())
    shape = {key: weights[name].shape for key, name in sources.items()}
    width, channels, patch, _ = shape["patch"]
    tower = {
        **_transformer(
            width, shape["tower_mlp"][0], _numbers(weights, r"vision\.encoder\.layers\.(\d+)\..+")
        ),
        "num_channels": channels,
        "patch_size": patch,
        "image_size": patch * math.isqrt(shape["position"][0] - 1),  # one position is the class token's
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
    }
    vocabulary, hidden = shape["word"]
    layers = _numbers(weights, r"qformer\.encoder\.layer\.(\d+)\..+")
    crossed = sorted(_numbers(weights, r"qformer\.encoder\.layer\.(\d+)\.crossattention\..+"))
    qformer = {
        **_transformer(hidden, shape["mlp"][0], layers),
        "vocab_size": vocabulary,
        "max_position_embeddings": shape["place"][0],
        "cross_attention_frequency": crossed[1] - crossed[0] if len(crossed) > 1 else len(layers),
        "use_qformer_text_input": True,
    }
    return tower, qformer, {"dim": shape["projection"][0], "n_tokens": shape["query"][1]}


def _transformer(width: int, inner: int, layers: set[int]) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "intermediate_size": inner,
        "num_attention_heads": width // HEAD_WIDTH,
        "num_hidden_layers": 1 + max(layers),
    }


def _numbers(names: Iterable[str], pattern: str) -> set[int]:
    return {int(match[1]) for name in names if (match := re.fullmatch(pattern, name))}
