"""LAVIS' layout of BLIP-2: its names by an inverse mapping, its tower transcribed from its formulas."""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from transformers import BertTokenizer, CLIPVisionConfig, CLIPVisionModel

from experiments.__main__ import main
from requery.backbones import Blip2, load_backbone
from requery.backbones.lavis import convert
from requery.errors import ConfigError, DataError
from requery.preprocess import Preprocess

WORDS = "make the red circle blue a small star large".split()
TEXTS = ["make the red circle blue", "a small star", "large", "blue"]
HEADS, LAYERS = 3, 3


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A folder like bert-base-uncased's, without LAVIS' mark."""
    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    BertTokenizer(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(bert):
    """BLIP-2 with CLIP's tower; all weights random and exact in half precision, as they are saved in it."""
    torch.manual_seed(5)
    tower = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=64 * HEADS,
            intermediate_size=96,
            num_attention_heads=HEADS,
            num_hidden_layers=LAYERS,
            image_size=24,
            patch_size=8,
        )
    )
    tokenizer = BertTokenizer.from_pretrained(bert)
    tokenizer.add_special_tokens({"bos_token": "[DEC]"})
    qformer = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "hidden_size": 128,
        "num_hidden_layers": 5,
        "num_attention_heads": 2,
        "intermediate_size": 72,
        "cross_attention_frequency": 2,
        "max_position_embeddings": 40,
        "use_qformer_text_input": True,
    }
    config = {"qformer": qformer, "dim": 8, "n_tokens": 3, "max_text": 32}
    model = Blip2.create(tower, tokenizer, config, Preprocess(24)).eval()
    for value in model.parameters():
        value.data = (value.data + 0.1 * torch.randn_like(value)).half().float()
    return model


def lavis_state(model):
    """The weights under LAVIS' names: the tower's without its prefix, and the rest."""
    state = model.state_dict()
    tower = {
        "class_embedding": state.pop("vision.embeddings.class_embedding"),
        "positional_embedding": state.pop("vision.embeddings.position_embedding.weight"),
        "conv1.weight": state.pop("vision.embeddings.patch_embedding.weight"),
    }
    for part in ("weight", "bias"):
        del state[f"vision.post_layernorm.{part}"]
        tower[f"ln_pre.{part}"] = state.pop(f"vision.pre_layrnorm.{part}")
        for i in range(LAYERS):
            ours, theirs = f"vision.encoder.layers.{i}", f"transformer.resblocks.{i}"
            pieces = [state.pop(f"{ours}.self_attn.{x}_proj.{part}") for x in "qkv"]
            tower[f"{theirs}.attn.in_proj_{part}"] = torch.cat(pieces)
            tower[f"{theirs}.attn.out_proj.{part}"] = state.pop(f"{ours}.self_attn.out_proj.{part}")
            tower[f"{theirs}.ln_1.{part}"] = state.pop(f"{ours}.layer_norm1.{part}")
            tower[f"{theirs}.ln_2.{part}"] = state.pop(f"{ours}.layer_norm2.{part}")
            tower[f"{theirs}.mlp.c_fc.{part}"] = state.pop(f"{ours}.mlp.fc1.{part}")
            tower[f"{theirs}.mlp.c_proj.{part}"] = state.pop(f"{ours}.mlp.fc2.{part}")
    head = {}
    for name, value in state.items():
        name = name.replace("attention.attention.", "attention.self.")
        name = name.replace("qformer.layernorm.", "Qformer.bert.embeddings.LayerNorm.")
        name = name.replace("qformer.encoder.", "Qformer.bert.encoder.")
        name = re.sub("^embeddings", "Qformer.bert.embeddings", name)
        head[{"temperature": "temp"}.get(name, name)] = value
    hidden, words = 128, len(model.tokenizer)
    head["Qformer.bert.embeddings.position_ids"] = torch.arange(40)[None]
    for name, size in {"itm_head": 2, "Qformer.cls.predictions.decoder": words}.items():
        head[f"{name}.weight"], head[f"{name}.bias"] = torch.randn(size, hidden), torch.randn(size)
    head["Qformer.cls.predictions.bias"] = torch.randn(words)
    for layer, shape in {"dense": (hidden, hidden), "LayerNorm": (hidden,)}.items():
        head[f"Qformer.cls.predictions.transform.{layer}.weight"] = torch.randn(shape)
        head[f"Qformer.cls.predictions.transform.{layer}.bias"] = torch.randn(hidden)
    return tower, head


@pytest.fixture
def files(model, tmp_path):
    """Write LAVIS' files, with what a test changes in them; the paths of the checkpoint and of the tower."""

    def write(*, joined=False, drop=(), head=(), tower=()):
        theirs, rest = lavis_state(model)
        theirs, rest = {**theirs, **dict(tower)}, {**rest, **dict(head)}
        for name in drop:
            del (theirs if name in theirs else rest)[name]
        if joined:
            rest |= {f"visual_encoder.{name}": value for name, value in theirs.items()}
        torch.save({"model": OrderedDict(rest), "epoch": 0}, tmp_path / "blip2.pth")
        torch.save(theirs, tmp_path / "clip.pth")
        return tmp_path / "blip2.pth", tmp_path / "clip.pth"

    return write


@torch.no_grad()
@pytest.mark.parametrize("joined", [False, True])
def test_the_converted_folder_encodes_as_the_model_did(model, files, bert, tmp_path, joined):
    checkpoint, vision = files(joined=joined)
    convert(checkpoint, tmp_path / "out", bert, None if joined else vision)
    loaded = load_backbone(str(tmp_path / "out")).eval()
    state = loaded.state_dict()
    for name, value in model.state_dict().items():
        assert "post_layernorm" in name or torch.equal(state[name], value), name
    pixels = torch.randn(4, 3, 24, 24)
    one, two = model.image_features(pixels), loaded.image_features(pixels)
    for images, texts in ((True, True), (True, False), (False, True)):
        text = TEXTS if texts else None
        expected = model.encode_query(one if images else None, text)
        found = loaded.encode_query(two if images else None, text)
        assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(loaded.encode_gallery(two, None), model.encode_gallery(one, None), atol=1e-5)
    assert loaded.max_text == 32 and loaded.preprocess == Preprocess(24)
    assert len(loaded.tokenizer) == 5 + len(WORDS) + 1
    assert loaded.tokenizer.bos_token_id == 5 + len(WORDS)
    assert loaded.qformer.config.cross_attention_frequency == 2


@torch.no_grad()
def test_the_tower_is_that_of_openais_clip_without_its_last_layer_norm(model, files, bert, tmp_path):
    checkpoint, vision = files()
    loaded = convert(checkpoint, tmp_path / "out", bert, vision)
    w, _ = lavis_state(model)
    pixels = torch.randn(2, 3, 24, 24)
    width = 64 * HEADS

    def norm(x, name):
        return F.layer_norm(x, (width,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-5)

    patches = F.conv2d(pixels, w["conv1.weight"], stride=8).flatten(2).transpose(1, 2)
    x = torch.cat([w["class_embedding"].expand(2, 1, -1), patches], 1) + w["positional_embedding"]
    x = norm(x, "ln_pre")
    for i in range(LAYERS):
        block = f"transformer.resblocks.{i}"
        qkv = F.linear(
            norm(x, f"{block}.ln_1"), w[f"{block}.attn.in_proj_weight"], w[f"{block}.attn.in_proj_bias"]
        )
        q, k, v = qkv.view(2, 10, 3, HEADS, 64).permute(2, 0, 3, 1, 4)
        read = (q @ k.mT / 8).softmax(-1) @ v
        out = read.transpose(1, 2).reshape(2, 10, width)
        x = x + F.linear(out, w[f"{block}.attn.out_proj.weight"], w[f"{block}.attn.out_proj.bias"])
        h = F.linear(norm(x, f"{block}.ln_2"), w[f"{block}.mlp.c_fc.weight"], w[f"{block}.mlp.c_fc.bias"])
        h = h * torch.sigmoid(1.702 * h)  # QuickGELU
        x = x + F.linear(h, w[f"{block}.mlp.c_proj.weight"], w[f"{block}.mlp.c_proj.bias"])
    assert torch.allclose(loaded.image_features(pixels), x, atol=1e-3, rtol=1e-4)


def test_the_command_converts_and_says_what_it_found(files, bert, tmp_path, capsys):
    checkpoint, vision = files()
    out = tmp_path / "out"
    args = ["convert", "--lavis", str(checkpoint), "--vision", str(vision), "--output", str(out)]
    assert main([*args, "--tokenizer", str(bert)]) == 0
    assert "3 layers of 192 for 24 × 24 pixels; Q-Former of 5 layers of 128" in capsys.readouterr().out
    assert isinstance(load_backbone(str(out)), Blip2)
    assert main([*args, "--tokenizer", "bert-base-uncased"]) == 2
    assert "owner/name@commit" in capsys.readouterr().err


BLOCK = "transformer.resblocks.1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": {"t5_proj.weight": torch.zeros(2)}}, r"blip2\.pth: unknown weights: t5_proj\.weight;"),
        (
            {"head": {"Qformer.bert.encoder.layer.0.gate": torch.zeros(2)}},
            r"unknown weights: .*layer\.0\.gate",
        ),
        ({"tower": {"ln_post.weight": torch.zeros(2)}}, r"clip\.pth: unknown weights: ln_post\.weight;"),
        ({"drop": ["text_proj.weight"]}, r"missing weights: text_proj\.weight;"),
        ({"drop": ["ln_vision.bias"]}, r"missing weights: ln_vision\.bias;"),
        (
            {"drop": [f"{BLOCK}.ln_2.bias"]},
            r"missing weights: .*layers\.1\.layer_norm2\.bias;",
        ),
        ({"drop": ["Qformer.bert.embeddings.LayerNorm.bias"]}, r"missing weights: qformer\.layernorm\.bias;"),
        ({"head": {"ln_vision.bias": torch.zeros(2)}}, r"weights of another shape: ln_vision\.bias;"),
        ({"head": {f"extra{i:02}": torch.zeros(1) for i in range(12)}}, r"extra09, … \(2 more\)"),
    ],
)
def test_unknown_and_missing_weights_are_named(files, bert, tmp_path, change, message):
    checkpoint, vision = files(**change)
    with pytest.raises(DataError, match=message):
        convert(checkpoint, tmp_path / "out", bert, vision)
    assert not (tmp_path / "out").exists()


def test_the_tower_is_given_once(files, bert, tmp_path):
    checkpoint, vision = files()
    with pytest.raises(ConfigError, match=r"holds no visual_encoder\.\*; .*clip_vit_L\.pth"):
        convert(checkpoint, tmp_path / "out", bert)
    checkpoint, vision = files(joined=True)
    with pytest.raises(ConfigError, match="a vision tower of its own"):
        convert(checkpoint, tmp_path / "out", bert, vision)


def test_another_vocabulary_is_refused(files, model, tmp_path):
    checkpoint, vision = files()
    other = BertTokenizer(vocab={w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])})
    other.save_pretrained(tmp_path / "bert")
    with pytest.raises(DataError, match=r"embeds 15 tokens, the tokenizer with \[DEC\] has 6"):
        convert(checkpoint, tmp_path / "out", tmp_path / "bert", vision)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("save", [torch.save, lambda data, path: path.write_bytes(pickle.dumps(data))])
def test_a_file_that_would_run_code_is_refused(bert, tmp_path, save):
    save({"model": Malicious(tmp_path / "proof")}, tmp_path / "bad.pth")
    with pytest.raises(DataError, match=r"bad\.pth: refused"):
        convert(tmp_path / "bad.pth", tmp_path / "out", bert)
    assert not (tmp_path / "proof").exists()


def test_unreadable_files_are_named(files, bert, tmp_path):
    checkpoint, vision = files()
    with pytest.raises(DataError, match=r"absent\.pth: cannot be read"):
        convert(tmp_path / "absent.pth", tmp_path / "out", bert)
    vision.write_bytes(vision.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"clip\.pth: (cannot be read|refused)"):
        convert(checkpoint, tmp_path / "out", bert, vision)
    torch.save([torch.zeros(2)], checkpoint)
    with pytest.raises(DataError, match=r"blip2\.pth: holds no state dict"):
        convert(checkpoint, tmp_path / "out", bert)
