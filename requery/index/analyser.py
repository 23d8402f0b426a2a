"""From a text to the terms BM25 counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from requery.errors import ConfigError

StopWords = Literal["none", "english"]
Stemmer = Literal["none", "porter", "english"]


@dataclass(frozen=True)
class Analyser:
    """How texts are cut into terms; passages and queries by the same rules.

    One-character tokens are terms: `5` may be all that tells two passages apart.

    Args:
        token_pattern: regular expression of a token; not counting groups.
        lowercase: whether case is dropped first.
        stop_words: words left out: `none`, or Lucene's 33 of `english`.
        stemmer: of Snowball: `none`, `porter` (1980) or `english` (its successor).

    Raises:
        ConfigError: the pattern is no regular expression, has groups, or a name is unknown.
    """

    token_pattern: str = r"\w+"
    lowercase: bool = True
    stop_words: StopWords = "english"
    stemmer: Stemmer = "porter"

    def __post_init__(self) -> None:
        try:
            groups = re.compile(self.token_pattern).groups
        except re.error as error:
            raise ConfigError(f"token_pattern {self.token_pattern!r} is no pattern: {error}") from error
        if groups:
            raise ConfigError(f"token_pattern {self.token_pattern!r} has groups; write (?:…) for each (…)")
        for name, known in (("stop_words", ("none", "english")), ("stemmer", ("none", "porter", "english"))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} {getattr(self, name)!r} is not one of {', '.join(known)}")

    def tokens(self, text: str) -> list[str]:
        """The terms of a text, in its order and as often as they occur.

        >>> Analyser().tokens("The 5 racing cars")
        ['5', 'race', 'car']
        """
        return [term for word in self.words(text) if (term := self.term(word)) is not None]

    def words(self, text: str) -> list[str]:
        """The tokens of a text before stop words are dropped and others stemmed."""
        return self._find(text.lower() if self.lowercase else text)

    def term(self, word: str) -> str | None:
        """The term of a token; None for a stop word."""
        return None if word in self._stopped else self._stem(word)

    @cached_property
    def _find(self) -> Callable[[str], list[str]]:
        return re.compile(self.token_pattern).findall

    @cached_property
    def _stopped(self) -> frozenset[str]:
        if self.stop_words == "none":
            return frozenset()
        from bm25s.stopwords import STOPWORDS_EN

        return frozenset(STOPWORDS_EN)

    @cached_property
    def _stem(self) -> Callable[[str], str]:
        if self.stemmer == "none":
            return str
        return snowball(self.stemmer)


def snowball(algorithm: str) -> Callable[[str], str]:
    """The stemmer of a word by one of Snowball's algorithms."""
    import Stemmer as pystemmer

    stem: Callable[[str], str] = pystemmer.Stemmer(algorithm).stemWord
    return stem


def stemmed(texts: Iterable[str]) -> list[str]:
    """Texts with each word stemmed by Porter's algorithm, as the answers of OK-VQA are.

    >>> stemmed(["stuffed animal"])
    ['stuf anim']
    """
    stem = snowball("porter")
    return [" ".join(stem(word) for word in text.split()) for text in texts]
