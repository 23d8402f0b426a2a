"""CLIP through the backbone interface equals CLIP called directly."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from requery.backbones import Clip, load_backbone
from requery.errors import ConfigError, DataError

TEXTS = ["a large red circle", "star"]


@torch.no_grad()
def test_embeddings_are_transformers_own(clip):
    pixels = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    image = normalize(clip.model.get_image_features(pixel_values=pixels).pooler_output, dim=-1)
    batch = clip.tokenizer(TEXTS, padding="max_length", max_length=24, return_tensors="pt")
    text = normalize(
        clip.model.get_text_features(batch["input_ids"], batch["attention_mask"]).pooler_output, dim=-1
    )
    tokens = clip.image_features(pixels)
    assert torch.allclose(clip.encode_gallery(tokens, None)[:, 0], image, atol=1e-6)
    assert torch.allclose(clip.encode_query(None, TEXTS), text, atol=1e-6)
    assert torch.allclose(clip.encode_gallery(None, TEXTS)[:, 0], text, atol=1e-6)
    assert torch.allclose(clip.encode_query(tokens, TEXTS), normalize(image + text, dim=-1), atol=1e-6)


@torch.no_grad()
def test_fusion_chooses_the_side(clip, tokens):
    texts = ["a", "b", "c", "d"]
    for fusion, alone in (
        ("image", clip.encode_query(tokens, None)),
        ("text", clip.encode_query(None, texts)),
    ):
        other = Clip(clip.model, clip.tokenizer, clip.preprocess, fusion)
        other.temperature.data = clip.temperature.data
        assert torch.equal(other.eval().encode_query(tokens, texts), alone)


@torch.no_grad()
def test_a_saved_checkpoint_loads_with_the_same_weights(clip, tokens, tmp_path):
    clip.save(str(tmp_path / "clip"))
    loaded = load_backbone(str(tmp_path / "clip")).eval()
    assert isinstance(loaded, Clip)
    assert next(loaded.parameters()).dtype == torch.float32
    assert torch.allclose(loaded.encode_query(tokens, None), clip.encode_query(tokens, None), atol=5e-3)
    assert torch.allclose(loaded.encode_query(None, TEXTS), clip.encode_query(None, TEXTS), atol=5e-3)
    assert loaded.preprocess == clip.preprocess
    assert loaded.temperature.item() == pytest.approx(clip.temperature.item(), rel=1e-3)


@torch.no_grad()
def test_bits_do_not_depend_on_the_other_texts(clip):
    alone = clip.encode_query(None, ["star", "a"])
    beside = clip.encode_query(None, ["star", "make the red circle blue and large and blue"])
    assert torch.equal(alone[0], beside[0])


def test_any_string_has_tokens_and_comes_back(clip):
    for text in ("rde cirlce", "日本語 🙂", "naïve", ""):
        ids = clip.tokenizer(text)["input_ids"]
        assert clip.tokenizer.unk_token_id not in ids
        assert clip.tokenizer.decode(ids, skip_special_tokens=True).strip() == text


STRANGE = [
    "",
    " \n",
    "🙂" * 3,
    "שלום עולם",
    "日本語",
    "e\u0301",
    "\u202e<pad><eos>",
    "red " * 10_000,
    "x" * 30_000,
]


@pytest.mark.parametrize("name", ["clip", "blip2"])
@torch.no_grad()
def test_any_text_has_an_embedding_and_what_is_cut_is_counted(request, tokens, name):
    backbone = request.getfixturevalue(name)
    for embedded in (backbone.encode_query(None, STRANGE), backbone.encode_gallery(None, STRANGE)[:, 0]):
        assert torch.allclose(embedded.norm(dim=1), torch.ones(len(STRANGE)))
    composed = backbone.encode_query(tokens[:1].expand(len(STRANGE), -1, -1), STRANGE)
    assert torch.allclose(composed.norm(dim=1), torch.ones(len(STRANGE)))
    assert backbone.truncated(STRANGE[-2:]) == 2 and backbone.truncated(["", "a star"]) == 0
    assert backbone.truncated(["a"] * 5000 + STRANGE[-1:]) == 1 and backbone.truncated([]) == 0


def test_a_hub_id_needs_its_commit():
    for revision in (None, "main", "abc123"):
        with pytest.raises(ConfigError, match=r"openai/clip.*40 hexadecimal"):
            load_backbone("openai/clip-vit-base-patch32", revision)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(DataError, match=r"config\.json"):
        load_backbone(str(tmp_path))


def test_an_unknown_architecture_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(ConfigError, match="t5"):
        load_backbone(str(tmp_path))


def test_the_tower_is_frozen_and_stays_in_evaluation_mode(blip2):
    blip2.train()
    assert not blip2.vision.training and blip2.qformer.training
    assert not any(p.requires_grad for p in blip2.vision.parameters())
    assert all(p.requires_grad for n, p in blip2.named_parameters() if not n.startswith("vision."))
    blip2.eval()


@torch.no_grad()
def test_tokens_of_texts_are_the_text_models(clip):
    batch = clip.tokenizer(TEXTS, padding="max_length", max_length=24, return_tensors="pt")
    tokens, mask = clip.text_tokens(TEXTS)
    expected = clip.model.text_model(batch["input_ids"], batch["attention_mask"]).last_hidden_state
    assert torch.equal(tokens, expected) and torch.equal(mask, batch["attention_mask"].bool())
    assert mask.sum(1).tolist() != [24, 24]
