"""How LAVIS names the weights of BLIP-2 with CLIP's tower, and how our `Blip2` names them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from requery.errors import DataError, first

State = dict[str, Tensor]
Names = tuple[tuple[str, str], ...]

BLOCK, LAYER = r"transformer\.resblocks\.(\d+)\.", r"vision.encoder.layers.\1."
TOWER_NAMES: Names = (
    (r"class_embedding", r"vision.embeddings.class_embedding"),
    (r"positional_embedding", r"vision.embeddings.position_embedding.weight"),
    (r"conv1\.weight", r"vision.embeddings.patch_embedding.weight"),
    (r"ln_pre\.(.+)", r"vision.pre_layrnorm.\1"),
    (BLOCK + r"ln_([12]\..+)", LAYER + r"layer_norm\2"),
    (BLOCK + r"attn\.in_proj_(.+)", LAYER + r"self_attn.{}_proj.\2"),
    (BLOCK + r"attn\.out_proj\.(.+)", LAYER + r"self_attn.out_proj.\2"),
    (BLOCK + r"mlp\.c_fc\.(.+)", LAYER + r"mlp.fc1.\2"),
    (BLOCK + r"mlp\.c_proj\.(.+)", LAYER + r"mlp.fc2.\2"),
)
"""OpenAI CLIP's names and ours; `{}` stands for q, k and v, which are stacked in one tensor there."""

HEAD_NAMES: Names = (
    (r"query_tokens", r"query_tokens"),
    (r"temp", r"temperature"),
    (r"((ln_vision|text_proj|vision_proj)\..+)", r"\1"),
    (r"Qformer\.bert\.embeddings\.LayerNorm\.(.+)", r"qformer.layernorm.\1"),
    (r"Qformer\.bert\.(embeddings\.(word|position)_embeddings\..+)", r"\1"),
    (r"Qformer\.bert\.(encoder\.layer\.\d+\.(cross)?attention)\.self\.(.+)", r"qformer.\1.attention.\3"),
    (r"Qformer\.bert\.(encoder\.layer\.\d+\..+)", r"qformer.\1"),
)
"""The names of all but the tower; the first pattern that fits counts."""

UNUSED = re.compile(
    r"itm_head\.(weight|bias)"  # image–text matching
    r"|Qformer\.cls\.predictions\.(bias|(decoder|transform\.(dense|LayerNorm))\.(weight|bias))"  # captions
    r"|Qformer\.bert\.embeddings\.position_ids"  # 0, 1, 2, …
)
"""What a checkpoint holds beside: retrieval has no use for it."""


def rename(state: State, names: Names, path: Path) -> State:
    """The weights under our names.

    Raises:
        DataError: a name that is not in the table.
    """
    out: State = {}
    unknown = []
    for name, value in state.items():
        new = next((m.expand(to) for at, to in names if (m := re.fullmatch(at, name))), None)
        if new is None:
            unknown.append(name)
        elif "{}" in new:
            out.update({new.format(part): piece for part, piece in zip("qkv", value.chunk(3), strict=True)})
        else:
            out[new] = value
    refuse(path, "unknown weights", unknown)
    return out


def refuse(where: str | Path, what: str, names: Iterable[str]) -> None:
    """Raise DataError, listing the first ten, where there are names to complain of."""
    if listed := sorted(names):
        raise DataError(f"{where}: {what}: {first(listed)}; is this BLIP-2 of LAVIS with CLIP's tower?")
