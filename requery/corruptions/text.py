"""The text corruptions of COCO-C and Flickr-C (Qiu et al. 2022), and the keyboard's."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from requery.corruptions.characters import CHARACTER_EDITS
from requery.corruptions.prepared import PreparedTexts
from requery.corruptions.setting import item_seed
from requery.corruptions.severity import require
from requery.corruptions.words import WORD_EDITS, synonym, word_insert
from requery.corruptions.words import Synonyms as SynonymsOf
from requery.errors import ConfigError

EMBEDDED_TEXT_KINDS = (*CHARACTER_EDITS, *WORD_EDITS)
"""Those that need nothing but the text."""

STYLES = ("formal", "casual", "passive", "active")
SENTENCE_KINDS = (*STYLES, "back_translation")
TEXT_KINDS = (*EMBEDDED_TEXT_KINDS, "synonym", *SENTENCE_KINDS)
LEVELS = 7

THRESHOLD, TRIES = 0.9, 100
"""A shifted sentence below this similarity is drawn again, so many times (Qiu et al. 2022)."""


@dataclass(frozen=True)
class TextTools:
    """What some kinds of text corruption need besides the text.

    Args:
        synonyms: a word's synonyms, for `synonym` and `word_insert`.
        rewriters: what rewrites a sentence with a seed, by kind (`Rewriter`).
        prepared: texts shifted elsewhere, by kind; they win over everything else.
        similarity: how much two sentences say the same (`SentenceSimilarity`): edits of words and styles
            below 0.9 are drawn again, up to 100 times, the last of which stays; None takes the first.
    """

    synonyms: SynonymsOf | None = None
    rewriters: dict[str, Callable[[str, int], str]] = field(default_factory=dict)
    prepared: dict[str, PreparedTexts] = field(default_factory=dict)
    similarity: Callable[[str, str], float] | None = None


def text_severities(kind: str) -> int:
    """The highest severity of a kind of text corruption: a sentence is rewritten or not."""
    return 1 if kind in SENTENCE_KINDS else LEVELS


def corrupt_text(
    text: str,
    kind: str,
    severity: int,
    *,
    key: str | int,
    seed: int = 0,
    tools: TextTools = TextTools(),
) -> str:
    """Corrupt one text; the result depends on the arguments alone.

    Args:
        text: a caption, a question or a modification text.
        kind: one of `TEXT_KINDS`.
        severity: 1 to 7 (published: 7 for characters, 6 and 7 for words); 1 for whole sentences.
        key: names the text; also its id in prepared files.
        seed: another seed, other draws.
        tools: what `synonym` and the kinds of whole sentences need.

    Raises:
        ConfigError: there is no such kind or severity, or its tool is not there.
        DataError: a prepared file lacks the text.
    """
    require(kind, severity, TEXT_KINDS, text_severities(kind), "text")
    if kind in tools.prepared:
        return tools.prepared[kind][key]
    edit = _editor(kind, tools)
    draws = random.Random(item_seed(key, kind, seed))
    if tools.similarity is None or kind in CHARACTER_EDITS or kind == "back_translation":
        return edit(text, severity, draws)
    made = text
    for _ in range(TRIES):
        made = edit(text, severity, draws)
        if tools.similarity(made, text) >= THRESHOLD:
            break
    return made


Edit = Callable[[str, int, random.Random], str]


def _editor(kind: str, tools: TextTools) -> Edit:
    if kind in SENTENCE_KINDS:
        if kind not in tools.rewriters:
            raise ConfigError(
                f"{kind} needs a model or texts prepared elsewhere: give `models: {{{kind}: [folder]}}` "
                f"(a T5 as Styleformer's, or two translators) or `prepared: {{{kind}: file.jsonl}}`"
            )
        rewrite = tools.rewriters[kind]
        return lambda text, severity, draws: rewrite(text, draws.getrandbits(63))
    if kind == "word_insert":
        return partial(word_insert, synonyms=tools.synonyms)
    if kind == "synonym":
        if tools.synonyms is None:
            raise ConfigError(
                "synonym needs WordNet: give `wordnet: FOLDER` (the folder that holds data.noun) or "
                "`prepared: {synonym: file.jsonl}`"
            )
        return partial(synonym, synonyms=tools.synonyms)
    return CHARACTER_EDITS.get(kind) or WORD_EDITS[kind]
