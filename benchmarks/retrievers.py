"""`python -m benchmarks.retrievers`: words, vectors and both on questions with marked passages, one table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from datamodules import KnowledgeQADataModule
from requery.backbones import Backbone, load_backbone
from requery.encode import encode_blocks
from requery.index import Analyser, Bm25, Bm25Index, ExactIndex, fuse
from requery.index.text_query import counted
from requery.ranking.listed import rank_listed
from requery.ranking.metrics import Estimate, evaluate
from requery.ranking.ranks import Ranking
from requery.task import RetrievalTask

DEPTH = 100
"""Passages of each retriever that are fused."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrievers", description=__doc__)
    parser.add_argument("--root", help="folder of passages.jsonl and questions.jsonl")
    parser.add_argument("--encoder", help="folder of a sentence encoder; without it, BM25 alone")
    options = parser.parse_args(arguments)
    task = KnowledgeQADataModule(options.root).task("test")
    encoder = None if options.encoder is None else load_backbone(options.encoder).eval()
    print(table(task, rankings(task, encoder)))


def rankings(task: RetrievalTask, encoder: Backbone | None) -> dict[str, Ranking]:
    """Rank the passages for every question, by each retriever.

    Args:
        task: text queries and a gallery of texts.
        encoder: of texts; None leaves out what needs one.
    """
    stemmed = by_words(task, Analyser())
    found = {"BM25, every word": by_words(task, Analyser(stop_words="none", stemmer="none"))}
    found["BM25, stop words dropped, stems"] = stemmed
    if encoder is not None:
        dense = found["dense"] = by_vectors(task, encoder)
        fused = fuse([stemmed.top_index, dense.top_index], DEPTH)
        found["hybrid"] = rank_listed(*fused, task.qrels, task.n_gallery, top_k=DEPTH)
    return found


def by_words(task: RetrievalTask, analyser: Analyser) -> Ranking:
    """BM25."""
    index = Bm25Index(Bm25(analyser=analyser))
    index.add(task.gallery_text or [])
    queries = [counted(index.tokens(text)) for text in task.query_text or []]
    return index.rank(queries, task.qrels, top_k=DEPTH)


def by_vectors(task: RetrievalTask, encoder: Backbone) -> Ranking:
    """Exact search of an encoder's embeddings."""

    def encoded(texts: Sequence[str]) -> torch.Tensor:
        return encode_blocks(
            lambda rows: encoder.encode_query(None, [texts[int(row)] for row in rows]), len(texts)
        )

    index = ExactIndex()
    index.add(encoded(task.gallery_text or []))
    return index.rank(encoded(task.query_text or []), task.qrels, top_k=DEPTH)


def table(task: RetrievalTask, found: dict[str, Ranking]) -> str:
    """Percent with 95 % intervals, as Markdown."""
    names = task.protocol.metrics
    lines = [f"| {' | '.join([f'`{task.protocol.key}`', *names])} |", f"|---|{'---:|' * len(names)}"]
    for name, ranking in found.items():
        cells = [_cell(estimate) for estimate in evaluate(ranking, task.qrels, names).values()]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(lines)


def _cell(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


if __name__ == "__main__":
    main()
