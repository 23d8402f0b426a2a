"""What a test of adapting methods left: tables, the methods' settings, shifts, and facts of each stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.config_file import did_you_mean
from requery.errors import ConfigError, RunError
from requery.formats import read_mapping

if TYPE_CHECKING:
    from torch import Tensor

FILE, VALUES = "shifts.json", "shifts.parquet"


@dataclass(frozen=True)
class Streams:
    """A run.

    Args:
        path: its folder.
        tables: metric -> table with `rows` and `clean_after`, as `requery.streamed` writes them.
        methods: name -> class and settings; empty in runs that did not record them.
        segments: shift -> kind, severity and share of clean queries; likewise.
        facts: one mapping per stream, shift and method; likewise.
    """

    path: Path
    tables: Mapping[str, Mapping[str, Any]]
    methods: Mapping[str, Mapping[str, Any]]
    segments: Mapping[str, Mapping[str, Any]]
    facts: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        """Experiment and run."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def file(self) -> Path:
        """What was read."""
        return self.path / FILE

    @property
    def first(self) -> Mapping[str, Any]:
        """The table of the protocol's first metric."""
        return next(iter(self.tables.values()))

    def rows(self, metric: str) -> dict[str, Mapping[str, Any]]:
        """Shift -> row, without the mean.

        Raises:
            ConfigError: the protocol has no such metric.
        """
        if metric not in self.tables:
            raise ConfigError(f"no metric {metric!r}: {did_you_mean(metric, list(self.tables))}")
        return {row["shift"]: row for row in self.tables[metric]["rows"] if not _is_mean(row["shift"])}

    def per_query(self, metric: str, method: str, shifts: Sequence[str]) -> Tensor | None:
        """`(Q,)` float64, each query's mean over shifts and orders; None where it was not recorded."""
        import pyarrow.parquet as pq
        import torch

        file = self.path / VALUES
        if not file.is_file() or not set(shifts) <= set(self.segments):
            return None  # a shift that comes again has another name in the tables
        columns = ["order", "shift", "method", "query_id", metric]
        chosen = [("method", "==", method), ("shift", "in", list(shifts))]
        table = pq.read_table(file, columns=columns, filters=chosen)
        values = torch.from_numpy(table[metric].to_numpy().astype("float64"))
        streams = values.view(-1, self.first["queries"])  # the queries of a stream stand together
        return streams.mean(0)

    def mean(self, metric: str) -> Mapping[str, Any] | None:
        """The row that is the mean of the shifts not set apart; None where all are."""
        return next((row for row in self.tables[metric]["rows"] if _is_mean(row["shift"])), None)


def read_streams(path: Path) -> Streams:
    """Read a run's `shifts.json`.

    Raises:
        RunError: it is not there or damaged; names it.
    """
    file = path / FILE
    if not file.is_file():
        raise RunError(f"{file} is missing: {path} is no run of RESTModule's test; give the folder of one")
    content = read_mapping(file)
    with whole(file):
        tables = {table["metric"]: table for table in content["tables"]}
        next(iter(tables))
        parts = (content.get("methods", {}), content.get("segments", {}), content.get("facts", []))
    return Streams(path, tables, *parts)


def is_shift_run(path: Path) -> bool:
    """Whether a run folder holds a test of streams."""
    return (path / FILE).is_file()


@contextmanager
def whole(file: Path) -> Iterator[None]:
    """What is taken from a file's content in here is there, or the file is damaged.

    Raises:
        RunError: something is missing or of another type; names the file.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, StopIteration) as error:
        raise RunError(f"{file} is damaged ({error!r}); test the run again") from error


def _is_mean(shift: str) -> bool:
    return shift.startswith("mean of ")
