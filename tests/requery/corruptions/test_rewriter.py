import pytest
import torch

from requery.corruptions.rewriter import PROMPTS, Rewriter, checkpoint
from requery.errors import ConfigError, DataError


def test_a_seed_gives_the_same_words(seq2seq):
    rewrite = Rewriter([seq2seq], PROMPTS["formal"], sample=True, max_tokens=12)
    made = [rewrite("a large red circle", seed) for seed in (1, 2, 1)]
    assert made[0] == made[2] != made[1]


def test_the_global_random_state_is_left_alone(seq2seq):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    Rewriter([seq2seq], sample=True, max_tokens=4)("a circle", 2**63 + 1)
    assert torch.equal(torch.rand(1), expected)


def test_models_follow_one_another(seq2seq):
    once, twice = Rewriter([seq2seq], max_tokens=6), Rewriter([seq2seq, seq2seq], max_tokens=6)
    assert len(twice.steps) == 2
    assert twice("a small blue star", 0) == once(once("a small blue star", 0), 0)


def test_sources_are_folders_or_pinned():
    with pytest.raises(ConfigError, match="needs its commit"):
        checkpoint("owner/name")
    with pytest.raises(DataError, match=r"no config.json"):
        checkpoint("./nowhere")
    with pytest.raises(ConfigError, match="at least one"):
        Rewriter([])
