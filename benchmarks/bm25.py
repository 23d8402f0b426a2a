"""BM25 at the size of OK-VQA's corpus: building, mapping, searching, and expansions searched as one query."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import Row, best_seconds
from requery.index.analyser import Analyser
from requery.index.bm25 import Bm25, Bm25Index
from requery.index.hybrid import fuse
from requery.index.text_query import Terms, counted, merged

PASSAGES = 112_724
"""Those of OK-VQA's GS112K; here of 60 to 129 words drawn by Zipf's law, as are the queries."""

VOCABULARY = 100_000
QUERIES, QUERY = 256, 15
"""Queries in a batch, and the terms of each: a question with its caption."""

EXPANSIONS, CLUE, TOPIC = 12, 5, 20
"""Expansions of a query; terms of the clue each adds; words all its clues are made of: they repeat them."""

K = 10

FEW = 2
"""Turns of building: it takes seconds."""

PLAIN = Bm25(analyser=Analyser(stop_words="none", stemmer="none"))
"""Nothing is dropped or stemmed: the words are made up."""


@dataclass(frozen=True)
class Inputs:
    """What is measured with.

    Args:
        texts: the corpus.
        queries: of `QUERY` terms.
        expansions: of some of them, `EXPANSIONS` each: the query with a clue.
    """

    texts: list[str]
    queries: list[list[str]]
    expansions: list[list[Terms]]


def measure(quick: bool, turns: int) -> list[Row]:
    """Build, load, a batch of queries of 15 terms, and 12 expansions a question."""
    n = 500 if quick else PASSAGES
    given = inputs(n)
    size = f"{n:,} passages"
    building = best_seconds(min(turns, FEW), {"ours": partial(built, given), "bm25s": partial(theirs, given)})
    rows = [Row("BM25, tokens and index", size, building["ours"], "bm25s", building["bm25s"])]
    index, reference = built(given), theirs(given)
    with tempfile.TemporaryDirectory() as folder:
        index.save(path := Path(folder) / "bm25")
        mapped = Bm25Index.load(path)
        loading = best_seconds(turns, {"load": partial(Bm25Index.load, path)})["load"]
        rows.append(Row("BM25, mapping a saved index", size, loading, "building it", building["ours"]))
        seconds = best_seconds(
            turns,
            {
                "batch": partial(search, mapped, given.queries),
                "bm25s": partial(reference.retrieve, given.queries, k=K, show_progress=False),
                "merged": partial(search_merged, mapped, given.expansions),
                "each": partial(search_each, mapped, given.expansions),
            },
        )
    asked = f"{QUERIES} × {QUERY} terms, {size}"
    expanded = f"{len(given.expansions)} × {EXPANSIONS} × {QUERY + CLUE} terms, {size}"
    rows.append(Row("BM25, a batch of queries", asked, seconds["batch"], "bm25s", seconds["bm25s"]))
    rows.append(
        Row("BM25, merged expansions", expanded, seconds["merged"], "each searched, fused", seconds["each"])
    )
    return rows


def inputs(n: int) -> Inputs:
    """A made-up corpus of `n` passages, and queries of its words."""
    generator = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(VOCABULARY)])
    chance = 1 / np.arange(1, VOCABULARY + 1)
    chance /= chance.sum()

    def draw(lengths: np.ndarray) -> list[list[str]]:
        drawn = words[generator.choice(VOCABULARY, lengths.sum(), p=chance)].tolist()
        return [drawn[end - length : end] for length, end in zip(lengths, lengths.cumsum(), strict=True)]

    texts = [" ".join(text) for text in draw(generator.integers(60, 130, n))]
    queries = draw(np.full(QUERIES, QUERY))
    topics = draw(np.full(QUERIES // EXPANSIONS, TOPIC))
    expansions = [
        [counted([*query, *generator.choice(topic, CLUE)]) for _ in range(EXPANSIONS)]
        for query, topic in zip(queries, topics, strict=False)
    ]
    return Inputs(texts, queries, expansions)


def built(given: Inputs) -> Bm25Index:
    """What is measured."""
    index = Bm25Index(PLAIN)
    index.add(given.texts)
    return index


def theirs(given: Inputs) -> object:
    """The library alone, with its own tokens."""
    import bm25s

    index = bm25s.BM25(k1=PLAIN.k1, b=PLAIN.b)
    tokens = bm25s.tokenize(given.texts, token_pattern=r"\w+", stopwords=[], show_progress=False)
    index.index(tokens, show_progress=False)
    return index


def search(index: Bm25Index, queries: Sequence[Sequence[str]]) -> object:
    """A batch of plain queries."""
    return index.search_terms([counted(query) for query in queries], K)


def search_merged(index: Bm25Index, expansions: Sequence[Sequence[Terms]]) -> object:
    """One search for all expansions of a question."""
    return index.search_terms([merged(own) for own in expansions], K)


def search_each(index: Bm25Index, expansions: Sequence[Sequence[Terms]]) -> object:
    """A search an expansion, and their lists fused by rank."""
    found = index.search_terms([one for own in expansions for one in own], K)[1]
    lists = found.view(len(expansions), EXPANSIONS, K)
    return fuse([lists[:, number] for number in range(EXPANSIONS)], K)
