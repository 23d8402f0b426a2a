"""Make a small Mllama, the class of Llama 3.2 Vision, from scratch on image–text pairs."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from lightning_modules.caption_pretraining import CaptionPretraining
from requery.expansion.prompts import PROMPTS
from requery.ranges import one_of

IMAGE, ANSWER = "<|image|>", "<|answer|>"
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% for part in message.content %}"
    f"{{% if part.type == 'image' %}}{IMAGE}{{% else %}}{{{{ part.text }}}}{{% endif %}}{{% endfor %}}"
    f"{{% if message.role == 'user' %}}{ANSWER}{{% else %}}{{{{ eos_token }}}}{{% endif %}}{{% endfor %}}"
)
"""`<bos><|image|>question<|answer|>answer<eos>question …`: as few tokens as a dialogue can do with."""


class MllamaPretraining(CaptionPretraining):
    """Next-token prediction of an image's captions by `MllamaForConditionalGeneration`.

    The dialogue is that of query expansion's first step: the image, the prompt that asks for a caption, and
    the caption, the only part on which there is a loss. Questions are left to a LoRA. The checkpoint is read
    by `requery.generation.load_generator`.

    Args:
        output: folder the checkpoint is written to.
        captions: `any` draws one of an image's captions in each epoch; `first` always reads the first, for
            images whose other texts are keywords.
        prompts: version of `requery.expansion.prompts` whose prompt asks for the caption.
        px: side of the images in pixels.
        patch: side of a patch in pixels.
        width: width of the vision tower and of the language model.
        vision_layers: layers of the vision tower; what the language model looks at is the first's output
            beside the last's.
        layers: layers of the language model; every second is cross-attention.
        heads: attention heads of both.
        vocabulary: tokens of the byte-level BPE, learnt from the captions.
        max_text: places of the language model. Words that captions lack become many tokens, so that questions
            and passages need more room than captions.
        lr: highest learning rate.
        weight_decay: AdamW's weight decay.
        warmup: share of the steps in which the learning rate rises.
        seed: which caption of an image is read in an epoch.
    """

    def __init__(
        self,
        output: str,
        captions: Literal["any", "first"] = "any",
        prompts: str = "short@1",
        px: int = 48,
        patch: int = 8,
        width: int = 128,
        vision_layers: int = 4,
        layers: int = 4,
        heads: int = 4,
        vocabulary: int = 512,
        max_text: int = 512,
        lr: float = 2e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(output, captions, px, vocabulary, max_text, lr, weight_decay, warmup, seed)
        self.prompts = prompts
        one_of(self, "prompts", list(PROMPTS))
        # transformers' 0.02 suits widths of thousands; from there this learns half as fast
        shared = {"hidden_size": width, "intermediate_size": 2 * width, "initializer_range": 0.06}
        self.vision = {
            **shared,
            "num_hidden_layers": vision_layers,
            "num_global_layers": 0,
            "attention_heads": heads,
            "image_size": px,
            "patch_size": patch,
            "max_num_tiles": 1,
            "supported_aspect_ratios": [[1, 1]],
            "intermediate_layers_indices": [1],
            "vision_output_dim": 2 * width,
        }
        self.text = {
            **shared,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "cross_attention_layers": list(range(1, layers, 2)),
            "max_position_embeddings": max_text,
        }

    def build(self, marks: dict[str, int]) -> None:
        from transformers import (
            MllamaConfig,
            MllamaForConditionalGeneration,
            MllamaImageProcessorPil,
            MllamaProcessor,
        )

        words = len(self.tokenizer)  # below these ids is what can be said, above what is only read
        self.tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE, ANSWER]})
        images = MllamaImageProcessorPil(size={"height": self.px, "width": self.px}, max_image_tiles=1)
        self.processor = MllamaProcessor(images, self.tokenizer, TEMPLATE)
        question = {"type": "text", "text": PROMPTS[self.prompts].caption}
        asked = {"role": "user", "content": [{"type": "image"}, question]}
        text = self.processor.apply_chat_template([asked], tokenize=False)
        read = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")
        self.asked: Tensor = read["input_ids"]  # (1, P)
        config = MllamaConfig(
            vision_config=self.vision,
            text_config={**self.text, **marks, "vocab_size": words},
            image_token_index=words,
        )
        self.model = MllamaForConditionalGeneration(config)
        self._open()

    def _open(self) -> None:
        """Begin with the image in sight.

        Cross-attention is added to a finished language model with its gates shut, so that it changes nothing
        at first; here there is none to protect, and behind shut gates the image is not found within minutes.
        Nor is what is where, with embeddings of places far smaller than those of patches.
        """
        parts = self.model.model
        for layer in self.text["cross_attention_layers"]:
            block = parts.language_model.layers[layer]
            torch.nn.init.ones_(block.cross_attn_attn_gate)
            torch.nn.init.ones_(block.cross_attn_mlp_gate)
        torch.nn.init.normal_(parts.vision_model.gated_positional_embedding.embedding, std=0.5)

    def logits(self, pixels: Tensor, ids: Tensor) -> Tensor:
        rows, asked = len(ids), self.asked.to(ids.device)
        written = torch.cat([asked.expand(rows, -1), ids[:, 1:-1]], dim=1)  # (B, P + T - 2)
        shown = (written == self.model.config.image_token_index).cumsum(dim=1)  # from the image's token on
        one = torch.ones(rows, 1, dtype=torch.int64, device=ids.device)  # one image of one tile
        logits: Tensor = self.model(
            input_ids=written,
            cross_attention_mask=shown[:, :, None, None],
            pixel_values=pixels,
            aspect_ratio_ids=one,
            aspect_ratio_mask=one[:, :, None],
            logits_to_keep=ids.shape[1] - 1,  # the prompt is not learnt
            use_cache=False,
        ).logits
        return logits
