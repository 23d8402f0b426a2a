import pytest

from requery.corruptions import EMBEDDED_TEXT_KINDS, TEXT_KINDS, TextTools, corrupt_text, max_severity
from requery.corruptions.prepared import PreparedTexts
from requery.corruptions.text import SENTENCE_KINDS, TRIES
from requery.errors import ConfigError

TEXTS = [f"replace the {colour} circle at the top with a large square" for colour in ("red", "blue", "green")]


def test_the_fifteen_published_kinds_and_the_keyboard():
    assert len(TEXT_KINDS) == 16 and len(EMBEDDED_TEXT_KINDS) == 10
    published = {kind: max_severity(kind) for kind in TEXT_KINDS if kind != "keyboard"}
    assert sorted(published.values()) == [1] * 5 + [7] * 10


@pytest.mark.parametrize("kind", EMBEDDED_TEXT_KINDS)
def test_texts_depend_on_key_kind_severity_and_seed_alone(kind):
    def made(order):
        out = {i: corrupt_text(TEXTS[i], kind, 7, key=i) for i in order}
        return [out[i] for i in range(3)]

    assert made([0, 1, 2]) == made([2, 0, 1]) != TEXTS
    draws = {
        (key, seed): corrupt_text(TEXTS[0], kind, 7, key=key, seed=seed) for key in "ab" for seed in (0, 1)
    }
    assert len(set(draws.values())) >= 3


@pytest.mark.parametrize("kind", EMBEDDED_TEXT_KINDS)
def test_every_severity_of_every_kind(kind):
    made = [corrupt_text(TEXTS[0], kind, level, key=0) for level in range(1, max_severity(kind) + 1)]
    assert all(made) and len(made) == 7


def test_unknown_kinds_and_severities_are_named():
    with pytest.raises(ConfigError, match="unknown text corruption char_inser: did you mean char_insert"):
        corrupt_text("a", "char_inser", 1, key=0)
    with pytest.raises(ConfigError, match="severity of ocr is 8; it must be in 1…7"):
        corrupt_text("a", "ocr", 8, key=0)
    with pytest.raises(ConfigError, match="severity of formal is 2; it must be in 1…1"):
        corrupt_text("a", "formal", 2, key=0)
    with pytest.raises(ConfigError, match="unknown image, audio or text corruption ocrr: did you mean ocr"):
        max_severity("ocrr")


@pytest.mark.parametrize("kind", ["synonym", *SENTENCE_KINDS])
def test_missing_tools_are_named(kind):
    with pytest.raises(ConfigError, match=f"{kind} needs .*prepared: {{{kind}: file.jsonl}}"):
        corrupt_text("a red circle", kind, 1, key=0)


def test_prepared_texts_win(tmp_path):
    (tmp_path / "made.json").write_text('{"q0": "gemacht"}')
    tools = TextTools(prepared={"back_translation": PreparedTexts(tmp_path / "made.json")})
    assert corrupt_text("made", "back_translation", 1, key="q0", tools=tools) == "gemacht"


def test_a_rewriter_gets_the_texts_own_seed():
    tools = TextTools(rewriters={"formal": lambda text, seed: f"{text} {seed}"})
    made = {corrupt_text("a", "formal", 1, key=key, tools=tools) for key in (0, 1, 0)}
    assert len(made) == 2


def test_texts_that_say_something_else_are_drawn_again():
    compared = []

    def similarity(made, text):
        compared.append(made)
        return 1.0 if made.startswith("replace the") else 0.0

    tools = TextTools(similarity=similarity)
    made = [corrupt_text(TEXTS[0], "word_swap", 7, key=key, tools=tools) for key in range(30)]
    assert sum(text.startswith("replace the") for text in made) > 28 and len(compared) > 40
    compared.clear()
    never = TextTools(similarity=lambda made, text: compared.append(made) or 0.0)
    assert corrupt_text(TEXTS[0], "word_swap", 7, key=0, tools=never) == compared[-1]
    assert len(compared) == TRIES
    corrupt_text(TEXTS[0], "ocr", 7, key=0, tools=never)
    assert len(compared) == TRIES  # characters are published without this check
