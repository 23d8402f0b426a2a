"""Adaptive term weights: what the model added, beside the original query, which keeps most of the weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from requery.index.text_query import Terms, counted, merged
from requery.ranges import at_least, between

Tokens = Callable[[str], list[str]]


@dataclass(frozen=True)
class Weighting:
    """How much a term counts by where it comes from. The paper gives no numbers; all are ours.

    Args:
        question: each occurrence in the question. With `caption` the same, plain BM25.
        caption: each occurrence in the caption.
        rewrite: a term that the rewriting brought in.
        expansion: a term of the chosen clues and refined queries, plus …
        agreement: … this, times the share of them that have it.
        max_expansion_mass: share of the whole weight that terms brought in may have, at most 0.5.
        attention: a term's weight is multiplied by 1 + this times the attention it has from the image.
        synonyms: weight of a synonym, times its similarity and its word's weight; 0 = none.
    """

    question: float = 1.0
    caption: float = 0.5
    rewrite: float = 1.5
    expansion: float = 0.3
    agreement: float = 0.7
    max_expansion_mass: float = 0.5
    attention: float = 0.0
    synonyms: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, 0, "question", "caption", "rewrite", "expansion", "agreement", "attention", "synonyms")
        between(self, 0, 0.5, "max_expansion_mass")


def original_weights(tokens: Tokens, question: str, caption: str, weighting: Weighting) -> dict[str, float]:
    """Terms of the original query: a term counts as often as it occurs, as in BM25."""
    texts = counted(tokens(question)), counted(tokens(caption))
    return _positive(merged(texts, (weighting.question, weighting.caption)))


def added_weights(
    tokens: Tokens, question: str, rewritten: str, clues: Sequence[str], weighting: Weighting
) -> dict[str, float]:
    """Terms of the terms that a rewriting and clues bring in; where both do, the larger.

    Args:
        tokens: the index's analysis.
        question: the question, whose terms the rewriting does not bring in.
        rewritten: the question rewritten, or "".
        clues: chosen clues and refined queries.
        weighting: weights by origin.
    """
    known = set(tokens(question))
    weights = {term: weighting.rewrite for term in tokens(rewritten) if term not in known}
    having = Counter(term for clue in clues for term in dict.fromkeys(tokens(clue)))
    for term, count in having.items():
        weight = weighting.expansion + weighting.agreement * count / len(clues)
        weights[term] = max(weights.get(term, 0.0), weight)
    return _positive(weights)


def synonym_weights(original: Terms, synonyms: Mapping[str, Terms], weighting: Weighting) -> dict[str, float]:
    """Terms of the synonyms of the original query's terms; of a synonym of two terms, the larger.

    Args:
        original: weights of the original query.
        synonyms: similarity of each term's synonyms.
        weighting: `synonyms` is used.
    """
    weights: dict[str, float] = {}
    for term, near in synonyms.items():
        for other, similarity in near.items():
            weight = weighting.synonyms * similarity * original.get(term, 0.0)
            weights[other] = max(weights.get(other, 0.0), weight)
    return _positive(weights)


def attended(weights: Terms, attention: Terms, weighting: Weighting) -> dict[str, float]:
    """Terms times 1 + attention · (attention of the term)."""
    return {term: w * (1 + weighting.attention * attention.get(term, 0.0)) for term, w in weights.items()}


def capped(original: Terms, added: Terms, max_mass: float) -> dict[str, float]:
    """The weighted query: the original, and what is added scaled down to its share of the whole.

    A term of both has its original weight, and only what the added weight is larger counts as added. So
    added / (original + added) <= max_mass, summed over terms. Where the original has no term at all (all
    stop words), the added ones stand alone.

    Args:
        original: weights of the original query.
        added: weights of what was brought in.
        max_mass: largest share of what was added.
    """
    surplus = {term: weight - original.get(term, 0.0) for term, weight in added.items()}
    surplus = _positive(surplus)
    mass, room = sum(surplus.values()), sum(original.values()) * max_mass / (1 - max_mass)
    scale = min(1.0, room / mass) if original and mass else 1.0
    extra = {term: scale * weight for term, weight in surplus.items()}
    return _positive({t: original.get(t, 0.0) + extra.get(t, 0.0) for t in {**original, **extra}})


def _positive(weights: Terms) -> dict[str, float]:
    return {term: weight for term, weight in weights.items() if weight > 0}
