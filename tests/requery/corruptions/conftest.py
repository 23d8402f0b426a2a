"""Tiny checkpoints of the models that rewrite and compare sentences."""

import pytest
import torch

from tests.conftest import TEXTS


def tokenizer():
    from requery.backbones.tokenizer import learn_tokenizer

    return learn_tokenizer(TEXTS, 300, 24)


@pytest.fixture(scope="session")
def seq2seq(tmp_path_factory):
    """A folder with an untrained T5 of one layer."""
    from transformers import T5Config, T5ForConditionalGeneration

    folder, words = tmp_path_factory.mktemp("t5"), tokenizer()
    torch.manual_seed(0)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    marks = {"pad_token_id": words.pad_token_id, "decoder_start_token_id": words.pad_token_id}
    config = T5Config(vocab_size=len(words), eos_token_id=words.eos_token_id, **marks, **sizes)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    """A folder with an untrained BERT of one layer."""
    from transformers import BertConfig, BertModel

    folder, words = tmp_path_factory.mktemp("bert"), tokenizer()
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)
