"""What a figure shows of a stream: a metric, its gain over the source model, or a fact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.config_file import did_you_mean
from experiments.report.lines import Place
from experiments.report.streams import Streams
from requery.adaptation.facts import FACTS
from requery.errors import ConfigError, RunError
from requery.ranking.bootstrap import interval, resampled_means
from requery.ranking.shifted import BASELINE, RESAMPLES
from requery.ranking.significance import paired_bootstrap

GAIN = "gain"
TITLES = {
    "uniformity": "uniformity of the queries (1 = all alike)",
    "gap": "gap between queries and their nearest candidates",
    "source_gap": "gap of the source-like pairs",
    "threshold": "entropy threshold, nats",
    "updates": "updates",
    "adapted": "batches adapted to, %",
}


@dataclass(frozen=True)
class Point:
    """A value and, where there is one, its interval."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Measure:
    """What is on the vertical axis.

    Args:
        metric: one of the run's.
        y: `gain`, one of `FACTS`, or None for the metric itself.
    """

    metric: str
    y: str | None = None

    def __post_init__(self) -> None:
        if self.y is not None and self.y not in (GAIN, *FACTS):
            raise ConfigError(f"--y is {self.y!r}: {did_you_mean(self.y, [GAIN, *FACTS])}")

    @property
    def title(self) -> str:
        """What it is, with its unit."""
        if self.y in TITLES:
            return TITLES[self.y]
        return f"gain in {self.metric}, points" if self.y == GAIN else f"{self.metric}, %"

    @property
    def percent(self) -> bool:
        """Whether values are fractions."""
        return self.y in (None, GAIN, "adapted")

    @property
    def interval(self) -> str:
        """What the whiskers are."""
        if self.y in FACTS:
            return "mean over orders; whiskers span them"
        paired = ", paired with the source model" if self.y == GAIN else ""
        return f"whiskers are 95 % intervals over queries{paired}"

    def of(self, run: Streams, place: Place) -> Point | None:
        """Measure a place; None where the method has no such thing.

        Raises:
            RunError: the run did not record facts.
        """
        return self._fact(run, place) if self.y in FACTS else self._cell(run, place)

    def _cell(self, run: Streams, place: Place) -> Point | None:
        rows = run.rows(self.metric)
        mean = run.mean(self.metric)
        if mean and set(place.shifts) == {name for name, row in rows.items() if not row["apart"]}:
            found = [mean["cells"][place.method]]  # over the same queries, so that it has an interval
        else:
            found = [rows[shift]["cells"][place.method] for shift in place.shifts]
        if self.y == GAIN:
            found = [cell["gain"] for cell in found]
        if None in found:
            return None
        if len(found) == 1:
            return Point(*(found[0][key] for key in ("value", "low", "high")))
        return self._over_kinds(run, place) or Point(float(np.mean([cell["value"] for cell in found])))

    def _over_kinds(self, run: Streams, place: Place) -> Point | None:
        """The mean over several shifts with its interval over queries, as the tables have for one."""
        values = run.per_query(self.metric, place.method, place.shifts)
        if values is None:
            return None
        if self.y == GAIN:
            source = run.per_query(self.metric, BASELINE, place.shifts)
            found = None if source is None else paired_bootstrap(values, source, n=RESAMPLES)
            return None if found is None else Point(found.value, found.low, found.high)
        low, high = interval(resampled_means(values[:, None], RESAMPLES, 0))[:, 0].tolist()
        return Point(float(values.mean()), low, high)

    def _fact(self, run: Streams, place: Place) -> Point | None:
        if not run.facts:
            raise RunError(f"{run.path}: its test did not record facts of its streams; test the run again")
        orders: dict[int, list[float]] = {}
        for fact in run.facts:
            here = fact["method"] == place.method and fact["shift"] in place.shifts
            if here and fact[self.y] is not None:
                orders.setdefault(fact["order"], []).append(fact[self.y])
        if not orders:
            return None
        means = [float(np.mean(values)) for values in orders.values()]
        spread = (min(means), max(means)) if len(means) > 1 else ()
        return Point(float(np.mean(means)), *spread)
