"""A trained summarizer as a folder: its settings, its weights, and what it reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from requery.backbones.source import read_json
from requery.errors import ConfigError, DataError, first
from requery.feedback.summarizer import AttentiveFeedbackSummarizer
from requery.files import atomic_bytes

MODEL_TYPE = "requery-afs"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Head:
    """What a summarizer reads, and its size.

    Args:
        images: it reads the tokens of the shown images.
        captions: it reads those of their captions. Neither: the query-only control.
        mask_padding: padding is hidden from it; officially it is read.
        k: items shown in training.
        dim: width inside; officially 768 for CLIP, 256 for BLIP-2 and SigLIP.
        heads: of attention; officially 12 and 16.
        depth: blocks.
    """

    images: bool = True
    captions: bool = True
    mask_padding: bool = True
    k: int = 5
    dim: int = 768
    heads: int = 12
    depth: int = 2

    @property
    def query_only(self) -> bool:
        """Whether it sees no feedback."""
        return not (self.images or self.captions)


@dataclass(frozen=True)
class Widths:
    """Of the tokens a summarizer reads and of what it gives."""

    text_dim: int
    vision_dim: int
    output_dim: int


def make_summarizer(head: Head, widths: Widths) -> AttentiveFeedbackSummarizer:
    """One with new weights; those of what it does not read are left out of its training."""
    sizes = (widths.text_dim, widths.vision_dim, widths.output_dim)
    model = AttentiveFeedbackSummarizer(*sizes, head.dim, head.heads, head.depth)
    model.vision_projection.requires_grad_(head.images)
    block = model.pooler.cross_attention_block
    block.norm1.requires_grad_(not head.query_only)
    block.xattn.requires_grad_(not head.query_only)
    return model


def save_summarizer(model: AttentiveFeedbackSummarizer, head: Head, widths: Widths, folder: Path) -> None:
    """Write the folder, in half precision; the settings come last."""
    state = {name: value.detach().half().cpu().contiguous() for name, value in model.state_dict().items()}
    atomic_bytes(folder / WEIGHTS, save(state))
    config = {"model_type": MODEL_TYPE, **asdict(head), **asdict(widths)}
    atomic_bytes(folder / "config.json", (json.dumps(config, indent=1) + "\n").encode())


def load_summarizer(folder: Path, widths: Widths) -> tuple[AttentiveFeedbackSummarizer, Head]:
    """Read the folder; weights have the names of the authors' checkpoints.

    Args:
        folder: with `config.json` and `model.safetensors`.
        widths: of the backbone it is to be used with.

    Raises:
        ConfigError: it was trained for another backbone.
        DataError: files are missing or damaged.
    """
    config = read_json(folder / "config.json")
    if config.pop("model_type", None) != MODEL_TYPE:
        raise DataError(
            f"{folder}/config.json: its model_type is not {MODEL_TYPE}; give a summarizer's folder"
        )
    try:
        its = Widths(*(config.pop(name) for name in Widths.__annotations__))
        head = Head(**config)
        state = load_file(folder / WEIGHTS)
    except (KeyError, TypeError, OSError, SafetensorError) as error:
        raise DataError(f"{folder}: the summarizer cannot be read ({error}); train it again") from error
    if its != widths:
        raise ConfigError(f"{folder}: made for {its}, the backbone has {widths}; train one for it")
    model = make_summarizer(head, widths)
    missing, unknown = model.load_state_dict({k: v.float() for k, v in state.items()}, strict=False)
    if missing or unknown:
        raise DataError(f"{folder}/{WEIGHTS}: lacks {first(missing)}, has unknown {first(unknown)}")
    return model.eval(), head
