"""Synonyms by embedding similarity: words of a vocabulary near the words of a query."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from requery.errors import ConfigError
from requery.expansion.weights import Tokens

Embed = Callable[[Sequence[str]], Tensor]
"""`N` words to embeddings, `(N, D)`, of any norm above 0."""


class Synonyms:
    """Finds, for each term of a text, the terms of the nearest words.

    Args:
        vocabulary: words to choose from, such as the corpus's most frequent; they are embedded once.
        embed: embeds words.
        tokens: the index's analysis; a word that it leaves out is nobody's synonym.
        at_least: cosine similarity a synonym has.
        most: synonyms a word has at most.

    Raises:
        ConfigError: the vocabulary has no word, or a number is out of range.
    """

    def __init__(
        self, vocabulary: Sequence[str], embed: Embed, tokens: Tokens, at_least: float = 0.7, most: int = 3
    ) -> None:
        if not 0 < at_least <= 1 or most < 1:
            raise ConfigError(
                f"synonyms: at_least={at_least} must lie in (0, 1] and most={most} be at least 1"
            )
        self.embed, self.tokens, self.at_least, self.most = embed, tokens, at_least, most
        self.words = [word for word in dict.fromkeys(vocabulary) if tokens(word)]
        if not self.words:
            raise ConfigError("synonyms: the vocabulary has no word that the index keeps")
        self.embeddings = normalize(embed(self.words).float(), dim=1)  # (V, D)

    def of(self, text: str) -> dict[str, dict[str, float]]:
        """Similarity of the terms of near words, for each term of a text that has any.

        Similarities are rounded to four digits, so that they do not depend on what is embedded together.
        """
        words = [word for word in dict.fromkeys(re.findall(r"\w+", text.casefold())) if self.tokens(word)]
        if not words:
            return {}
        similarity = normalize(self.embed(words).float(), dim=1) @ self.embeddings.T  # (W, V)
        values, places = torch.sort(similarity, dim=1, descending=True, stable=True)
        found: dict[str, dict[str, float]] = {}
        for word, row, order in zip(words, values.tolist(), places.tolist(), strict=True):
            own = self.tokens(word)
            near: dict[str, float] = {}
            for value, place in zip(row, order, strict=True):
                terms = [term for term in self.tokens(self.words[place]) if term not in own]
                if value < self.at_least or len(near) >= self.most:
                    break
                near |= {term: round(value, 4) for term in terms if term not in near}
            for term in own if near else ():
                found.setdefault(term, {}).update(near)
        return found
