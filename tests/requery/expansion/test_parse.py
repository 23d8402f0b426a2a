"""Answers as models write them: decorated, refused, too long, empty, broken."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from requery.expansion.parse import parse_clues, parse_line, tidy

VOCABULARY = "deer antler forest tin Lumo 1957 red-tailed O'Hara".split()
WORDS = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=5)
LINES = st.lists(WORDS.map(" ".join), min_size=2, max_size=12, unique_by=str.casefold)
NUMBERED = ("{i}. {x}", "{i}) {x}", "({i}) {x}", "[{i}] {x}", "{i} - {x}", "{i}. **{x}**", "Clue {i}: {x}")
MARKED = (
    "- {x}",
    "* {x}",
    "• {x}",
    "•{x}",
    "# {x}",
    '"{x}"',
    "“{x}”",
    "**{x}**",
    "`{x}`",
    '- "{x}"',
    "  {x}  ",
)


@settings(max_examples=60, deadline=None)
@given(LINES, st.sampled_from(NUMBERED + MARKED), st.booleans())
def test_decorated_lists_are_read_as_plain_ones(lines, decoration, chatty):
    text = "\n\n".join(decoration.format(i=i, x=line) for i, line in enumerate(lines, 1))
    if chatty:
        text = f"Sure!\nHere are {len(lines)} clues:\n\n```text\n{text}\n```<|eot_id|>"
    assert parse_clues([text], 12, 20).texts == tuple(lines)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=4), st.integers(1, 5), st.integers(1, 6))
def test_whatever_comes_is_read_into_short_distinct_lines(answers, n, most_words):
    for parsed, limit in (
        (parse_clues(answers, n, most_words), n),
        (parse_line(answers, most_words), len(answers)),
    ):
        assert len(parsed.texts) <= limit
        assert len({text.casefold() for text in parsed.texts}) == len(parsed.texts)
        for text in parsed.texts:
            assert text == tidy(text) and "\n" not in text
            assert 1 <= len(text.split()) <= most_words
            assert any(letter.isalnum() for letter in text)
        assert (parsed.outcome == "ok") == bool(parsed.texts)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('["red deer", "antlers"]', ("red deer", "antlers")),
        ('```json\n["red deer",\n "antlers"]\n```', ("red deer", "antlers")),
        ('["red deer",\n "antlers",\n "fo', ("red deer", "antlers", '"fo')),
        ("1. red deer 2. antlers 3. forest", ("red deer", "antlers", "forest")),
        ("red deer; antlers; forest", ("red deer", "antlers", "forest")),
        ("a, b, c, d, e, f", ("a", "b", "c", "d", "e", "f")),
        ("deer, antlers and forest", ("deer, antlers and forest",)),
        ("1.5 litres\n3D printing\n1957: the year", ("1.5 litres", "3D printing", "1957: the year")),
        ("<think>what is it?\na deer</think>\nred deer", ("red deer",)),
        ("Red Deer\nred deer\nRED DEER", ("Red Deer",)),
        ("ｒｅｄ　ｄｅｅｒ\x00", ("red deer",)),
        ("1.\n2. deer\n3.", ("deer",)),
    ],
)
def test_lists_in_odd_forms(text, lines):
    assert parse_clues([text], 12, 20).texts == lines


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([], "empty"),
        (["  \n "], "empty"),
        (["I'm sorry, but I can't help with that."], "refused"),
        (["I’m sorry, I cannot identify people."], "refused"),
        (["Unfortunately, I cannot see the image."], "refused"),
        (["As an AI language model, I have no eyes."], "refused"),
        (["I am unable to say who this is."], "refused"),
        (["..., !!! ---"], "malformed"),
        (["[" * 5000], "malformed"),
        (["<think>what could it be"], "empty"),
        (["Here is the rewritten question:"], "malformed"),
        (["deer " * 15], "malformed"),
        ([" ".join(f"word{i}" for i in range(41))], "overlong"),
    ],
)
def test_what_cannot_be_used_says_why(answers, outcome):
    for parsed in (parse_line(answers, 40), parse_clues(answers, 12, 40)):
        assert (parsed.texts, parsed.outcome) == ((), outcome)


@pytest.mark.parametrize("text", ["who cannot fly", "sorry board game", "I Robot by Asimov", "unable bodied"])
def test_content_is_not_taken_for_a_refusal(text):
    assert parse_line([text], 40).texts == (text,)


def test_a_line_is_the_first_of_its_answer_without_talk_and_label():
    text = 'Sure, here it is:\nRewritten question: "What do deer eat?"\n\nI replaced the pronoun.'
    assert parse_line([text], 40).texts == ("What do deer eat?",)
    assert parse_line(["a b\nc", "A B", "d"], 40).texts == ("a b", "d")


def test_a_good_line_after_an_overlong_first_one_is_not_taken():
    assert parse_line(["one two three\nfour"], 2).outcome == "overlong"
    assert parse_clues(["one two three\nfour"], 12, 2).texts == ("four",)


def test_what_is_left_out_is_counted():
    text = "deer\nDEER\nI cannot say more than this.\n---\none two three four\nforest\ntin"
    parsed = parse_clues([text], 2, 3)
    assert parsed.texts == ("deer", "forest")
    assert parsed.dropped == {"repeated": 1, "refused": 1, "malformed": 1, "overlong": 1, "surplus": 1}
