import pytest

from requery.corruptions.similarity import SentenceSimilarity


def test_a_sentence_says_the_same_as_itself(encoder):
    similarity = SentenceSimilarity(encoder)
    one, other = "a large red circle", "make the red circle blue"
    assert similarity(one, one) == pytest.approx(1)
    assert similarity(one, other) == pytest.approx(similarity(other, one)) and similarity(one, other) < 0.999
