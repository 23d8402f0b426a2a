"""BM25 over a corpus of texts, with a weight for each term of a query."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from requery.cache import tensor_digest
from requery.errors import ConfigError, DataError
from requery.files import atomic_bytes, sha256_bytes
from requery.index.analyser import Analyser
from requery.index.text_query import Terms, counted
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import MEMORY_BUDGET, Ranking
from requery.ranking.retrieved import rank_retrieved
from requery.ranking.top import GROUP

FORMAT = "requery-bm25-index-1"

_ARRAYS = ("data", "indices", "indptr", "vocabulary")


@dataclass(frozen=True)
class Bm25:
    """Settings of BM25 (Robertson et al. 1994) in Lucene's form.

    score(d) = Σ_t w_t · idf_t · tf / (tf + k1 · (1 − b + b · |d| / mean |d|)),
    idf_t = ln(1 + (N − n_t + 0.5) / (n_t + 0.5)).

    Args:
        k1: how much a term's second occurrence adds.
        b: how much long passages are held back, 0 to 1.
        analyser: how texts are cut into terms.

    Raises:
        ConfigError: k1 is negative or b outside 0 to 1.
    """

    k1: float = 0.9
    b: float = 0.4
    analyser: Analyser = field(default_factory=Analyser)

    def __post_init__(self) -> None:
        if self.k1 < 0 or not 0 <= self.b <= 1:
            raise ConfigError(f"BM25 with k1 {self.k1}, b {self.b}: k1 is at least 0, b from 0 to 1")


class Bm25Index:
    """A corpus in memory or mapped from disk; passages are numbered in the order they are added.

    A passage without any of a query's terms is not retrieved: it has no rank, as in a search engine, not the
    last ones. Ties follow the one rule. Scores do not depend on the order of a query's words.

    Args:
        settings: of BM25.
        memory_budget: bytes of scores held at one time.
    """

    def __init__(self, settings: Bm25 = Bm25(), memory_budget: int = MEMORY_BUDGET) -> None:
        self.settings, self.memory_budget = settings, memory_budget
        self._fill(
            0, {}, torch.empty(0), torch.empty(0, dtype=torch.int32), torch.zeros(1, dtype=torch.int64)
        )

    def __len__(self) -> int:
        return self._n

    def tokens(self, text: str) -> list[str]:
        """The terms of a text, as the corpus was cut."""
        return self.settings.analyser.tokens(text)

    def idf(self, term: str) -> float:
        """How rare a term is, ln(1 + (N − n + 0.5) / (n + 0.5)); of an unknown one, that of n = 0."""
        place = self._terms.get(term)
        n = 0 if place is None else int(self._offsets[place + 1] - self._offsets[place])
        return float(torch.tensor((len(self) - n + 0.5) / (n + 0.5), dtype=torch.float64).log1p())

    def add(self, texts: Iterable[str]) -> None:
        """Index the corpus: once, since each passage's score depends on all of them.

        Raises:
            DataError: there is a corpus already, or none of the texts holds a term.
        """
        if len(self):
            raise DataError(f"the index holds {len(self):,} passages; make another for another corpus")
        rows, terms = self._numbered(texts)
        if not terms:
            raise DataError(
                f"none of {len(rows):,} passages holds a term; check analyser.token_pattern, "
                f"{self.settings.analyser.token_pattern!r}"
            )
        import bm25s

        made = bm25s.BM25(k1=self.settings.k1, b=self.settings.b, method="lucene")
        made.index((rows, dict(terms)), create_empty_token=False, show_progress=False)
        arrays = [torch.from_numpy(made.scores[name]) for name in ("data", "indices", "indptr")]
        self._fill(len(rows), terms, *arrays)

    def _numbered(self, texts: Iterable[str]) -> tuple[list[list[int]], dict[str, int]]:
        """Each text as the numbers of its terms, and each term's number."""
        analyser, terms, numbers = self.settings.analyser, dict[str, int](), dict[str, int]()
        stopped = -1
        rows = []
        for text in texts:
            words = analyser.words(text)
            for word in dict.fromkeys(words):
                if word not in numbers:  # stemmed once, not wherever it occurs
                    term = analyser.term(word)
                    numbers[word] = stopped if term is None else terms.setdefault(term, len(terms))
            rows.append([number for word in words if (number := numbers[word]) != stopped])
        return rows, terms

    def _fill(self, n: int, terms: dict[str, int], data: Tensor, indices: Tensor, indptr: Tensor) -> None:
        """Take a term-major sparse matrix: term `t` adds `data` to passages `indices` from `indptr[t]` on."""
        self._n, self._terms = n, terms
        self._data, self._items, self._offsets = data, indices, indptr

    def scores(self, queries: Sequence[Terms]) -> Tensor:
        """Score every passage for some queries, `(B, N)` float32; 0 where no term occurs.

        Args:
            queries: of each the weights of its terms; those the corpus does not hold add nothing.

        Raises:
            ConfigError: a weight is negative, NaN or infinite.
        """
        return self._padded(queries)[:, : len(self)]

    def search(self, texts: Sequence[str], k: int) -> tuple[Tensor, Tensor]:
        """Find the first k passages for each text; see `search_terms`."""
        return self.search_terms([counted(self.tokens(text)) for text in texts], k)

    def search_terms(
        self, queries: Sequence[Mapping[str, float]], k: int, excluded: Ragged | None = None
    ) -> tuple[Tensor, Tensor]:
        """Find the first k passages for weighted terms.

        Args:
            queries: of each the weights of its terms.
            k: how many, clipped to the corpus.
            excluded: `Q` rows of passages left out.

        Returns:
            Scores `(Q, k)` float32, descending, -inf where fewer passages hold a term, and their numbers
            `(Q, k)` int64, -1 there.

        Raises:
            ConfigError: k is not positive, or a weight is negative, NaN or infinite.
            DataError: nothing was added.
        """
        no_truth = Qrels.from_targets(torch.full((len(queries),), -1), excluded)
        ranking = self.rank(queries, no_truth, top_k=k)
        return ranking.top_score, ranking.top_index

    def rank(self, queries: Sequence[Terms], qrels: Qrels, *, top_k: int = 100) -> Ranking:
        """Rank all passages for each query; those without any of its terms have no rank (0).

        Raises:
            ConfigError: `top_k` is not positive, or a weight is negative, NaN or infinite.
            DataError: nothing was added, there is no query, or the truth does not fit.
        """
        if top_k < 1:
            raise ConfigError(f"top_k ({top_k}) must be at least 1")
        if not len(self):
            raise DataError("the corpus is empty: add texts to the index first")
        qrels.validate(len(queries), len(self))
        rows = iter(queries)
        size = max(1, min(64, self.memory_budget // (4 * len(self))))
        parts, start = [], 0
        while batch := list(islice(rows, size)):
            own = qrels.select(torch.arange(start, start + len(batch)))
            parts.append(rank_retrieved(self._padded(batch), own, min(top_k, len(self)), len(self)))
            start += len(batch)
        if not parts:
            raise DataError("there is no query to search for")
        return Ranking.concat(parts)

    def _padded(self, queries: Sequence[Terms]) -> Tensor:
        """`(B, N filled up to whole groups)` scores."""
        scores = torch.zeros(len(queries), -(-len(self) // GROUP) * GROUP)
        for row, terms in zip(scores, queries, strict=True):
            for number, weight in self._known(terms):
                part = slice(int(self._offsets[number]), int(self._offsets[number + 1]))
                row.index_add_(0, self._items[part], self._data[part], alpha=weight)
        return scores

    def _known(self, terms: Terms) -> Iterator[tuple[int, float]]:
        """Numbers and weights of the terms the corpus holds, in the order of the numbers."""
        bad = [f"{term}: {weight}" for term, weight in terms.items() if not 0 <= weight < float("inf")]
        if bad:
            raise ConfigError(f"weights of terms are at least 0 and finite, not {', '.join(bad[:5])}")
        found = ((self._terms[term], weight) for term, weight in terms.items() if term in self._terms)
        return iter(sorted(found))

    def save(self, path: Path | str) -> None:
        """Write the index with its settings and checksum as safetensors, whole or not at all.

        Raises:
            DataError: nothing was added.
            RunError: the file cannot be written.
        """
        if not len(self):
            raise DataError("the corpus is empty: add texts to the index first")
        from safetensors.torch import save

        words = torch.frombuffer(bytearray(json.dumps(list(self._terms)).encode()), dtype=torch.uint8)
        arrays = dict(zip(_ARRAYS, (self._data, self._items, self._offsets, words), strict=True))
        made = json.dumps({"settings": asdict(self.settings), "passages": len(self)})
        metadata = {"format": FORMAT, "made": made, "sha256": _digest(made, arrays)}
        atomic_bytes(path, save(arrays, metadata))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Map what `save` wrote; it is read once, to compare its checksum.

        Raises:
            DataError: the file is missing, damaged or something else.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                known = metadata.get("format") == FORMAT
                arrays = {name: file.get_tensor(name) for name in _ARRAYS} if known else {}
        except (OSError, SafetensorError) as error:
            raise DataError(f"{path}: not a readable index ({error}); build it again") from error
        if not known:
            raise DataError(f"{path}: not a BM25 index ({FORMAT}); build it again")
        if _digest(metadata.get("made", ""), arrays) != metadata.get("sha256"):
            raise DataError(f"{path}: its content does not match its checksum; build it again")
        made = json.loads(metadata["made"])
        settings = made["settings"]
        index = cls(Bm25(**{**settings, "analyser": Analyser(**settings["analyser"])}))
        terms = json.loads(arrays.pop("vocabulary").numpy().tobytes())
        index._fill(made["passages"], {term: i for i, term in enumerate(terms)}, **arrays)
        return index


def _digest(made: str, arrays: Mapping[str, Tensor]) -> str:
    parts = [made, *(tensor_digest(arrays[name]) for name in _ARRAYS)]
    return sha256_bytes("\n".join(parts).encode())
