"""Projections of stored features."""

import numpy as np
import pytest
import torch
from torch.nn.functional import layer_norm, normalize

from requery.adaptation.layer_norms import layer_norm_parameters
from requery.backbones import Stored, load_backbone
from requery.errors import ConfigError, DataError
from requery.sound import Waveform


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Stored({"audio": 6, "video": 4}, 3).eval()


def test_a_projection_by_hand(model):
    tokens = torch.randn(2, 5, 4)
    norm, linear = model.vision["video"].norm, model.vision["video"].projection
    normed = layer_norm(tokens, (4,), norm.weight, norm.bias)
    rows = torch.stack([(tokens @ linear.weight.T + linear.bias).mean(0) for tokens in normed])
    made = model.encode_gallery(model.image_features(tokens, "video"), None)
    assert torch.allclose(made, normalize(rows, dim=-1)[:, None], atol=1e-6)


def test_saved_in_half_precision_and_read_again(model, tmp_path):
    model.save(str(tmp_path))
    again = load_backbone(str(tmp_path))
    assert isinstance(again, Stored) and again.config == model.config
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value.half().float())
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(DataError, match="the checkpoint cannot be read"):
        load_backbone(str(tmp_path))


def test_a_side_can_be_adapted_alone(model):
    assert list(layer_norm_parameters(model, ["vision.audio"])) == [
        "vision.audio.norm.weight",
        "vision.audio.norm.bias",
    ]


def test_sounds_and_videos_are_refused(model):
    for item in (Waveform(np.ones(9, np.float32), 8000), np.zeros((2, 4, 4, 3), np.uint8)):
        with pytest.raises(ConfigError, match="reads stored features: set data's clips: features"):
            model.preprocess(item)
