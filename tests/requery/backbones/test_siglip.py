"""SigLIP through the backbone interface equals SigLIP called directly, from its tokens too."""

import copy

import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize
from transformers import SiglipConfig, SiglipModel
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from requery.adaptation.layer_norms import freeze_all_but, layer_norm_parameters
from requery.backbones import Siglip, load_backbone
from requery.backbones.queries import QueryEncoder
from requery.backbones.source import write_preprocess
from requery.backbones.tokenizer import learn_tokenizer
from requery.images import FileImages
from requery.preprocess import Preprocess
from requery.ranking.protocols import shapes_cross_modal
from requery.ranking.qrels import Qrels
from requery.task import RetrievalTask

TEXTS = ["a Large RED circle", "star"]
HALF = (0.5, 0.5, 0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A SigLIP of two layers, saved by transformers itself."""
    torch.manual_seed(5)
    tokenizer = learn_tokenizer(["a large red circle", "a small blue star"], 300, 64)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2}
    marks = {f"{n}_token_id": getattr(tokenizer, f"{n}_token_id") for n in ("bos", "eos", "pad")}
    text = {**sizes, "vocab_size": len(tokenizer), "max_position_embeddings": 64, **marks}
    vision = {**sizes, "image_size": 24, "patch_size": 8}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    model.logit_scale.data.fill_(3.0)
    folder = tmp_path_factory.mktemp("siglip")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    squashed = Preprocess(24, HALF, HALF, pad_ratio=None, interpolation="bilinear", squash=True)
    write_preprocess(squashed, folder)
    return folder


@pytest.fixture(scope="module")
def siglip(folder):
    return load_backbone(str(folder)).eval()


@pytest.fixture(scope="module")
def pixels():
    return torch.randn(3, 3, 24, 24, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_embeddings_are_transformers_own(siglip, folder, pixels):
    theirs = SiglipModel.from_pretrained(folder).eval()
    image = normalize(theirs.get_image_features(pixel_values=pixels).pooler_output, dim=-1)
    lower = [text.lower() for text in TEXTS]
    ids = siglip.tokenizer(lower, padding="max_length", max_length=64, return_tensors="pt")["input_ids"]
    out = theirs.get_text_features(input_ids=ids)
    tokens = siglip.image_features(pixels)
    assert isinstance(siglip, Siglip) and tokens.shape == (3, 9, 32)
    assert torch.allclose(siglip.encode_gallery(tokens, None)[:, 0], image, atol=1e-5)
    assert torch.allclose(siglip.encode_query(None, TEXTS), normalize(out.pooler_output, dim=-1), atol=1e-5)
    hidden, mask = siglip.text_tokens(TEXTS)
    assert torch.allclose(hidden, out.last_hidden_state, atol=1e-5)
    assert mask.shape == (2, 64) and mask.dtype == torch.bool
    assert mask.sum(1).tolist() == [len(siglip.tokenizer(text)["input_ids"]) for text in lower]
    assert siglip.temperature.item() == pytest.approx(torch.exp(torch.tensor(-3.0)).item())


@torch.no_grad()
def test_padding_is_read_in_training_too(siglip):
    evaluated = siglip.encode_query(None, TEXTS[1:])
    assert torch.allclose(siglip.train().encode_query(None, TEXTS[1:]), evaluated, atol=1e-6)
    siglip.eval()
    assert torch.equal(siglip.encode_query(None, ["STAR"]), evaluated)


def test_pixels_are_those_of_its_image_processor(siglip):
    noise = torch.randint(256, (30, 50, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    image = Image.fromarray(noise.numpy())
    size = {"height": 24, "width": 24}
    theirs = SiglipImageProcessorPil(size=size, resample=Image.Resampling.BILINEAR)
    expected = theirs(image, return_tensors="pt")["pixel_values"][0]
    assert torch.allclose(siglip.preprocess(image), expected, atol=1e-6)


@torch.no_grad()
def test_a_saved_checkpoint_loads_here_and_in_transformers(siglip, pixels, tmp_path):
    siglip.save(str(tmp_path / "copy"))
    loaded = load_backbone(str(tmp_path / "copy")).eval()
    tokens = siglip.image_features(pixels)
    expected = siglip.encode_gallery(tokens, None)[:, 0]
    assert torch.allclose(loaded.encode_gallery(tokens, None)[:, 0], expected, atol=5e-3)
    assert torch.allclose(loaded.encode_query(None, TEXTS), siglip.encode_query(None, TEXTS), atol=5e-3)
    assert loaded.preprocess == siglip.preprocess
    assert loaded.temperature.item() == pytest.approx(siglip.temperature.item(), rel=1e-3)
    theirs, found = SiglipModel.from_pretrained(
        tmp_path / "copy", dtype=torch.float32, output_loading_info=True
    )
    assert not found["missing_keys"] and not found["unexpected_keys"]
    image = theirs.eval().get_image_features(pixel_values=pixels).pooler_output
    assert torch.allclose(normalize(image, dim=-1), expected, atol=5e-3)


def test_the_head_is_trained_and_the_tower_is_not(siglip, pixels):
    assert all(p.requires_grad for p in siglip.head.parameters())
    assert not any(p.requires_grad for p in siglip.vision.parameters())
    siglip.zero_grad()
    siglip.encode_query(siglip.image_features(pixels), None).sum().backward()
    assert siglip.head.probe.grad.abs().sum() > 0
    siglip.zero_grad()


def test_layer_norms_of_both_sides_are_reached(siglip, tmp_path):
    Image.new("RGB", (30, 20), (200, 0, 0)).save(tmp_path / "a.png")
    task = RetrievalTask(
        protocol=shapes_cross_modal("image_to_text"),
        split="test",
        images=FileImages([tmp_path / "a.png"], ["a"]),
        query_ids=["a"],
        gallery_ids=["0"],
        qrels=Qrels.from_targets(torch.tensor([0])),
        query_image=torch.tensor([0]),
        gallery_text=["red"],
    )
    encoder = QueryEncoder(copy.deepcopy(siglip), task)
    norms = layer_norm_parameters(encoder)
    freeze_all_but(encoder, norms)
    loss = encoder(torch.tensor([0]))[0, :16].sum()
    grads = torch.autograd.grad(loss, list(norms.values()), allow_unused=True)
    moved = {name for name, grad in zip(norms, grads, strict=True) if grad is not None and grad.any()}
    read = ("vision.encoder.layers.0", "vision.encoder.layers.1", "vision.post_layernorm", "head.layernorm")
    assert all(any(part in name for name in moved) for part in read)
    assert any("text_model.encoder" in name for name in norms) and not any("text" in name for name in moved)
