"""The definition of hard negatives at FashionIQ's shape, against the matrix products alone."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Row, best_seconds, peak_memory
from benchmarks.products import fastest_block, multiply, named, unit
from requery.negatives import Strategy, define
from requery.negatives.strategies import StrategyName

STRATEGIES: tuple[StrategyName, ...] = ("two_drop", "two_drop_window")

CATEGORIES = 3

Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


def measure(quick: bool, turns: int) -> list[Row]:
    """6,000 queries × 6,000 images × 32 tokens × 256 dimensions in each of three categories.

    One category takes all turns. All three, whose products alone take a minute on a core, take one turn, and
    their memory is measured.
    """
    q, n, tokens, dim = (40, 300, 4, 16) if quick else (6_000, 6_000, 32, 256)
    rows = []
    for categories, n_turns in ((1, turns), (CATEGORIES, 1)):
        make = partial(inputs, categories, q, n, tokens, dim)
        given = make()
        parts = [(each, items.flatten(0, 1)) for each, items in zip(given[0].split(q), given[1].split(n))]
        block = fastest_block(parts[0][0][:512], parts[0][1], turns)
        contestants = {"product": partial(multiply_all, parts, block)}
        contestants |= {name: partial(definition, name, given) for name in STRATEGIES}
        seconds = best_seconds(n_turns, contestants)
        size = f"{categories} × {q:,} × {n:,} × {tokens} × {dim}" + ("; one turn" if n_turns < turns else "")
        for name in STRATEGIES:
            memory = peak_memory(make, partial(definition, name)) if categories == CATEGORIES else None
            baseline = named(block), seconds["product"]
            rows.append(Row(f"hard negatives, `{name}`", size, seconds[name], *baseline, memory))
    return rows


def inputs(categories: int, q: int, n: int, tokens: int, dim: int) -> Inputs:
    """Unit embeddings and categories; a query is near a token of its target, which is in its category."""
    corpus = unit(categories * n, tokens, dim, seed=0)
    target = torch.randint(n, (categories * q,), generator=torch.Generator().manual_seed(1))
    group = torch.arange(categories).repeat_interleave(q)
    target += n * group
    near = corpus[target.to(corpus.device), 0]
    queries = torch.nn.functional.normalize(near + unit(categories * q, dim, seed=2), dim=-1)
    return queries, corpus, target, group


def multiply_all(parts: list[tuple[Tensor, Tensor]], block: tuple[int, int]) -> None:
    """The products of each category's queries and vectors."""
    for queries, vectors in parts:
        multiply(queries, vectors, *block)


def definition(name: StrategyName, given: Inputs) -> object:
    """What is measured."""
    queries, corpus, target, query_group = given
    n_groups = int(query_group[-1]) + 1
    corpus_group = torch.arange(n_groups).repeat_interleave(len(corpus) // n_groups)
    return define(Strategy(name), queries, corpus, target, query_group=query_group, corpus_group=corpus_group)
