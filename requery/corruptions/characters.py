"""Errors in the characters of some words, after nlpaug (Ma 2019) as MM_Robustness uses it.

At level L, `max(1, int(0.05 L · tokens))` words are hit, 10 at most, and of each
`max(least, int(0.3 · length))` characters. A word needs 4 characters (1 under OCR). An edit that leaves the
text as it was is drawn again, up to three times.

Where this differs from nlpaug: spaces stay as they are; swaps follow one another, so that no character is
doubled; the keyboard is computed from its geometry, and knows no special characters.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from functools import partial

from requery.corruptions.confusions import KEYBOARD, OCR

SHARE_OF_WORDS, SHARE_OF_CHARACTERS = 0.05, 0.3
MOST = 10
TRIES = 4
TOKEN = re.compile(r"\w+|[^\w\s]")
ANY = string.ascii_letters + string.digits + "!@#$%^&*()_+"

Edit = Callable[[list[str], list[int], random.Random], list[str]]
"""Changes a word's characters at some positions."""


def edited(
    text: str,
    level: int,
    draw: random.Random,
    *,
    edit: Edit,
    known: str = "",
    least: int = 1,
    shortest: int = 4,
) -> str:
    """Edit some characters of some words.

    Args:
        text: any text.
        level: 1 to 7.
        draw: the text's draws.
        edit: what is done to a word.
        known: the characters it can be done to; empty for all.
        least: characters hit in a word.
        shortest: characters of the shortest word hit.
    """
    for _ in range(TRIES):
        made = _edited_once(text, level, draw, edit, known, least, shortest)
        if made != text:
            return made
    return text


def _edited_once(
    text: str, level: int, draw: random.Random, edit: Edit, known: str, least: int, shortest: int
) -> str:
    tokens = list(TOKEN.finditer(text))
    words = [token for token in tokens if len(token.group()) >= shortest]
    n = min(max(1, int(SHARE_OF_WORDS * level * len(tokens))), MOST, len(words))
    for token in sorted(draw.sample(words, n), key=re.Match.start, reverse=True):
        word = list(token.group())
        places = [at for at, character in enumerate(word) if not known or character in known]
        hit = draw.sample(places, min(max(least, int(SHARE_OF_CHARACTERS * len(word))), MOST, len(places)))
        text = text[: token.start()] + "".join(edit(word, sorted(hit), draw)) + text[token.end() :]
    return text


def insert(word: list[str], places: list[int], draw: random.Random) -> list[str]:
    """Put a random character before each place."""
    return [
        part for at, old in enumerate(word) for part in ([draw.choice(ANY), old] if at in places else [old])
    ]


def substitute(word: list[str], places: list[int], draw: random.Random) -> list[str]:
    """Put a random character at each place."""
    return [draw.choice(ANY) if at in places else old for at, old in enumerate(word)]


def delete(word: list[str], places: list[int], draw: random.Random) -> list[str]:
    """Leave the characters at the places out."""
    return [old for at, old in enumerate(word) if at not in places]


def swap(word: list[str], places: list[int], draw: random.Random) -> list[str]:
    """Exchange each place's character with a neighbour's; capitals stay where they were."""
    upper = [character.isupper() for character in word]
    for at in places:
        sides = [side for side in (at - 1, at + 1) if 0 <= side < len(word)]
        other = draw.choice(sides)
        word[at], word[other] = word[other], word[at]
    return [c.upper() if big else c.lower() for c, big in zip(word, upper, strict=True)]


def confuse(word: list[str], places: list[int], draw: random.Random, *, table: dict[str, str]) -> list[str]:
    """Take the character at each place for another one."""
    return [draw.choice(table[old]) if at in places else old for at, old in enumerate(word)]


CHARACTER_EDITS: dict[str, Callable[[str, int, random.Random], str]] = {
    "ocr": partial(edited, edit=partial(confuse, table=OCR), known="".join(OCR), least=2, shortest=1),
    "keyboard": partial(edited, edit=partial(confuse, table=KEYBOARD), known="".join(KEYBOARD)),
    "char_insert": partial(edited, edit=insert),
    "char_replace": partial(edited, edit=substitute),
    "char_swap": partial(edited, edit=swap),
    "char_delete": partial(edited, edit=delete),
}
