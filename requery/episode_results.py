"""What each episode came to, put together from all processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from requery.adaptation import Method
from requery.adaptation.facts import FACTS
from requery.distributed import gather
from requery.episodes import Episode
from requery.streamed import Streamed
from requery.task import RetrievalTask

FEATURES_OF = 0
"""The order whose queries' embeddings are kept for pictures."""


class SegmentResult(NamedTuple):
    """One method on one segment.

    Args:
        values: `(1 or 2, metrics, Q)` of each query; the second are the probe's.
        facts: `(facts,)` float64, in the order of `FACTS`.
        rows: `(Q, D)` embeddings the queries were ranked with, or none of them.
    """

    values: Tensor
    facts: Tensor
    rows: Tensor


class EpisodeResult(NamedTuple):
    """All methods on one episode.

    Args:
        values: `(segments, methods, 1 or 2, metrics, Q)`.
        facts: `(segments, methods, facts)`.
        rows: `(segments, methods, Q or 0, D)`.
        collapses: `(methods,)` int64.
    """

    values: Tensor
    facts: Tensor
    rows: Tensor
    collapses: Tensor

    @classmethod
    def of(cls, methods: Sequence[tuple[Sequence[SegmentResult], int]]) -> EpisodeResult:
        """Join the segments and the number of collapses of each method."""

        def column(name: str) -> Tensor:
            of_methods = [torch.stack([getattr(part, name) for part in parts]) for parts, _ in methods]
            return torch.stack(of_methods, 1)

        collapses = torch.tensor([number for _, number in methods])
        return cls(column("values"), column("facts"), column("rows"), collapses)


def gather_results(
    task: RetrievalTask,
    methods: Mapping[str, Method],
    episodes: Sequence[Episode],
    own: Mapping[int, EpisodeResult],
    probed: bool,
    pictured: Mapping[str, Tensor],
) -> Streamed:
    """Put the episodes of all processes together; every process calls it and gets the same.

    Args:
        task: the unshifted queries.
        methods: names and settings.
        episodes: all of them; each process has some, in their order.
        own: by number of the episode, what this process has.
        probed: whether clean queries were ranked.
        pictured: `targets` and `clean`, `(Q, D)` each, where the segments' embeddings were kept.
    """
    grid = (0, len(episodes[0].segments), len(methods))
    empty = EpisodeResult(
        torch.empty(*grid, 1 + probed, len(task.protocol.metrics), task.n_queries),
        torch.empty(*grid, len(FACTS), dtype=torch.float64),
        torch.empty(*grid, *next(iter(pictured.values()), torch.empty(0, 0)).shape, dtype=torch.float16),
        torch.empty(0, len(methods), dtype=torch.int64),
    )
    kept = {n: made for n, made in own.items() if pictured and episodes[n].order == FEATURES_OF}
    values, facts, collapses = (
        gather(torch.cat([getattr(empty, name), *(getattr(made, name)[None] for made in own.values())]))
        for name in ("values", "facts", "collapses")
    )
    features = dict(pictured)
    if pictured:
        rows = gather(torch.cat([empty.rows, *(made.rows[None].half() for made in kept.values())]))
        shown = [episode for episode in episodes if episode.order == FEATURES_OF]
        for episode, of_episode in zip(shown, rows, strict=True):
            for shift, of_segment in zip(episode.names, of_episode, strict=True):
                features |= {f"{shift}/{m}": row for m, row in zip(methods, of_segment, strict=True)}
    return Streamed(task, methods, tuple(episodes), values, collapses, facts, features)
