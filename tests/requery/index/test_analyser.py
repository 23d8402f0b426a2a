import pytest

from requery.errors import ConfigError
from requery.index import Analyser
from requery.index.analyser import stemmed


def test_one_character_tokens_are_terms():
    assert Analyser(stop_words="none", stemmer="none").tokens("Gate 5, a U-boat") == [
        *("gate", "5", "a", "u", "boat")
    ]


def test_stop_words_and_stems():
    assert Analyser().tokens("The stuffed animals are racing") == ["stuf", "anim", "race"]
    assert Analyser(stemmer="none").tokens("The animals") == ["animals"]
    assert Analyser(stemmer="english", stop_words="none").tokens("the generously") == ["the", "generous"]
    assert Analyser(stemmer="porter", stop_words="none").tokens("generously") == ["gener"]


def test_case_and_pattern():
    assert Analyser(r"[A-Z]+", lowercase=False, stop_words="none", stemmer="none").tokens("a BC dE") == [
        *("BC", "E")
    ]


def test_answers_are_stemmed_as_the_annotations_are():
    given = ["stuffed animal", "teddy bear", "racing", "motocross", "riding"]
    assert stemmed(given) == ["stuf anim", "teddi bear", "race", "motocross", "ride"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"token_pattern": "("}, "is no pattern"),
        ({"token_pattern": r"(\w)+"}, "has groups"),
        ({"stemmer": "lancaster"}, "not one of none, porter"),
        ({"stop_words": "german"}, "not one of none, english"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        Analyser(**settings)
