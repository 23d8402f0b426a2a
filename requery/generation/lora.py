"""LoRA adapters on generators (Hu et al. 2022): put on, switched off, written without what is below."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from requery.errors import ConfigError
from requery.ranges import at_least, between

LANGUAGE = (
    r"(?:.*\.)?(?:language_model|text_model)\..*\."
    r"(?:q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
)
"""Attention, cross-attention and feed-forward of the language model: `language_model` in Mllama, Qwen-VL and
LLaVA, `text_model` in Idefics3 and SmolVLM. PEFT's own default takes the vision tower's layers too."""
NAME = "default"
"""PEFT's name of an adapter that is alone."""


@dataclass(frozen=True)
class Lora:
    """What is put on a generator.

    Args:
        r: rank.
        alpha: updates are scaled by alpha / r.
        dropout: share of an adapter's inputs that is hidden in training.
        targets: regular expression that whole names of the adapted layers match; null = the projections of
            the language model.
    """

    r: int = 16
    alpha: float = 32.0
    dropout: float = 0.05
    targets: str | None = None

    def __post_init__(self) -> None:
        at_least(self, 1, "r")
        between(self, 0, 1, "dropout")
        if not self.alpha > 0:
            raise ConfigError(f"Lora: alpha={self.alpha!r} must be above 0")


def put_on(model: Any, lora: Lora, seed: int) -> None:
    """Freeze a model and put an adapter on it, in float32, that changes nothing as yet.

    Args:
        model: a generator's model, of transformers.
        lora: what is put on.
        seed: of the initial weights.

    Raises:
        ConfigError: peft is not installed, or no layer has a fitting name.
    """
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise ConfigError(f"LoRA needs peft ({error}): pip install 'requery[lora]'") from error
    targets = lora.targets or LANGUAGE
    layers = [name for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)]
    if not any(re.fullmatch(targets, name) for name in layers):
        raise ConfigError(
            f"{type(model).__name__}: no layer is called {targets}; set lora.targets to an expression for "
            f"names such as {layers[-1]}"
        )
    model.requires_grad_(False)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        settings: Any = {"r": lora.r, "lora_alpha": lora.alpha, "lora_dropout": lora.dropout}
        config = LoraConfig(**settings, target_modules=targets, bias="none", task_type="CAUSAL_LM")
        model.add_adapter(config, NAME)
    model.train(model.training)  # the adapter's layers too, which begin in training mode
    for parameter in weights(model).values():
        parameter.data = parameter.data.float()  # updates are lost in half precision


def weights(model: Any) -> dict[str, torch.nn.Parameter]:
    """The adapter's weights by their names in the model."""
    return {name: value for name, value in model.named_parameters() if is_adapter(name)}


def is_adapter(name: str) -> bool:
    """Whether a parameter belongs to an adapter."""
    return ".lora_" in name


@contextmanager
def switched_off(model: Any) -> Iterator[None]:
    """The model as it is without its adapter."""
    model.disable_adapters()
    try:
        yield
    finally:
        model.enable_adapters()


def save_adapter(model: Any, folder: Path, base: str) -> None:
    """Write the adapter as PEFT does, in half precision, for `load_generator(adapter=folder)`.

    Args:
        model: with an adapter.
        folder: is made; what it holds of an older adapter is replaced.
        base: what the base model is called.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state: dict[str, Tensor] = {
        f"base_model.model.{name.replace(f'.{NAME}.', '.')}": value.detach().half().cpu().contiguous()
        for name, value in weights(model).items()
    }
    config = model.peft_config[NAME]
    config.base_model_name_or_path, config.inference_mode = base, True
    save_file(state, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(folder)
