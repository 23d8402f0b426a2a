"""BLIP-2's Q-Former over a frozen vision tower, as QuRe uses it (2507.12416, section 3 and appendix B).

A query is the Q-Former's reading of the reference image under the modification text: the mean of its
query tokens' projections. A gallery image is the set of its query tokens' projections, each normalised;
the score is the largest inner product with any of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from requery.backbones.base import Backbone, need, unit
from requery.backbones.source import preprocess_of, pretrained, read_json, write_preprocess
from requery.errors import DataError
from requery.files import atomic_bytes
from requery.preprocess import Preprocess

MODEL_TYPE = "requery-blip2"
HUB_TYPE = "blip-2"


class Blip2(Backbone):
    """A vision tower, a layer norm and `Blip2QFormerModel`.

    Args:
        vision: the tower; `CLIPVisionModel` (BLIP-2 ViT-L's 23 layers) or `Blip2VisionModel` (ViT-g).
        qformer: a `Blip2QFormerModel`.
        embeddings: its `Blip2TextEmbeddings`.
        tokenizer: the text tokenizer.
        preprocess: from image to `pixel_values`.
        width: width of the vision tower's tokens.
        dim: width of the shared space (256 in the paper).
        n_tokens: number of query tokens (32 in the paper).
        max_text: tokens a text is cut to (32 in the paper).
        temperature: initial temperature (0.07 in the paper's code).
        shared_vision: folder of the checkpoint whose tower this is; `save` then names it, relative to the new
            folder, and does not write its weights again.
    """

    preprocess: Preprocess

    def __init__(
        self,
        vision: nn.Module,
        qformer: Any,
        embeddings: nn.Module,
        tokenizer: Any,
        preprocess: Preprocess,
        *,
        width: int,
        dim: int = 256,
        n_tokens: int = 32,
        max_text: int = 32,
        temperature: float = 0.07,
        shared_vision: Path | None = None,
    ) -> None:
        super().__init__(vision, tokenizer, preprocess, max_text)
        hidden = qformer.config.hidden_size
        self.ln_vision = nn.LayerNorm(width)
        self.qformer, self.embeddings = qformer, embeddings
        self.query_tokens = nn.Parameter(torch.zeros(1, n_tokens, hidden).normal_(std=0.02))
        self.text_proj, self.vision_proj = nn.Linear(hidden, dim), nn.Linear(hidden, dim)
        self.temperature = nn.Parameter(torch.tensor(temperature))
        self.shared_vision = shared_vision

    def encode_query(self, image: Tensor | None, text: Sequence[str] | None) -> Tensor:
        """`(B, D)`: mean over the query tokens of their `text_proj`, normalised.

        Without a text the query tokens read the image alone. Without an image the text is read alone and
        its first token projected, as BLIP-2's contrastive head does.
        """
        if image is None:
            hidden, _ = self.text_tokens(need(text, "an image or a text", "BLIP-2"))
            return unit(self.text_proj(hidden[:, 0]))
        hidden = self._read(image) if text is None else self._read(image, *self.tokens(text))
        return unit(self.text_proj(hidden).mean(1))

    def encode_gallery(self, image: Tensor | None, text: Sequence[str] | None) -> Tensor:
        """`(B, T, D)`, one unit vector per query token; a gallery of texts has `T = 1`."""
        if image is None:
            return self.encode_query(None, text)[:, None]
        return unit(self.vision_proj(self._read(image)))

    def text_tokens(self, text: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Of the Q-Former as it reads a text alone."""
        ids, mask = self.tokens(text)
        embedded = self.embeddings(input_ids=ids)
        out = self.qformer(query_embeds=embedded, query_length=0, attention_mask=mask)
        return out.last_hidden_state, mask.bool()

    def _read(self, image: Tensor, ids: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Last hidden state at the query positions, `(B, T, hidden)`."""
        tokens = self.query_tokens.expand(len(image), -1, -1)
        n = tokens.shape[1]
        if ids is not None and mask is not None:
            mask = torch.cat([mask.new_ones(len(image), n), mask], dim=1)
            tokens = self.embeddings(input_ids=ids, query_embeds=tokens)
        out = self.qformer(
            query_embeds=tokens,
            query_length=n,
            attention_mask=mask,
            encoder_hidden_states=self.ln_vision(image.to(self.ln_vision.weight.dtype)),
        )
        hidden: Tensor = out.last_hidden_state[:, :n]
        return hidden

    @classmethod
    def load(cls, folder: Path) -> Blip2:
        """Read a checkpoint written by `save`, or a hub `Blip2ForImageTextRetrieval`."""
        config = read_json(folder / "config.json")
        return cls._from_hub(folder) if config["model_type"] == HUB_TYPE else cls._from_own(folder, config)

    @classmethod
    def _from_own(cls, folder: Path, config: dict[str, Any]) -> Blip2:
        from safetensors.torch import load_file
        from transformers import CLIPVisionConfig, CLIPVisionModel, PreTrainedTokenizerFast

        shared = None if config["shared_vision"] is None else folder / config["shared_vision"]
        vision: Any
        if shared is None:
            vision = CLIPVisionModel(CLIPVisionConfig(**config["vision"]))
        elif (shared / "config.json").is_file():
            from requery.backbones.clip import Clip

            vision = Clip.load(shared).vision
        else:
            raise DataError(f"{folder}: shares the vision tower of {shared}, which is not there; restore it")
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        preprocess = preprocess_of(folder, vision.config.image_size)
        model = cls.create(vision, tokenizer, config, preprocess, shared)
        state = load_file(folder / "model.safetensors")
        missing, unknown = model.load_state_dict({k: v.float() for k, v in state.items()}, strict=False)
        missing = [name for name in missing if shared is None or not name.startswith("vision.")]
        if missing or unknown:
            raise DataError(f"{folder}/model.safetensors: missing {missing[:5]}, unknown {unknown[:5]}")
        return model

    @classmethod
    def create(
        cls,
        vision: nn.Module,
        tokenizer: Any,
        config: dict[str, Any],
        preprocess: Preprocess,
        shared_vision: Path | None = None,
    ) -> Blip2:
        """A model with new weights, from the settings `qformer`, `dim`, `n_tokens` and `max_text`."""
        from transformers import Blip2QFormerConfig, Blip2QFormerModel
        from transformers.models.blip_2.modeling_blip_2 import Blip2TextEmbeddings

        tower: Any = vision.config
        width = tower.hidden_size
        settings = Blip2QFormerConfig(**{**config["qformer"], "encoder_hidden_size": width})
        return cls(
            vision,
            Blip2QFormerModel(settings),
            cast(Any, Blip2TextEmbeddings)(settings),
            tokenizer,
            preprocess,
            width=width,
            dim=config["dim"],
            n_tokens=config["n_tokens"],
            max_text=config["max_text"],
            shared_vision=shared_vision,
        )

    @classmethod
    def _from_hub(cls, folder: Path) -> Blip2:
        from transformers import AutoTokenizer, Blip2ForImageTextRetrieval

        model = pretrained(Blip2ForImageTextRetrieval, folder)
        config: Any = model.config
        # the tower's own last layer norm is BLIP-2's ln_vision: it is trained, so it leaves the frozen part
        ln_vision, model.vision_model.post_layernorm = model.vision_model.post_layernorm, nn.Identity()
        out = cls(
            model.vision_model,
            model.qformer,
            model.embeddings,
            AutoTokenizer.from_pretrained(folder, trust_remote_code=False),
            preprocess_of(folder, config.vision_config.image_size),
            width=config.vision_config.hidden_size,
            dim=config.image_text_hidden_size,
            n_tokens=config.num_query_tokens,
        )
        out.ln_vision, out.query_tokens = ln_vision, model.query_tokens
        out.text_proj, out.vision_proj = model.text_projection, model.vision_projection
        return out

    def save(self, folder: str) -> None:
        """Write the checkpoint, half precision; a shared vision tower is named, not written."""
        from safetensors.torch import save

        state = {
            name: value.detach().half().contiguous().clone()
            for name, value in self.state_dict().items()
            if self.shared_vision is None or not name.startswith("vision.")
        }
        shared = self.shared_vision
        config = {
            "model_type": MODEL_TYPE,
            "shared_vision": None if shared is None else Path(os.path.relpath(shared, folder)).as_posix(),
            "vision": None if self.shared_vision else cast(Any, self.vision.config).to_dict(),
            "qformer": self.qformer.config.to_diff_dict(),
            "dim": self.text_proj.out_features,
            "n_tokens": self.query_tokens.shape[1],
            "max_text": self.max_text,
        }
        path = Path(folder)
        atomic_bytes(path / "model.safetensors", save(state))
        atomic_bytes(path / "config.json", (json.dumps(config, indent=1) + "\n").encode())
        self.tokenizer.save_pretrained(folder)
        write_preprocess(self.preprocess, Path(folder))
