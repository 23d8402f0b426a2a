"""What an expansion is worth by the answers: labels enter here, for training alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from requery.expansion.parse import parse_clues
from requery.expansion.retriever import Corpus
from requery.expansion.settings import ExpansionSettings
from requery.expansion.weights import added_weights, capped, original_weights

Hits = Callable[[Sequence[str]], Sequence[Sequence[bool]]]
"""Candidates to whether each of the first k passages, retrieved with each, is relevant."""


def gains(hits: Hits, candidates: Sequence[str], k: int = 5) -> list[float]:
    """Retrieval gain of each candidate: what it adds to P@k and to R@k of the query without it.

    P@k is the share of the first k passages that are relevant, R@k whether any is.

    Args:
        hits: retrieves with one candidate each; "" is the query without.
        candidates: expansions, or whole answers of the model.
        k: passages that count.

    Returns:
        One in [-2, 2] a candidate.
    """
    base, *values = [sum(row[:k]) / k + any(row[:k]) for row in hits(["", *candidates])]
    return [value - base for value in values]


def retrieving(
    corpus: Corpus,
    settings: ExpansionSettings,
    question: str,
    caption: str,
    rewritten: str,
    relevant: Callable[[str], bool],
    k: int = 5,
) -> Hits:
    """Retrieve for one query with one candidate each, weighted as in the pipeline.

    Args:
        corpus: the training corpus.
        settings: how answers are read and terms weighted.
        question: the question.
        caption: its image's caption.
        rewritten: the question rewritten, or "".
        relevant: whether a passage has an answer in it.
        k: passages retrieved.

    Returns:
        The function that `gains` takes; a candidate is one clue, or a whole answer of many lines.
    """
    tokens, weighting = corpus.index.tokens, settings.weighting
    original = original_weights(tokens, question, caption, weighting)

    def hits(candidates: Sequence[str]) -> list[list[bool]]:
        read = [parse_clues([text], settings.expansions, settings.clue_words).texts for text in candidates]
        added = [added_weights(tokens, question, rewritten, clues, weighting) for clues in read]
        bags = [capped(original, more, weighting.max_expansion_mass) for more in added]
        return [[relevant(corpus.texts[i]) for i in found.items] for found in corpus.find_terms(bags, k)]

    return hits
