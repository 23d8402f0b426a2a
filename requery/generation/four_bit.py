"""A generator's language model in 4 bits (NF4, Dettmers et al. 2023): a third of the memory, on a GPU."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch

from requery.errors import ConfigError

WHOLE = ["vision_model", "vision_tower", "visual", "connector", "multi_modal_projector", "lm_head"]
"""What stays in full: sight and the head lose most and hold little."""


def in_four_bits(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Arguments of `from_pretrained`.

    Args:
        device: a GPU.
        dtype: of the arithmetic, and of what is not quantised.

    Raises:
        ConfigError: the device is none, or bitsandbytes is not installed.
    """
    if device.type != "cuda":
        raise ConfigError(f"4 bits need a GPU of NVIDIA, and the device is {device}: leave four_bit false")
    if find_spec("bitsandbytes") is None:
        raise ConfigError("4 bits need bitsandbytes: pip install 'requery[fourbit]'")
    import transformers

    settings: Any = transformers.BitsAndBytesConfig  # carries no types
    config = settings(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=WHOLE,
    )
    return {"quantization_config": config, "device_map": {"": device}}
