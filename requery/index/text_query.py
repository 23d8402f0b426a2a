"""Queries of a lexical index: terms with weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from requery.errors import ConfigError

Terms = Mapping[str, float]
"""The weight of each term of a query, at least 0. BM25 is linear in them."""


def counted(tokens: Iterable[str], weight: float = 1.0) -> dict[str, float]:
    """A query in which each occurrence of a term has the same weight.

    >>> counted(["red", "deer", "red"])
    {'red': 2.0, 'deer': 1.0}
    """
    found: dict[str, float] = {}
    for token in tokens:
        found[token] = found.get(token, 0.0) + weight
    return found


def merged(queries: Sequence[Terms], weights: Sequence[float] | None = None) -> dict[str, float]:
    """Make one query of several: its score of a passage is the weighted sum of theirs.

    BM25 adds up over terms, so expansions need one search, not one each.

    Args:
        queries: to be searched together.
        weights: of each; default 1.

    Raises:
        ConfigError: there are not as many weights as queries.

    >>> merged([{"red": 1.0}, {"red": 1.0, "deer": 2.0}], [1.0, 0.5])
    {'red': 1.5, 'deer': 1.0}
    """
    weights = [1.0] * len(queries) if weights is None else weights
    if len(weights) != len(queries):
        raise ConfigError(f"{len(weights)} weights for {len(queries)} queries")
    found: dict[str, float] = {}
    for query, weight in zip(queries, weights, strict=True):
        for term, own in query.items():
            found[term] = found.get(term, 0.0) + weight * own
    return found
