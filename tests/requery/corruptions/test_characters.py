import random
import re

import pytest

from requery.corruptions.characters import ANY, CHARACTER_EDITS, TOKEN
from requery.corruptions.confusions import KEYBOARD, OCR

TEXT = "Two dogs play in the snow near a fence, chasing a red ball across the frozen garden of their owner."
KEPT_LENGTH = ("ocr", "keyboard", "char_replace", "char_swap")


def edit(kind, level, seed=0, text=TEXT):
    return CHARACTER_EDITS[kind](text, level, random.Random(seed))


def changed_words(kind, level, seed):
    old, new = (re.split("[ .,]+", text) for text in (TEXT, edit(kind, level, seed)))
    return [(o, n) for o, n in zip(old, new, strict=True) if o != n]


@pytest.mark.parametrize("kind", ["keyboard", "char_swap", "char_delete"])
def test_a_share_of_the_words_is_hit(kind):
    tokens = len(TOKEN.findall(TEXT))
    for level in range(1, 8):
        hit = changed_words(kind, level, seed=level)
        assert len(hit) <= max(1, int(0.05 * level * tokens))
        assert all(len(old) >= 4 for old, _ in hit)
    assert len(changed_words(kind, 7, seed=0)) >= 4


def test_lengths_change_as_the_edit_says():
    for seed in range(20):
        assert all(len(edit(kind, 4, seed)) == len(TEXT) for kind in KEPT_LENGTH)
        assert len(edit("char_insert", 4, seed)) > len(TEXT) > len(edit("char_delete", 4, seed))


def test_swaps_keep_a_words_letters_and_its_capitals():
    for seed in range(20):
        for old, new in changed_words("char_swap", 7, seed):
            assert sorted(old.lower()) == sorted(new.lower())
            assert [c.isupper() for c in old] == [c.isupper() for c in new]


def test_confused_characters_come_from_the_table():
    for kind, table in (("ocr", OCR), ("keyboard", KEYBOARD)):
        for seed in range(20):
            pairs = zip(TEXT, edit(kind, 7, seed), strict=True)
            assert all(new in table[old] for old, new in pairs if old != new)
    assert all(new in ANY for old, new in zip(TEXT, edit("char_replace", 7), strict=True) if old != new)


def test_tables_are_mutual():
    for table in (OCR, KEYBOARD):
        keys = [
            key for key in table if table is OCR or not key.isupper()
        ]  # digits have no capitals beside them
        assert all(one in table[other] for one in keys for other in table[one])
        assert all(one not in others for one, others in table.items())
    assert set(KEYBOARD["g"]) == set("tyfhvb") and set(KEYBOARD["Q"]) == set("12WA")
    assert "1" in OCR["l"] and "l" in OCR["1"]


@pytest.mark.parametrize("kind", CHARACTER_EDITS)
@pytest.mark.parametrize("text", ["", " ", "a", "?!", "日本語のテキスト", "on it"])
def test_texts_with_nothing_to_hit(kind, text):
    made = edit(kind, 7, text=text)
    assert isinstance(made, str) and bool(made.strip()) == bool(text.strip())


def test_spaces_and_punctuation_stay():
    text = "a  very\tlong,   sentence"
    assert re.sub(r"\w", "", edit("keyboard", 7, text=text)) == re.sub(r"\w", "", text)
