"""What a test of feedback ends with: every query's metrics in every round of every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from requery.distributed import gather
from requery.feedback.rounds import Rounds
from requery.feedback.row import Row
from requery.feedback.rows import BASELINE
from requery.feedback.tables import Rows, differences, round_table
from requery.ranking.metrics import per_query
from requery.ranking.qrels import Qrels
from requery.record import RunFolder
from requery.task import RetrievalTask

METRICS = ("mrr@5", "recall@1", "recall@5", "recall@10", "mrr@1", "mrr@10")
"""Of every table of feedback; hits@k of the paper is recall@k."""
SHOWN = "shown"
"""1 from the round on that showed the target: the one metric under which seen items may be excluded."""


class RowResult(NamedTuple):
    """One row, queries first.

    Args:
        values: `(Q, metrics, R)` float32.
        rank: `(Q, R)` int64 of the target; 0 = none, or excluded.
        drift: `(Q, R)` float32 cosine to the first query.
        found: `(Q,)` int64 first round that showed the target, 0 = none.
    """

    values: Tensor
    rank: Tensor
    drift: Tensor
    found: Tensor

    @classmethod
    def of(cls, rounds: Rounds, qrels: Qrels) -> RowResult:
        """Reduce what some queries' rounds found."""
        values = [[per_query(metric, r, qrels).float() for r in rounds.rankings] for metric in METRICS]
        stacked = torch.stack([torch.stack(of_metric) for of_metric in values])
        rank = torch.stack([ranking.target_rank for ranking in rounds.rankings], 1)
        return cls(
            stacked.permute(2, 0, 1), rank, rounds.drift.T.float().cpu(), rounds.found_in(qrels.target)
        )

    @classmethod
    def none(cls, rounds: int) -> RowResult:
        """Of no query: another process has the last ones."""
        whole = torch.empty(0, rounds, dtype=torch.int64)
        return cls(torch.empty(0, len(METRICS), rounds), whole, torch.empty(0, rounds), whole[:, 0])

    @classmethod
    def gathered(cls, parts: Sequence[RowResult]) -> RowResult:
        """The blocks of all processes, in the order of the queries."""
        return cls(*(gather(torch.cat(column)) for column in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Fed:
    """Rows over the same queries.

    Args:
        task: queries, gallery and truth.
        rows: names and settings; the first is without feedback, the next that excludes nothing is what the
            run is about.
        results: of each row.
        pairs: (row, control): whose differences are tabulated too.
        k: items shown a round.
    """

    task: RetrievalTask
    rows: Mapping[str, Row]
    results: Mapping[str, RowResult]
    pairs: Sequence[tuple[str, str]]
    k: int

    @property
    def metrics(self) -> tuple[str, ...]:
        """Of the tables."""
        return (*METRICS, SHOWN)

    def values(self, metric: str) -> dict[str, Tensor]:
        """Row -> `(R, Q)`; where seen items are excluded, later ranks tell nothing but `shown`."""
        if metric != SHOWN:
            whole = {name: r for name, r in self.results.items() if not self.rows[name].exclude_seen}
            return {name: r.values[:, METRICS.index(metric)].T for name, r in whole.items()}
        number = torch.arange(1, 1 + self.rounds)[:, None]
        return {name: ((r.found > 0) & (r.found <= number)).float() for name, r in self.results.items()}

    @property
    def rounds(self) -> int:
        """Searches."""
        return self.results[BASELINE].rank.shape[1]

    def table(self, metric: str) -> Rows:
        """Rows by rounds of one metric."""
        return round_table(self.values(metric), BASELINE)

    def contrasts(self, metric: str) -> list[dict[str, Any]]:
        """What each row has beyond its controls, by round."""
        values = self.values(metric)
        return [
            {"row": a, "control": b, "rounds": [asdict(d) for d in differences(values[a], values[b])]}
            for a, b in self.pairs
            if a in values and b in values
        ]

    def changes(self, name: str) -> dict[str, list[Any]]:
        """Drift of a row, and how many targets it brought among the first k, or lost, by round."""
        result, inside = self.results[name], self._inside(name)
        before = self._inside(BASELINE)
        return {
            "drift": result.drift.double().mean(0).tolist(),
            "gained": (inside & ~before).sum(0).tolist(),
            "lost": (~inside & before).sum(0).tolist(),
            "found_in": torch.bincount(result.found, minlength=1 + self.rounds)[1:].tolist(),
        }

    def _inside(self, name: str) -> Tensor:
        rank = self.results[name].rank
        return (rank > 0) & (rank <= self.k)

    def write(self, folder: RunFolder) -> None:
        """Write `rounds.parquet`, `rounds.json` and, last, `metrics.json` of the main row's last round."""
        folder.write_table("rounds.parquet", self._columns())
        tables = {metric: self.table(metric) for metric in self.metrics}
        folder.write_json(
            "rounds.json",
            {
                "protocol": self.task.protocol.key,
                "split": self.task.split,
                **({"shift": self.task.shift} if self.task.shift else {}),
                "queries": self.task.n_queries,
                "rounds": self.rounds,
                "k": self.k,
                "rows": {n: {"class": type(r).__name__, "settings": asdict(r)} for n, r in self.rows.items()},
                "tables": [
                    {
                        "metric": metric,
                        "rows": {name: [asdict(cell) for cell in cells] for name, cells in table.items()},
                        "contrasts": self.contrasts(metric),
                    }
                    for metric, table in tables.items()
                ],
                "changes": {name: self.changes(name) for name in self.rows},
            },
        )
        about = list(tables[METRICS[0]])[:2][-1]
        last = {metric: tables[metric][about][-1] for metric in METRICS}
        n = self.task.n_queries
        folder.write_json(
            "metrics.json",
            {
                "protocol": f"{self.task.protocol.key} with feedback ({about})",
                "split": self.task.split,
                **({"shift": self.task.shift} if self.task.shift else {}),
                "metrics": {
                    m: {"value": c.value, "low": c.low, "high": c.high, "n": n} for m, c in last.items()
                },
                "notes": {**self.task.notes, "rounds": self.rounds},
                "n_gallery": self.task.n_gallery,
            },
        )

    def _columns(self) -> dict[str, Any]:
        """One row per row of the table, round and query."""
        import pyarrow as pa

        n, rounds, results = self.task.n_queries, self.rounds, list(self.results.values())
        values = torch.stack([r.values.permute(1, 2, 0) for r in results], 1).flatten(1)  # (metrics, …)
        return {
            "row": pa.array([name for name in self.rows for _ in range(rounds * n)], pa.string()),
            "round": pa.array(
                [r + 1 for _ in self.rows for r in range(rounds) for _ in range(n)], pa.int64()
            ),
            "query_id": pa.array(list(self.task.query_ids) * (rounds * len(self.rows)), pa.string()),
            "target_rank": pa.array(torch.cat([r.rank.T.flatten() for r in results]).numpy()),
            "drift": pa.array(torch.cat([r.drift.T.flatten() for r in results]).numpy()),
            **{metric: pa.array(column.numpy()) for metric, column in zip(METRICS, values, strict=True)},
        }
