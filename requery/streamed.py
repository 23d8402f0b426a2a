"""What a test of adapting methods ends with: every query's metrics under each method, shift and order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from requery.adaptation import Method, NoAdaptation
from requery.adaptation.facts import FACTS
from requery.episodes import CLEAN, Episode
from requery.errors import ConfigError
from requery.ranking.shifted import BASELINE, Outcome, ShiftRow, shift_rows
from requery.ranking.significance import holm, paired_randomisation
from requery.record import RunFolder
from requery.task import RetrievalTask


def method_name(method: Method) -> str:
    """A short name: the class in lower case and what differs from its defaults, such as `tcr(steps=5)`."""
    if isinstance(method, NoAdaptation):
        return BASELINE
    default = type(method)()
    changed = [f.name for f in fields(method) if getattr(method, f.name) != getattr(default, f.name)]
    given = ", ".join(f"{name}={_plain(getattr(method, name))}" for name in changed)
    return type(method).__name__.lower() + (f"({given})" if given else "")


def named_methods(*methods: Method) -> dict[str, Method]:
    """Methods by their short names.

    Raises:
        ConfigError: two have the same settings.
    """
    named = {method_name(method): method for method in methods}
    if len(named) < len(methods):
        raise ConfigError("two methods have the same settings; give different ones")
    return named


def _plain(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value)


def chance(metric: str, task: RetrievalTask) -> float:
    """What a random ranking gets: of `recall@k` exactly, of every other metric `recall@1`'s as a bound."""
    name, _, k = metric.partition("@")
    return min(1.0, (int(k) if name == "recall" else 1) / task.n_gallery)


@dataclass(frozen=True)
class Streamed:
    """Methods over the same streams.

    Args:
        task: the unshifted queries, the gallery and the truth.
        methods: names and settings; the first one is what the run is about.
        episodes: the streams, each with the same number of segments.
        values: `(E, S, methods, 1 or 2, metrics, Q)` float32 of each episode and segment; the second of the
            fourth axis are the clean queries right after the segment, without adapting to them.
        collapses: `(E, methods)` int64: how often a method collapsed in an episode.
        facts: `(E, S, methods, facts)` float64, in the order of `requery.adaptation.facts.FACTS`.
        features: embeddings by name, for pictures: `targets`, `clean` and `<shift>/<method>`, each `(Q, D)`.
    """

    task: RetrievalTask
    methods: Mapping[str, Method]
    episodes: tuple[Episode, ...]
    values: Tensor
    collapses: Tensor
    facts: Tensor
    features: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def probed(self) -> bool:
        """Whether clean queries were ranked after each segment."""
        return self.values.shape[3] > 1

    def rows(self, metric: str, probe: bool = False) -> list[ShiftRow]:
        """The table of one metric, or that of the clean queries after each segment.

        Args:
            metric: one of the protocol's.
            probe: the clean queries' table; needs the probe's values.
        """
        at = self.task.protocol.metrics.index(metric)
        outcomes = []
        for episode, of_episode in zip(self.episodes, self.values, strict=True):
            for name, of_segment in zip(episode.names, of_episode, strict=True):
                shift = f"{CLEAN} after {name}" if probe else name
                for method, values in zip(self.methods, of_segment, strict=True):
                    outcomes.append(Outcome(method, shift, episode.order, values[int(probe), at]))
        return shift_rows(outcomes, chance(metric, self.task))

    def record(self, metric: str) -> dict[str, Any]:
        """The tables of one metric in `shifts.json`."""
        rows = self.rows(metric)
        return {
            "protocol": self.task.protocol.key,
            "split": self.task.split,
            "metric": metric,
            "chance": chance(metric, self.task),
            "methods": list(self.methods),
            "orders": len({episode.order for episode in self.episodes}),
            "queries": self.task.n_queries,
            "rows": [asdict(row) for row in rows],
            "p_holm": self._corrected(metric, [row.shift for row in rows if not row.apart]),
            "clean_after": [asdict(row) for row in self.rows(metric, True)] if self.probed else [],
            "collapses": dict(zip(self.methods, self.collapses.sum(0).tolist(), strict=True)),
        }

    def _corrected(self, metric: str, shifts: Sequence[str]) -> dict[str, float]:
        """Method -> p of its mean gain over the source model under some shifts, corrected (Holm) for methods.

        Two-sided paired randomisation tests over queries; none without a source model to compare with.
        """
        at, names = self.task.protocol.metrics.index(metric), list(self.methods)
        kept = [
            values[:, 0, at]
            for episode, of_episode in zip(self.episodes, self.values, strict=True)
            for name, values in zip(episode.names, of_episode, strict=True)
            if name in shifts
        ]
        if BASELINE not in names or not kept:
            return {}
        means = dict(zip(names, torch.stack(kept).double().mean(0), strict=True))  # (Q,) each
        rivals = [name for name in names if name != BASELINE]
        tests = [paired_randomisation(means[name], means[BASELINE]) for name in rivals]
        return dict(zip(rivals, holm(tests), strict=True))

    def write(self, folder: RunFolder) -> None:
        """Write `shifts.parquet`, `shifts.json`, features and, last, `metrics.json` of the first."""
        folder.write_table("shifts.parquet", self._columns())
        if self.features:
            from safetensors.torch import save

            folder.write_bytes("features.safetensors", save(dict(self.features)))
        metrics = self.task.protocol.metrics
        tables = [self.record(metric) for metric in metrics]
        folder.write_json("shifts.json", {"tables": tables, **self._settings(), "facts": self._facts()})
        last = {metric: table["rows"][-1] for metric, table in zip(metrics, tables, strict=True)}
        apart = sum(row["apart"] for row in tables[0]["rows"])
        shifts = {name for episode in self.episodes for name in episode.names}
        counts = {"shifts": len(shifts), "orders": tables[0]["orders"]}
        folder.write_json(
            "metrics.json",
            {
                "protocol": f"{self.task.protocol.key} under query shift",
                "split": self.task.split,
                "metrics": {metric: self._estimate(row) for metric, row in last.items()},
                "notes": {**self.task.notes, **counts, **({"shifts_set_apart": apart} if apart else {})},
                "n_gallery": self.task.n_gallery,
            },
        )

    def _estimate(self, row: Mapping[str, Any]) -> dict[str, float]:
        cell = row["cells"][next(iter(self.methods))]
        return {**{name: cell[name] for name in ("value", "low", "high")}, "n": self.task.n_queries}

    def _settings(self) -> dict[str, Any]:
        """What the names of methods and shifts stand for."""
        methods = {n: {"class": type(m).__name__, "settings": asdict(m)} for n, m in self.methods.items()}
        segments = {segment.name: asdict(segment) for each in self.episodes for segment in each.segments}
        return {"methods": methods, "segments": segments}

    def _facts(self) -> list[dict[str, Any]]:
        """One record per episode, segment and method."""
        records = []
        for episode, of_episode in zip(self.episodes, self.facts.tolist(), strict=True):
            names = episode.names
            for position, (shift, of_segment) in enumerate(zip(names, of_episode, strict=True)):
                for method, values in zip(self.methods, of_segment, strict=True):
                    where = {"order": episode.order, "position": position, "shift": shift, "method": method}
                    records.append({**where, **dict(zip(FACTS, values, strict=True))})
        return records

    def _columns(self) -> dict[str, Any]:
        """One row per episode, segment, method and query; `clean …` are the probe's."""
        import pyarrow as pa

        keys: dict[str, list[Any]] = {
            name: [] for name in ("order", "position", "shift", "method", "query_id")
        }
        blocks = []
        for episode, of_episode in zip(self.episodes, self.values, strict=True):
            for position, (segment, of_segment) in enumerate(zip(episode.segments, of_episode, strict=True)):
                for method, values in zip(self.methods, of_segment, strict=True):
                    n = self.task.n_queries
                    for name, value in zip(
                        keys, (episode.order, position, segment.name, method), strict=False
                    ):
                        keys[name] += [value] * n
                    keys["query_id"] += list(self.task.query_ids)
                    blocks.append(values.flatten(0, 1))
        metrics = self.task.protocol.metrics
        names = [*metrics, *(f"{CLEAN} {metric}" for metric in metrics if self.probed)]
        together = torch.cat(blocks, 1).numpy()  # (metrics, rows)
        return {**keys, **{name: pa.array(row) for name, row in zip(names, together, strict=True)}}
