"""Send every method through one stream, each from the same source weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from requery.adaptation import Adapter, Method
from requery.adaptation.arrival import Arrival
from requery.episode_results import EpisodeResult, SegmentResult
from requery.episodes import Episode, Segment
from requery.errors import RunError


def run_episode(
    episode: Episode,
    methods: Mapping[str, Method],
    batch_size: int,
    adapt: Callable[[Method], Adapter],
    measure: Callable[[str, Arrival, Segment, int], SegmentResult],
) -> EpisodeResult:
    """Measure each method on the segments of a stream, and put the source weights back.

    Args:
        episode: the stream.
        methods: names and settings.
        batch_size: queries that arrive together.
        adapt: makes the adapter of a method.
        measure: one method on one segment: name, arrival, segment, number of the order.

    Raises:
        RunError: a method left the source weights changed.
    """
    made = []
    for name, method in methods.items():
        adapter = adapt(method)
        source, arrival = adapter.weights_digest(), Arrival(adapter, batch_size)
        parts = [measure(name, arrival, segment, episode.order) for segment in episode.segments]
        made.append((parts, len(adapter.collapses)))
        adapter.reset()
        if adapter.weights_digest() != source:
            raise RunError(f"{name} left the source weights changed; the next stream would not be fair")
    return EpisodeResult.of(made)
