"""A round of relevance feedback against a plain search, in a gallery that lies on disk in half precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Row, best_seconds, peak_memory
from requery.feedback import GRF, PRF
from requery.feedback.session import Loop, Session
from requery.feedback.strategy import Strategy
from requery.index import MappedIndex

QUERIES = 64
PIECE = 1 << 11
"""Vectors made at a time: a gallery never lies in memory."""

FEW = 3
"""Turns with more than `LARGE` images."""

LARGE = 100_000

STRATEGIES: dict[str, Callable[[Tensor], Strategy]] = {"PRF": lambda _: PRF(), "GRF": GRF}


@dataclass(frozen=True)
class Inputs:
    """What is searched.

    Args:
        index: `N` images.
        captions: `N` captions of theirs; a second index, for it maps them from disk as well.
        queries: `(Q, D)`.
    """

    index: MappedIndex
    captions: MappedIndex
    queries: Tensor

    def session(self, name: str) -> Session:
        """A session whose first search is done: the next round is `round_of` it."""
        session = Session(self.queries, self.index, STRATEGIES[name](self.captions.embeddings[:, 0]), Loop())
        session.search()
        return session


def measure(quick: bool, turns: int) -> list[Row]:
    """64 queries in galleries of 1,000 to 1,000,000 images of 512 dimensions, five of them shown."""
    sizes, dim = ((600, 1_200), 16) if quick else ((1_000, 100_000, 1_000_000), 512)
    rows = []
    for n in sizes:
        rows += _rows(
            partial(inputs, n, dim), f"{QUERIES} × {n:,} × {dim}", min(turns, 3) if n > 10**5 else turns
        )
    return rows


def _rows(make: partial[Inputs], size: str, turns: int) -> list[Row]:
    given = make()
    contestants: dict[str, Callable[[], object]] = {"search": partial(search, given)}
    contestants |= {name: partial(round_of, given.session(name)) for name in STRATEGIES}
    seconds = best_seconds(turns, contestants)
    del given, contestants  # their files, before others are made
    rows = []
    for name in STRATEGIES:
        memory = peak_memory(make, partial(rounds, name))
        baseline = "a plain search", seconds["search"]
        rows.append(Row(f"a round of feedback, {name}", size, seconds[name], *baseline, memory))
    return rows


def inputs(n: int, dim: int) -> Inputs:
    """Random unit embeddings, on disk."""
    return Inputs(_mapped(n, dim, seed=0), _mapped(n, dim, seed=1), next(_units(QUERIES, dim, seed=2)))


def _mapped(n: int, dim: int, seed: int) -> MappedIndex:
    index = MappedIndex()
    for piece in _units(n, dim, seed):
        index.add(piece)
    return index


def _units(n: int, dim: int, seed: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, n, PIECE):
        yield torch.nn.functional.normalize(
            torch.randn(min(PIECE, n - start), dim, generator=generator), dim=1
        )


def search(given: Inputs) -> object:
    """What a round is held against."""
    return given.index.search(given.queries, 100)


def round_of(session: Session) -> object:
    """What is measured: the queries are moved and searched again."""
    session.feed_back()
    return session.search()


def rounds(name: str, given: Inputs) -> object:
    """Two rounds, for their memory."""
    return round_of(given.session(name))
