"""What arrives at a model that adapts while it is tested: streams of queries, one shift after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from requery.errors import ConfigError

CLEAN = "clean"
Plan = Literal["separate", "sequence", "cyclic", "gradual"]


@dataclass(frozen=True)
class Segment:
    """All queries once, under one shift.

    Args:
        kind: of corruption, or `clean`.
        severity: of the corruption, from 1; 0 where the queries are clean.
        clean: share of the queries that stay as they are.
    """

    kind: str
    severity: int
    clean: float = 0.0

    @property
    def name(self) -> str:
        """Such as `fog@5`, or `fog@5, 25 % clean`."""
        if self.kind == CLEAN:
            return CLEAN
        return f"{self.kind}@{self.severity}" + (f", {100 * self.clean:g} % clean" if self.clean else "")


@dataclass(frozen=True)
class Episode:
    """One stream: segments one after another, without anything between them.

    Args:
        segments: what arrives.
        order: number of the order in which the queries of each segment arrive.
    """

    segments: tuple[Segment, ...]
    order: int

    @property
    def names(self) -> list[str]:
        """The segments' names, with the round where one comes again."""
        seen: Counter[str] = Counter()
        names = []
        for segment in self.segments:
            seen[segment.name] += 1
            names.append(segment.name if seen[segment.name] == 1 else f"{segment.name} #{seen[segment.name]}")
        return names


def plan_episodes(plan: Plan, segments: Sequence[Segment], orders: int, cycles: int = 3) -> list[Episode]:
    """Arrange shifts into streams; the same shifts in each of several orders of the queries.

    Args:
        plan: `separate` = each shift is a stream of its own; `sequence` = one stream has all, one after
            another; `cyclic` = that stream `cycles` times over, its shifts abruptly coming back; `gradual` =
            one stream per kind, its severity rising from 1 and falling again.
        segments: the shifts at the severity they are tested at.
        orders: how many orders of the queries.
        cycles: rounds of `cyclic`.

    Returns:
        Episodes, those of a stream in all its orders side by side.

    Raises:
        ConfigError: an unknown plan, no shift or no order.
    """
    if plan not in get_args(Plan):
        raise ConfigError(f"plan {plan!r} is none of {', '.join(get_args(Plan))}")
    if not segments or orders < 1 or cycles < 1:
        raise ConfigError("a plan needs at least one shift, one order and one cycle")
    streams: list[tuple[Segment, ...]]
    if plan == "separate":
        streams = [(segment,) for segment in segments]
    elif plan == "gradual":
        streams = [_rise_and_fall(segment) for segment in segments]
    else:
        streams = [tuple(segments) * (cycles if plan == "cyclic" else 1)]
    return [Episode(stream, order) for stream in streams for order in range(orders)]


def _rise_and_fall(segment: Segment) -> tuple[Segment, ...]:
    up = [replace(segment, severity=severity) for severity in range(1, segment.severity + 1)]
    return tuple([*up, *up[-2::-1]])
