import pytest
import torch
from torch import nn

from requery.adaptation.layer_norms import freeze_all_but, layer_norm_parameters
from requery.errors import ConfigError


def encoder():
    tower = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Dropout())
    return nn.ModuleDict({"visual": tower, "text": nn.LayerNorm(4), "bare": nn.LayerNorm(4, bias=False)})


def test_all_layer_norms_and_nothing_else():
    assert list(layer_norm_parameters(encoder())) == [
        "visual.1.weight",
        "visual.1.bias",
        "text.weight",
        "text.bias",
        "bare.weight",
    ]


def test_parts_by_name_or_by_module():
    model = encoder()
    assert list(layer_norm_parameters(model, ["visual"])) == ["visual.1.weight", "visual.1.bias"]
    assert list(layer_norm_parameters(model, [model["text"], "bare"])) == [
        "text.weight",
        "text.bias",
        "bare.weight",
    ]


def test_a_shared_layer_norm_is_found_once():
    norm = nn.LayerNorm(3)
    assert len(layer_norm_parameters(nn.Sequential(norm, norm))) == 2


def test_a_shared_part_goes_by_both_names():
    model = encoder()
    model["alias"] = model["visual"]
    for name in ("visual", "alias"):
        assert list(layer_norm_parameters(model, [name])) == ["visual.1.weight", "visual.1.bias"]


def test_a_lone_layer_norm():
    assert list(layer_norm_parameters(nn.LayerNorm(3))) == ["weight", "bias"]


def test_what_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"no module vision \(it has visual, visual.0"):
        layer_norm_parameters(encoder(), ["vision"])
    with pytest.raises(ConfigError, match="no LayerNorm"):
        layer_norm_parameters(nn.Linear(2, 2))


def test_the_rest_is_frozen_and_in_evaluation():
    model = encoder().train()
    adapted = layer_norm_parameters(model, ["text"])
    freeze_all_but(model, adapted)
    assert {name for name, p in model.named_parameters() if p.requires_grad} == set(adapted)
    assert not any(module.training for module in model.modules())


def test_an_inference_encoder_is_refused():
    with torch.inference_mode():
        model = nn.LayerNorm(3)
    with pytest.raises(ConfigError, match="inference_mode"):
        freeze_all_but(model, {})
