"""Four bits: what they need is said, and the settings are those of QLoRA. The arithmetic needs a GPU."""

import pytest
import torch

from requery.errors import ConfigError
from requery.generation import four_bit, load_generator
from requery.generation.four_bit import in_four_bits


def test_a_gpu_is_needed(mllama):
    with pytest.raises(ConfigError, match="need a GPU of NVIDIA, and the device is cpu"):
        load_generator(mllama, device="cpu", four_bit=True)


def test_the_package_is_needed(monkeypatch):
    monkeypatch.setattr(four_bit, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'requery\[fourbit\]'"):
        in_four_bits(torch.device("cuda:0"), torch.bfloat16)


def test_sight_and_the_head_stay_whole(monkeypatch):
    monkeypatch.setattr(four_bit, "find_spec", lambda name: True)
    options = in_four_bits(torch.device("cuda:1"), torch.bfloat16)
    config = options["quantization_config"]
    assert config.load_in_4bit and config.bnb_4bit_quant_type == "nf4"
    assert config.bnb_4bit_compute_dtype is torch.bfloat16
    assert {"vision_model", "visual", "lm_head"} <= set(config.llm_int8_skip_modules)
    assert options["device_map"] == {"": torch.device("cuda:1")}
