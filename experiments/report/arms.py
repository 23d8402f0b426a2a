"""Group runs into arms (one experiment, several seeds) and arms into sections (one protocol and split)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.report.load import Problem
from experiments.report.settings import arm_key, arm_names
from requery.record import RunRecord

Values = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Arm:
    """Runs that differ only in their seed.

    Args:
        name: the experiment's name, with the settings that tell it from others of that name.
        runs: tested runs of one section, one per seed; their queries are the same, in any order.
        trained: runs with training curves (the tested ones, where training and test share a folder).
    """

    name: str
    runs: tuple[RunRecord, ...]
    trained: tuple[RunRecord, ...] = ()

    @property
    def fitted(self) -> bool:
        """Whether any training is on record: the others are training-free."""
        return bool(self.trained)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metric names in the protocol's order."""
        return tuple(self.runs[0].metrics["metrics"]) if self.runs else ()  # type: ignore[index]

    def columns(self, name: str) -> list[Values]:
        """A column of `ranks.parquet` per seed, each `(Q,)`, in ascending order of query id."""
        return [np.asarray(_ranks(run)[name], dtype=np.float64)[query_order(run)] for run in self.runs]

    def values(self, metric: str) -> Values:
        """A metric per query averaged over seeds, `(Q,)` float64, in ascending order of query id."""
        return np.asarray(np.mean(self.columns(metric), axis=0))


@dataclass(frozen=True)
class Section:
    """Arms whose scores may stand in one table: same protocol, split, data and queries.

    Args:
        protocol: the protocol's key, such as `shapes/composed@1`; None for runs without a test.
        split: the split scored.
        data: SHA-256 of the split's data where recorded.
        arms: in the order of their names.
    """

    protocol: str | None
    split: str | None
    data: str | None
    arms: tuple[Arm, ...]

    @property
    def runs(self) -> list[RunRecord]:
        """Every run of the section once."""
        everything = [run for arm in self.arms for run in (*arm.runs, *arm.trained)]
        return list({run.path: run for run in everything}.values())


def sections(
    tested: Iterable[RunRecord], trained: Iterable[RunRecord] = ()
) -> tuple[list[Section], list[Problem]]:
    """Sort runs into sections of arms.

    Args:
        tested: runs with metrics.
        trained: runs with training curves alone; they lend their curves to the arm with their settings, and
            those of no arm make a last section without a protocol.

    Returns:
        the sections, and the older repeats of a seed, which do not count.
    """
    tested, trained = list(tested), list(trained)
    problems: list[Problem] = []
    names = arm_names([*tested, *trained])
    groups: dict[tuple[str, ...], dict[str, list[RunRecord]]] = defaultdict(lambda: defaultdict(list))
    for run in tested:
        groups[_section_key(run)][arm_key(run)].append(run)
    fits: dict[str, list[RunRecord]] = defaultdict(list)
    for run in [*tested, *trained]:
        if has_curves(run):
            fits[arm_key(run)].append(run)
    found = []
    for (protocol, split, data, _), arms in sorted(groups.items()):
        built = []
        for key, runs in arms.items():
            kept = _newest_per_seed(runs, problems)
            built.append(Arm(names[key], kept, tuple(filter(has_curves, kept)) or tuple(fits[key])))
        found.append(Section(protocol, split, data or None, _by_name(built)))
    used = {run.path for section in found for arm in section.arms for run in arm.trained}
    alone = defaultdict(list)
    for run in trained:
        if run.path not in used:
            alone[arm_key(run)].append(run)
    if alone:
        found.append(
            Section(
                None, None, None, _by_name([Arm(names[key], (), tuple(runs)) for key, runs in alone.items()])
            )
        )
    return found, problems


def has_curves(run: RunRecord) -> bool:
    """Whether the run trained: a test alone leaves no training loss."""
    return any(name.startswith("train/") for row in run.history for name in row)


def query_order(run: RunRecord) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Positions that put a run's queries in ascending order of their ids, `(Q,)`."""
    return np.argsort(_ranks(run)["query_id"].astype(str), kind="stable")


def _ranks(run: RunRecord) -> dict[str, np.ndarray[Any, Any]]:
    assert run.ranks is not None  # the loader lets no tested run pass without
    return run.ranks


def _by_name(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    return tuple(sorted(arms, key=lambda arm: arm.name))


def _section_key(run: RunRecord) -> tuple[str, str, str, str]:
    metrics, order = run.metrics or {}, query_order(run)
    asked = "\n".join(f"{_ranks(run)['query_id'][i]}\t{_ranks(run)['target_id'][i]}" for i in order)
    data = (run.environment.get("data") or {}).get(metrics["split"]) or ""
    return metrics["protocol"], metrics["split"], data, hashlib.sha256(asked.encode()).hexdigest()


def _newest_per_seed(runs: Sequence[RunRecord], problems: list[Problem]) -> tuple[RunRecord, ...]:
    """One run per seed: two of the same seed are one draw, and would make the spread look smaller."""
    kept: dict[Any, RunRecord] = {}
    for run in sorted(runs, key=lambda run: (str(run.environment.get("started") or ""), run.name)):
        seed = run.environment.get("seed")
        if seed in kept:
            problems.append(
                Problem(kept[seed].path, f"an older repeat of seed {seed}; {run.name} counts in its place")
            )
        kept[seed] = run
    return tuple(sorted(kept.values(), key=lambda run: run.name))
