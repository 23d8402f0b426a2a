"""What query expansion needs of a corpus: sparse search by text or by weighted terms, and the texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from requery import distributed
from requery.files import sha256_bytes
from requery.index.bm25 import FORMAT, Bm25, Bm25Index
from requery.index.text_query import Terms


class TermIndex(Protocol):
    """A sparse index, such as BM25, that takes a weight for each term of a query."""

    def tokens(self, text: str, /) -> list[str]:
        """Terms of a text, in order and with repetitions; stop words left out."""
        ...

    def search(self, texts: Sequence[str], /, k: int) -> tuple[Tensor, Tensor]:
        """Scores and passages `(B, k)` of plain texts; -1 where fewer than k passages have a term."""
        ...

    def search_terms(self, queries: Sequence[Terms], /, k: int) -> tuple[Tensor, Tensor]:
        """Scores and passages `(B, k)` of weighted terms; -1 as in `search`."""
        ...


@dataclass(frozen=True)
class Found:
    """What one search found, best first.

    Args:
        items: passages.
        scores: their scores, all above 0.
    """

    items: tuple[int, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Corpus:
    """Passages and the index that searches them.

    Args:
        index: holds the passages in the order of `texts`.
        texts: the passages.
    """

    index: TermIndex
    texts: Sequence[str]

    def find(self, queries: Sequence[str], k: int) -> list[Found]:
        """The first `k` passages of each text."""
        return _rows(*self.index.search(queries, k)) if queries else []

    def find_terms(self, queries: Sequence[Terms], k: int) -> list[Found]:
        """The first `k` passages of each bag of weighted terms."""
        return _rows(*self.index.search_terms(queries, k)) if queries else []

    def quoted(self, items: Sequence[int], words: int) -> list[str]:
        """Some passages for a prompt: each on one line, cut to `words` words."""
        return [" ".join(self.texts[item].split()[:words]) for item in items]


def bm25_corpus(texts: Sequence[str], settings: Bm25, folder: Path) -> Corpus:
    """Passages searched by BM25; their index is made once, by the first process, and kept.

    Args:
        texts: the passages.
        settings: of BM25.
        folder: where indexes are kept, by what they are made of.

    Raises:
        DataError: no passage holds a term.
        RunError: the folder cannot be written.
    """
    made_of = sha256_bytes(json.dumps([FORMAT, asdict(settings), list(texts)]).encode())
    path = folder / f"{made_of[:32]}.safetensors"
    if not path.is_file() and distributed.rank() == 0:
        index = Bm25Index(settings)
        index.add(texts)
        folder.mkdir(parents=True, exist_ok=True)
        index.save(path)
    distributed.barrier("the index of the corpus")
    return Corpus(Bm25Index.load(path), texts)


def _rows(scores: Tensor, index: Tensor) -> list[Found]:
    rows = []
    for values, items in zip(scores.tolist(), index.tolist(), strict=True):
        pairs = [(item, value) for item, value in zip(items, values, strict=True) if item >= 0 and value > 0]
        rows.append(Found(tuple(item for item, _ in pairs), tuple(value for _, value in pairs)))
    return rows
