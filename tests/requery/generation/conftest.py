"""Tiny models of the real classes, saved as checkpoints are, and images for them."""

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from requery.backbones.tokenizer import learn_tokenizer
from requery.errors import DataError

TEXTS = ["USER: describe the red circle ASSISTANT: a blue star at the top left", "write a short caption"]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {% for part in m.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %} | {% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 24,
    "patch_size": 12,
}
TEXT = {**VISION, "num_key_value_heads": 2, "max_position_embeddings": 256}


class Pictures:
    """Images of four colours; those in `broken` cannot be decoded."""

    def __init__(self, n=6, broken=()):
        self.ids, self.broken, self.loaded = [f"pictures/{i}.png" for i in range(n)], broken, []

    def __len__(self):
        return len(self.ids)

    def load(self, position):
        self.loaded.append(position)
        if position in self.broken:
            raise DataError(f"{self.ids[position]}: damaged; fetch it again")
        colours = np.random.default_rng(position).integers(0, 256, (2, 2, 3), dtype=np.uint8)
        return Image.fromarray(colours.repeat(12, axis=0).repeat(12, axis=1))

    def digest(self, position):
        return hashlib.sha256(f"picture {position}".encode()).hexdigest()


@pytest.fixture
def pictures():
    return Pictures()


def marks(tokenizer):
    return {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}


def save(model, folder, *parts, std=0.3):
    torch.manual_seed(0)
    for parameter in model.parameters():  # far from uniform, so that greedy tokens differ by image
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=std)
        elif parameter.numel() == 1:  # Mllama's gates, closed at first
            torch.nn.init.ones_(parameter)
    for part in (model, *parts):
        part.save_pretrained(folder)
    return str(folder)


def square(processor_class):
    return processor_class(size={"height": 24, "width": 24})


@pytest.fixture(scope="session")
def encoder_decoder(tmp_path_factory):
    """ViT and GPT-2, as the shipped captioner is made."""
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        CLIPVisionModel,
        GPT2Config,
        GPT2LMHeadModel,
        VisionEncoderDecoderModel,
    )

    tokenizer = learn_tokenizer(TEXTS, 300, 24)
    decoder = GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=16, add_cross_attention=True
    )
    model = VisionEncoderDecoderModel(
        encoder=CLIPVisionModel(CLIPVisionConfig(**VISION)), decoder=GPT2LMHeadModel(decoder)
    )
    model.generation_config.update(decoder_start_token_id=tokenizer.bos_token_id, **marks(tokenizer))
    model.generation_config.update(num_beams=3, repetition_penalty=9.0)  # a checkpoint's own wishes
    images = CLIPImageProcessorPil(size={"shortest_edge": 24}, crop_size=24)
    return save(model, tmp_path_factory.mktemp("models") / "vit_gpt2", tokenizer, images)


@pytest.fixture(scope="session")
def blip(tmp_path_factory):
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessorPil

    tokenizer = learn_tokenizer(TEXTS, 300, 24)
    text = {
        **TEXT,
        **marks(tokenizer),
        "sep_token_id": tokenizer.eos_token_id,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 16,
        "encoder_hidden_size": 32,
    }
    model = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=VISION))
    return save(model, tmp_path_factory.mktemp("models") / "blip", tokenizer, square(BlipImageProcessorPil))


def llava_folder(folder, template):
    from transformers import CLIPImageProcessorPil, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    tokenizer = learn_tokenizer(TEXTS, 300, 256)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    config = LlavaConfig(
        vision_config={"model_type": "clip_vision_model", **VISION},
        text_config={
            "model_type": "llama",
            **TEXT,
            **marks(tokenizer),
            "vocab_size": len(tokenizer),
            "head_dim": 16,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    images = CLIPImageProcessorPil(size={"shortest_edge": 24}, crop_size=24)
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=12,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    )
    return save(LlavaForConditionalGeneration(config), folder, processor)


@pytest.fixture(scope="session")
def llava(tmp_path_factory):
    """LLaVA without a chat template."""
    return llava_folder(tmp_path_factory.mktemp("models") / "llava", None)


@pytest.fixture(scope="session")
def llava_chat(tmp_path_factory):
    """LLaVA with one."""
    return llava_folder(tmp_path_factory.mktemp("models") / "llava_chat", TEMPLATE)


@pytest.fixture(scope="session")
def mllama(tmp_path_factory):
    """Llama 3.2 Vision, which QueryFormer uses."""
    from transformers import (
        MllamaConfig,
        MllamaForConditionalGeneration,
        MllamaImageProcessorPil,
        MllamaProcessor,
    )

    tokenizer = learn_tokenizer(TEXTS, 300, 256)
    words = len(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|image|>", "<|python_tag|>"]})
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_global_layers": 1,
        "attention_heads": 2,
        "image_size": 24,
        "patch_size": 12,
        "max_num_tiles": 2,
        "intermediate_layers_indices": [0],
        "vision_output_dim": 64,
        "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
    }
    text = {**TEXT, **marks(tokenizer), "vocab_size": words, "cross_attention_layers": [1]}
    model = MllamaForConditionalGeneration(
        MllamaConfig(vision_config=vision, text_config=text, image_token_index=words)
    )
    images = MllamaImageProcessorPil(size={"height": 24, "width": 24}, max_image_tiles=2)
    processor = MllamaProcessor(images, tokenizer, TEMPLATE.replace("<image>", "<|image|>"))
    return save(model, tmp_path_factory.mktemp("models") / "mllama", processor, std=0.15)
