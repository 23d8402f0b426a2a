"""Prompts leave out what is not known, and name fields that exist."""

from string import Formatter

import pytest

from requery.expansion.prompts import PROMPTS, fill, listed


def test_a_line_without_its_value_is_left_out():
    template = "Look.\nQuestion: {question}\nCaption: {caption}\nEnd."
    assert fill(template, question="why?", caption="") == "Look.\nQuestion: why?\nEnd."
    assert fill(template, question="", caption="a deer") == "Look.\nCaption: a deer\nEnd."


def test_braces_in_values_stay():
    assert fill("Q: {question}", question="{caption} {0} }{") == "Q: {caption} {0} }{"


def test_lists_follow_their_heading():
    assert listed(["one", "two"], numbered=True) == "\n[1] one\n[2] two"
    assert listed(["one", "two"]) == "\none\ntwo"
    assert fill("Passages:{passages}\nEnd.", passages=listed([])) == "End."


@pytest.mark.parametrize("version", PROMPTS)
def test_each_version_uses_known_fields_alone(version):
    known = {"look", "question", "rewritten", "caption", "passages", "clues", "n", "goal", "evidence"}
    known |= {"clue_words", "line_words"}
    for template in (text for text in vars(PROMPTS[version]).values() if isinstance(text, str)):
        used = {name for _, name, _, _ in Formatter().parse(template) if name}
        assert used <= known
        assert fill(template, **dict.fromkeys(known, "VALUE")).count("VALUE") >= len(used)
