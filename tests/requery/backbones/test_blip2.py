"""BLIP-2 as QuRe uses it, against transformers' own model and against a plain transcription."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize
from transformers import (
    Blip2Config,
    Blip2ForImageTextRetrieval,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    CLIPVisionConfig,
    CLIPVisionModel,
)

from requery.backbones import Blip2, load_backbone
from requery.errors import DataError

TEXTS = ["make the red circle blue", "a small star", "large", "blue"]


@torch.no_grad()
def test_the_query_is_the_mean_of_the_projected_query_positions(blip2, tokens):
    """Section 3 of the paper, step by step."""
    batch = blip2.tokenizer(TEXTS, padding="max_length", max_length=24, truncation=True, return_tensors="pt")
    query = blip2.query_tokens.expand(4, -1, -1)
    joined = blip2.embeddings(input_ids=batch["input_ids"], query_embeds=query)
    mask = torch.cat([torch.ones(4, 3, dtype=torch.long), batch["attention_mask"]], 1)
    image = blip2.ln_vision(tokens)
    out = blip2.qformer(
        query_embeds=joined, query_length=3, attention_mask=mask, encoder_hidden_states=image
    ).last_hidden_state[:, :3]
    expected = normalize(blip2.text_proj(out).mean(1), dim=-1)
    assert torch.allclose(blip2.encode_query(tokens, TEXTS), expected, atol=1e-6)
    alone = blip2.qformer(query_embeds=query, encoder_hidden_states=image).last_hidden_state
    expected = normalize(blip2.vision_proj(alone), dim=-1)
    gallery = blip2.encode_gallery(tokens, None)
    assert gallery.shape == (4, 3, 8)
    assert torch.allclose(gallery, expected, atol=1e-6)


@torch.no_grad()
def test_text_and_image_both_matter(blip2, tokens):
    query = blip2.encode_query(tokens, TEXTS)
    assert not torch.allclose(query, blip2.encode_query(tokens, TEXTS[::-1]), atol=1e-4)
    assert not torch.allclose(query, blip2.encode_query(tokens.flip(0), TEXTS), atol=1e-4)


@torch.no_grad()
def test_a_checkpoint_that_shares_its_tower_is_small_and_loads(blip2, clip, tokens, tmp_path):
    clip.save(str(tmp_path / "clip"))
    blip2.shared_vision = tmp_path / "clip"
    blip2.save(str(tmp_path / "blip2"))
    loaded = load_backbone(str(tmp_path / "blip2")).eval()
    assert isinstance(loaded, Blip2)
    assert torch.allclose(loaded.encode_query(tokens, TEXTS), blip2.encode_query(tokens, TEXTS), atol=1e-2)
    from safetensors.torch import load_file

    state = load_file(tmp_path / "blip2" / "model.safetensors")
    assert not any(name.startswith("vision.") for name in state)
    assert {value.dtype for value in state.values()} == {torch.float16}
    (tmp_path / "clip" / "config.json").unlink()
    with pytest.raises(DataError, match="shares the vision tower"):
        load_backbone(str(tmp_path / "blip2"))


@torch.no_grad()
def test_a_tower_of_its_own_is_saved_with_the_rest(blip2, clip, tmp_path):
    torch.manual_seed(3)
    tower = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_attention_heads=2,
            num_hidden_layers=1,
            image_size=24,
            patch_size=12,
        )
    )
    config = {"qformer": blip2.qformer.config.to_dict(), "dim": 8, "n_tokens": 3, "max_text": 24}
    model = Blip2.create(tower, clip.tokenizer, config, clip.preprocess).eval()
    model.save(str(tmp_path / "own"))
    loaded = load_backbone(str(tmp_path / "own")).eval()
    pixels = torch.randn(4, 3, 24, 24)
    one, two = (m.encode_query(m.image_features(pixels), TEXTS) for m in (model, loaded))
    assert torch.allclose(one, two, atol=1e-2)


@torch.no_grad()
def test_missing_weights_are_named(blip2, clip, tmp_path):
    from safetensors.torch import load_file, save_file

    clip.save(str(tmp_path / "clip"))
    blip2.shared_vision = tmp_path / "clip"
    blip2.save(str(tmp_path / "blip2"))
    path = tmp_path / "blip2" / "model.safetensors"
    state = load_file(path)
    del state["text_proj.weight"]
    save_file(state, path)
    with pytest.raises(DataError, match=r"text_proj\.weight"):
        load_backbone(str(tmp_path / "blip2"))


@torch.no_grad()
def test_the_hubs_blip2_gives_transformers_own_contrastive_score(clip, tmp_path):
    """The gallery side and the text side of a hub checkpoint are Blip2ForImageTextRetrieval's."""
    torch.manual_seed(4)
    vision = Blip2VisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=24,
        patch_size=12,
    )
    qformer = Blip2QFormerConfig(
        vocab_size=len(clip.tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        encoder_hidden_size=32,
        max_position_embeddings=40,
        use_qformer_text_input=True,
    )
    config = Blip2Config(
        vision_config=vision.to_dict(),
        qformer_config=qformer.to_dict(),
        num_query_tokens=3,
        image_text_hidden_size=8,
    )
    model = Blip2ForImageTextRetrieval(config).eval()
    torch.nn.init.normal_(model.query_tokens)
    model.save_pretrained(tmp_path)
    clip.tokenizer.save_pretrained(tmp_path)
    loaded = load_backbone(str(tmp_path)).eval()
    pixels = torch.randn(4, 3, 24, 24)
    batch = loaded.tokenizer(TEXTS, padding="max_length", max_length=32, return_tensors="pt")
    expected = model(pixels, batch["input_ids"], batch["attention_mask"]).logits_per_text
    gallery = loaded.encode_gallery(loaded.image_features(pixels), None)
    found = torch.einsum("qd,itd->qit", loaded.encode_query(None, TEXTS), gallery).amax(-1)
    assert torch.allclose(found, expected, atol=1e-5)


@torch.no_grad()
def test_a_texts_first_token_is_its_embedding(blip2):
    tokens, mask = blip2.text_tokens(TEXTS)
    assert tokens.shape[:2] == mask.shape == (len(TEXTS), blip2.max_text) and mask.dtype == torch.bool
    assert torch.equal(normalize(blip2.text_proj(tokens[:, 0]), dim=-1), blip2.encode_query(None, TEXTS))
