"""Make a small captioner: a Swin encoder and a GPT-2 decoder, from scratch on image–text pairs."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from lightning_modules.caption_pretraining import CaptionPretraining


class CaptionerPretraining(CaptionPretraining):
    """Next-token prediction of an image's captions by `VisionEncoderDecoderModel`.

    Swin (Liu et al. 2021), not ViT: small windows find small shapes with few examples. The checkpoint is read
    by `requery.generation.load_generator`.

    Args:
        output: folder the checkpoint is written to.
        captions: `any` draws one of an image's captions in each epoch; `first` always reads the first, for
            images whose other texts are keywords.
        px: side of the images in pixels.
        patch: side of a patch in pixels; each stage after the first halves the grid of patches.
        window: side of a window in patches; no larger than any stage's grid.
        width: width of the first stage, doubled by each of the next; the last one's is the decoder's.
        depths: layers of each stage.
        layers: layers of the decoder, each with cross-attention.
        heads: attention heads of the decoder.
        vocabulary: tokens of the byte-level BPE, learnt from the captions.
        max_text: longest caption in tokens.
        lr: highest learning rate.
        weight_decay: AdamW's weight decay.
        warmup: share of the steps in which the learning rate rises.
        seed: which caption of an image is read in an epoch.
    """

    def __init__(
        self,
        output: str,
        captions: Literal["any", "first"] = "any",
        px: int = 48,
        patch: int = 4,
        window: int = 3,
        width: int = 32,
        depths: tuple[int, ...] = (2, 2, 2),
        layers: int = 2,
        heads: int = 4,
        vocabulary: int = 512,
        max_text: int = 40,
        lr: float = 2e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(output, captions, px, vocabulary, max_text, lr, weight_decay, warmup, seed)
        self.encoder = {
            "image_size": px,
            "patch_size": patch,
            "window_size": window,
            "embed_dim": width,
            "depths": list(depths),
            "num_heads": [max(1, width * 2**stage // 32) for stage in range(len(depths))],
            "use_absolute_embeddings": True,  # captions name places
            "drop_path_rate": 0.0,
        }
        drops = dict.fromkeys(("attn_pdrop", "embd_pdrop", "resid_pdrop"), 0.0)
        self.decoder = {"n_layer": layers, "n_head": heads, "n_positions": max_text, **drops}

    def build(self, marks: dict[str, int]) -> None:
        from transformers import CLIPImageProcessorPil, GPT2Config, GPT2LMHeadModel, SwinConfig, SwinModel
        from transformers import VisionEncoderDecoderModel as Captioner

        encoder = SwinModel(SwinConfig(**self.encoder), add_pooling_layer=False)
        # Swin begins with zeros, and what an object is where is then not learnt in minutes
        torch.nn.init.normal_(encoder.embeddings.position_embeddings, std=0.5)
        sizes = {"vocab_size": len(self.tokenizer), "n_embd": encoder.config.hidden_size}
        decoder = GPT2Config(**self.decoder, **sizes, **marks, add_cross_attention=True)
        self.model = Captioner(encoder=encoder, decoder=GPT2LMHeadModel(decoder))
        self.model.generation_config.update(decoder_start_token_id=marks["bos_token_id"], **marks)
        self.processor = CLIPImageProcessorPil(size={"shortest_edge": self.px}, crop_size=self.px)

    def logits(self, pixels: Tensor, ids: Tensor) -> Tensor:
        logits: Tensor = self.model(pixel_values=pixels, decoder_input_ids=ids[:, :-1]).logits
        return logits
