"""Adapters sit on the language model alone, change nothing at first, and are read as they were written."""

import json
import sys

import pytest
import torch
from safetensors import safe_open

from requery.errors import ConfigError
from requery.generation import Prompt, Sampling, load_generator
from requery.generation.lora import Lora, put_on, save_adapter, switched_off, weights

WIDTHS = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 300,
}
SIGHT = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 1}


def qwen(version):
    import transformers

    config, model = (
        getattr(transformers, f"{version}{part}") for part in ("Config", "ForConditionalGeneration")
    )
    ropes = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}
    vision = {"depth": 1, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64, "out_hidden_size": 32}
    ends = {
        f"{name}_token_id": 299 - i for i, name in enumerate(("image", "video", "vision_start", "vision_end"))
    }
    text = {**WIDTHS, "rope_parameters": ropes, "head_dim": 16}
    return model(config(text_config=text, vision_config=vision, **ends))


def idefics(version):
    import transformers

    config, model = (
        getattr(transformers, f"{version}{part}") for part in ("Config", "ForConditionalGeneration")
    )
    text = {"model_type": "llama", **WIDTHS}
    return model(config(text_config=text, vision_config={**SIGHT, "image_size": 24, "patch_size": 12}))


FAMILIES = {
    "Qwen2.5-VL": lambda request: qwen("Qwen2_5_VL"),
    "Qwen3-VL": lambda request: qwen("Qwen3VL"),
    "Idefics3": lambda request: idefics("Idefics3"),
    "SmolVLM": lambda request: idefics("SmolVLM"),
    "LLaVA": lambda request: load_generator(request.getfixturevalue("llava"), device="cpu").model,
    "Mllama": lambda request: load_generator(request.getfixturevalue("mllama"), device="cpu").model,
}
ADAPTED = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@pytest.mark.parametrize("family", FAMILIES)
def test_neither_vision_nor_projector_has_an_adapter(request, family):
    model = FAMILIES[family](request)
    put_on(model, Lora(r=2), seed=0)
    layers = {name.partition(".lora_")[0] for name in weights(model)}
    assert len(layers) == 2 * len(ADAPTED)  # two layers of the language model, cross-attention among Mllama's
    for layer in layers:
        assert layer.endswith(ADAPTED) and not any(
            part in layer for part in ("vis", "projector", "connector", "head")
        )
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert trained == set(weights(model))


def test_an_adapter_is_drawn_from_its_seed_and_changes_nothing(mllama, pictures):
    prompts = [Prompt(("red circle",), pictures.load(i), 0) for i in range(3)]
    plain = load_generator(mllama, device="cpu").answer(prompts, Sampling(max_new_tokens=8))
    drawn = []
    for seed in (0, 0, 1):
        generator = load_generator(mllama, device="cpu")
        torch.manual_seed(len(drawn))  # the seed alone counts
        put_on(generator.model, Lora(r=2), seed)
        drawn.append(weights(generator.model))
        answers = generator.answer(prompts, Sampling(max_new_tokens=8))
        assert [a.text for a in answers] == [a.text for a in plain]
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])
    assert not all(torch.equal(drawn[0][name], drawn[2][name]) for name in drawn[0])


def moved(generator, seed=0):
    """Give a generator an adapter that changes its answers."""
    put_on(generator.model, Lora(r=2, alpha=8), seed)
    generation = torch.Generator().manual_seed(7)
    for value in weights(generator.model).values():
        value.data = torch.randn(value.shape, generator=generation) * 0.1
    return generator


@torch.no_grad()
def test_an_adapter_is_read_as_it_was_written(mllama, pictures, tmp_path):
    prompt = Prompt(("red circle",), pictures.load(0), 0)
    generator = moved(load_generator(mllama, device="cpu"))
    inputs = generator.inputs([generator.dialogue(prompt, [])], [prompt])
    logits = generator.model(**inputs).logits
    with switched_off(generator.model):
        base = generator.model(**inputs).logits
    save_adapter(generator.model, tmp_path / "adapter", "owner/name")
    read = load_generator(mllama, adapter=str(tmp_path / "adapter"), device="cpu").model(**inputs).logits
    assert torch.allclose(read, logits, atol=2e-3)
    assert not torch.allclose(base, logits, atol=1e-1)
    assert torch.equal(load_generator(mllama, device="cpu").model(**inputs).logits, base)
    config = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "owner/name" and config["r"] == 2
    with safe_open(tmp_path / "adapter/adapter_model.safetensors", "pt") as file:
        names = list(file.keys())
        assert all(file.get_tensor(name).dtype == torch.float16 for name in names)
    assert "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight" in names
    assert len(names) == len(weights(generator.model))


def test_peft_itself_reads_it(mllama, pictures, tmp_path):
    from peft import PeftModel

    generator = moved(load_generator(mllama, device="cpu"))
    save_adapter(generator.model, tmp_path, "name")
    own = {name: value.half().float() for name, value in weights(generator.model).items()}
    model = PeftModel.from_pretrained(load_generator(mllama, device="cpu").model, tmp_path)
    for name, value in own.items():
        assert torch.equal(model.get_parameter(f"base_model.model.{name}").float(), value)


def test_a_name_that_fits_no_layer_is_refused(mllama):
    with pytest.raises(ConfigError, match=r"no layer is called query_proj; set lora\.targets"):
        put_on(load_generator(mllama, device="cpu").model, Lora(targets="query_proj"), 0)


def test_what_is_absent_is_named_with_its_remedy(mllama, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"needs peft .*pip install 'requery\[lora\]'"):
        put_on(load_generator(mllama, device="cpu").model, Lora(), 0)


@pytest.mark.parametrize("settings", [{"r": 0}, {"alpha": 0.0}, {"dropout": 1.5}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError, match="Lora: "):
        Lora(**settings)
