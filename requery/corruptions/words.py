"""Easy Data Augmentation (Wei and Zou 2019) and inserted punctuation, as MM_Robustness uses them.

At level L the rate is `0.05 L`. Words are lower-cased and stripped of all but letters, except where
punctuation is inserted. Draws are taken in the official order: one seed gives the official text.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

RATE = 0.05
MARKS = ".,!?;:"
SAME_TRIES, EMPTY_TRIES = 4, 10

STOP_WORDS = frozenset(
    "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her "
    "hers herself it its itself they them their theirs themselves what which who whom this that these "
    "those am is are was were be been being have has had having do does did doing a an the and but if "
    "or because as until while of at by for with about against between into through during before after "
    "above below to from up down in out on off over under again further then once here there when where "
    "why how all any both each few more most other some such no nor not only own same so than too very "
    "s t can will just don should now".split()
)

Synonyms = Callable[[str], Sequence[str]]
"""A word's synonyms, in a fixed order, without the word itself."""


def letters_only(text: str) -> list[str]:
    """The words of a text in lower case: letters alone, hyphens part words, apostrophes do not."""
    return re.sub("[^a-z]", " ", re.sub("[’']", "", text).lower()).split()


def _count(words: Sequence[str], level: int) -> int:
    return max(1, int(RATE * level * len(words)))


def word_swap(text: str, level: int, draw: random.Random) -> str:
    """Exchange two random words, several times."""
    words = letters_only(text)
    for _ in range(_count(words, level) if words else 0):
        one = other = draw.randint(0, len(words) - 1)
        tries = 0
        while other == one and tries < SAME_TRIES:
            other = draw.randint(0, len(words) - 1)
            tries += 1
        if tries < SAME_TRIES:
            words[one], words[other] = words[other], words[one]
    return " ".join(words)


def word_delete(text: str, level: int, draw: random.Random) -> str:
    """Leave each word out with probability `0.05 L`, but not all of them."""
    words = letters_only(text)
    if len(words) <= 1:
        return " ".join(words)
    kept = [word for word in words if draw.uniform(0, 1) > RATE * level]
    return " ".join(kept or [words[draw.randint(0, len(words) - 1)]])


def punctuation(text: str, level: int, draw: random.Random) -> str:
    """Put a mark of punctuation before some words, as a word of its own; all else stays as it is."""
    words = text.split(" ")
    n = draw.randint(1, int(RATE * level * len(words) + 1))
    places = draw.sample(range(len(words)), n)
    marked = [
        [MARKS[draw.randint(0, len(MARKS) - 1)], word] if at in places else [word]
        for at, word in enumerate(words)
    ]
    return " ".join(part for parts in marked for part in parts)


def word_insert(text: str, level: int, draw: random.Random, synonyms: Synonyms | None = None) -> str:
    """Insert a synonym of a random word at a random place, several times.

    Without a source of synonyms a word stands for itself: it is said twice.
    """
    words = letters_only(text)
    for _ in range(_count(words, level) if words else 0):
        for _ in range(EMPTY_TRIES):
            word = words[draw.randint(0, len(words) - 1)]
            found = [word] if synonyms is None else synonyms(word)
            if found:
                words.insert(draw.randint(0, len(words) - 1), found[0])
                break
    return " ".join(words)


def synonym(text: str, level: int, draw: random.Random, synonyms: Synonyms) -> str:
    """Replace some words, wherever they stand, by synonyms; stop words stay.

    The official order of words hangs on Python's hash seed; ours is theirs in the text, shuffled.
    """
    words = letters_only(text)
    n = _count(words, level)
    candidates = [word for word in dict.fromkeys(words) if word not in STOP_WORDS]
    draw.shuffle(candidates)
    replaced = 0
    for word in candidates:
        found = synonyms(word)
        if found and replaced < n:
            new = draw.choice(found)
            words = [new if old == word else old for old in words]
            replaced += 1
    return " ".join(words)


WORD_EDITS: dict[str, Callable[[str, int, random.Random], str]] = {
    "word_insert": word_insert,
    "word_swap": word_swap,
    "word_delete": word_delete,
    "punctuation": punctuation,
}
