import json
import random

import pytest

from requery.corruptions.words import (
    STOP_WORDS,
    WORD_EDITS,
    letters_only,
    punctuation,
    synonym,
    word_delete,
    word_insert,
    word_swap,
)
from tests.conftest import ROOT

FILE = ROOT / "tests" / "fixtures" / "rest" / "mmrobustness_text_eda.json"
CASES = json.loads(FILE.read_text())["cases"]
OFFICIAL = {"rs": word_swap, "rd": word_delete, "ip": punctuation}
SYNONYMS = {"dog": ["hound", "puppy"], "ball": ["sphere"], "the": ["thee"]}
TEXT = "the dog and the other dog chase a ball"


def look_up(word):
    return SYNONYMS.get(word, [])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['method']}-{case['py_random_seed']}")
def test_the_official_text_of_each_seed(case):
    draw = random.Random(case["py_random_seed"])
    assert OFFICIAL[case["method"]](case["input"], case["level"], draw) == case["output"]


def test_words_are_letters_alone():
    assert letters_only("  It's a well-known 3-D Ball!\n") == ["its", "a", "well", "known", "d", "ball"]


def test_a_word_wherever_it_stands_gets_one_synonym():
    made = synonym(TEXT, 7, random.Random(0), look_up).split()
    assert made[1] == made[5] and made[1] in SYNONYMS["dog"] and made[8] == "sphere"
    assert made[0] == "the" and "the" in STOP_WORDS
    assert synonym(TEXT, 1, random.Random(0), look_up).split() != TEXT.split()
    assert synonym("a cat", 7, random.Random(0), look_up) == "a cat"


def test_insertions_are_synonyms_or_words_said_twice():
    made = word_insert(TEXT, 4, random.Random(0), look_up).split()
    assert len(made) == 10 and set(made) - set(TEXT.split()) <= {"hound", "sphere", "thee"}
    twice = word_insert(TEXT, 7, random.Random(0)).split()
    assert len(twice) == 12 and set(twice) == set(TEXT.split())
    assert word_insert("cat", 7, random.Random(0), look_up) == "cat"  # no synonym is found, ten times


@pytest.mark.parametrize("kind", WORD_EDITS)
@pytest.mark.parametrize("text", ["", "word", "3 4", "two words"])
def test_short_texts(kind, text):
    for level in range(1, 8):
        assert isinstance(WORD_EDITS[kind](text, level, random.Random(level)), str)


def test_not_every_word_is_left_out():
    assert all(word_delete("one two", 7, random.Random(seed)) for seed in range(200))
