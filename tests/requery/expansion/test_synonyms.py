"""Near words of a vocabulary stand for each other."""

import pytest
import torch

from requery.errors import ConfigError
from requery.expansion import Synonyms

ANGLES = {"deer": 0.0, "stag": 0.3, "elk": 0.5, "doe": 0.6, "moose": 0.7, "car": 1.5, "of": 0.0}


def embed(words):
    angles = torch.tensor([ANGLES.get(word, 3.0) for word in words])
    return 5 * torch.stack([angles.cos(), angles.sin()], dim=1)


def tokens(text):
    return [word.rstrip("s") for word in text.split() if word != "of"]


def test_the_nearest_words_within_reach_are_found_with_their_similarity():
    found = Synonyms(list(ANGLES), embed, tokens, at_least=0.8, most=2).of("Deer, of car?")
    assert found == {"deer": pytest.approx({"stag": 0.9553, "elk": 0.8776})}


def test_a_word_is_not_its_own_synonym_and_stop_words_are_nobodys():
    found = Synonyms(["deer", "deers", "of"], embed, tokens).of("deer of")
    assert found == {}


def test_a_vocabulary_without_words_is_refused():
    with pytest.raises(ConfigError, match="vocabulary"):
        Synonyms(["of"], embed, tokens)
    with pytest.raises(ConfigError, match="at_least"):
        Synonyms(["deer"], embed, tokens, at_least=0.0)
