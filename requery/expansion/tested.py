"""What a test of query expansion ends with, and its files."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import torch

from requery.expansion.curve import SHAPES
from requery.expansion.measured import Measured
from requery.expansion.row import Expansion
from requery.expansion.trace import write_traces
from requery.ranking.trec import write_run
from requery.record import RunFolder

SHOWN = 10
"""Passages of each list in `expansion.parquet`."""


class Expanded(Measured):
    """Rows over the same questions, to be written by the run record."""

    def write(self, folder: RunFolder) -> None:
        """Write `traces/`, `expansion.parquet`, `run.trec`, `expansion.json` and, last, `metrics.json`."""
        task, files = self.task, trace_files(self)
        folder.file("traces").mkdir(exist_ok=True)
        for expansion, name in files.items():
            write_traces(folder.file(name), self.traces[expansion])
        folder.write_table("expansion.parquet", _columns(self))
        items = self.lists[self.main]
        write_run(folder.file("run.trec"), task.query_ids, task.gallery_ids, items, folder.name)
        about = {
            "protocol": task.protocol.key,
            "split": task.split,
            **({"shift": task.shift} if task.shift else {}),
        }
        folder.write_json("expansion.json", {**about, **_content(self, files)})
        cells = {metric: self.tables[metric][self.main] for metric in self.headline}
        left = self.outcomes(self.main)["query"].get("original", 0)
        as_they_were = {"queries_not_expanded": left} if left and self.rows[self.main].by != "none" else {}
        folder.write_json(
            "metrics.json",
            {
                **about,
                "protocol": f"{task.protocol.key} expanded ({self.main})",
                "metrics": {
                    metric: {"value": cell.value, "low": cell.low, "high": cell.high, "n": task.n_queries}
                    for metric, cell in cells.items()
                },
                "notes": {**task.notes, **as_they_were},
                "n_gallery": task.n_gallery,
            },
        )


def trace_files(tested: Measured) -> dict[Expansion, str]:
    """The file of each expansion's traces, named after the first row that has it."""
    files: dict[Expansion, str] = {}
    for name, expansion in tested.expansions.items():
        plain = re.sub(r"[^\w.-]+", "-", name).strip("-.")
        number = len(files)
        taken = f"traces/{plain}.jsonl" in files.values()
        files.setdefault(expansion, f"traces/{plain}{f'-{number}' if taken else ''}.jsonl")
    return files


def _content(tested: Measured, files: dict[Expansion, str]) -> dict[str, Any]:
    task = tested.task
    return {
        "queries": task.n_queries,
        "n_gallery": task.n_gallery,
        "main": tested.main,
        "ks": list(tested.ks),
        "match": tested.match,
        "lowercase_passage": tested.lowercase_passage,
        "headline": list(tested.headline),
        "rows": {
            name: {
                **asdict(row),
                "settings": asdict(tested.expansions[name].settings),
                "traces": files[tested.expansions[name]],
                "outcomes": tested.outcomes(name),
                "cost": _cost(tested, name),
            }
            for name, row in tested.rows.items()
        },
        "tables": [
            {"metric": metric, "rows": {name: asdict(cell) for name, cell in cells.items()}}
            for metric, cells in tested.tables.items()
        ],
        "gate": {
            "row": tested.gated,
            "curves": {
                shape: {metric: asdict(found) for metric, found in by_metric.items()}
                for shape, by_metric in tested.curves.items()
            },
        },
    }


def _cost(tested: Measured, name: str) -> dict[str, float]:
    """Share of the queries that were asked about; tokens and seconds a query of all."""
    means = (float(column.double().mean()) for column in tested.spent(name))
    return dict(zip(("asked", "tokens", "seconds"), means, strict=True))


def _columns(tested: Measured) -> dict[str, Any]:
    """One line for each row of the table and query."""
    import pyarrow as pa

    task, names = tested.task, list(tested.rows)
    gallery = pa.array(task.gallery_ids, pa.string())
    spent = [torch.cat(column) for column in zip(*(tested.spent(name) for name in names), strict=True)]
    shown = [
        gallery.take(pa.array([item for item in row if item >= 0], pa.int64())).to_pylist()
        for name in names
        for row in tested.lists[name][:, :SHOWN].tolist()
    ]
    columns: dict[str, Any] = {
        "row": pa.array([name for name in names for _ in range(task.n_queries)], pa.string()),
        "query_id": pa.array(list(task.query_ids) * len(names), pa.string()),
        "first_right": pa.array(torch.cat([tested.first_right(name) for name in names]).numpy()),
        "changed": pa.array([trace.changed for name in names for trace in tested.traces_of(name)]),
        "top_ids": pa.array(shown, pa.list_(pa.string())),
    }
    columns |= {
        name: pa.array(column.numpy())
        for name, column in zip(("asked", "tokens", "seconds"), spent, strict=True)
    }
    for at, shape in enumerate(SHAPES):
        columns[shape] = pa.array(tested.sharp[:, at].repeat(len(names)).numpy())
    for metric, of_rows in tested.values.items():
        columns[metric] = pa.array(torch.cat([of_rows[name] for name in names]).float().numpy())
    return columns
