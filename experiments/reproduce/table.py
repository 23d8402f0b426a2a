"""What a published table's file says: numbers, where each is read here, and the runs that make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from experiments.study_file import COMMANDS
from requery.errors import ConfigError

Published = float | tuple[float | None, float | None] | None
"""A number, a range of which an end may be open, or nothing."""
File = Literal["ranks", "shifts", "rounds", "expansion", "metrics", "server"]


@dataclass(frozen=True)
class Source:
    """Where weights or data come from.

    Args:
        what: its name for a reader.
        licence: under which terms, and whether someone must grant access.
        get: the command or address it is had by.
        hub: hub id `owner/name`, also the name below `--weights`; null for what is on no hub.
        revision: commit of the hub id.
        folder: where configs look for what is on no hub.
        model_type: of its `config.json`; one that no backbone reads is part of what is missing.
    """

    what: str
    licence: str
    get: str
    hub: str | None = None
    revision: str | None = None
    folder: str | None = None
    model_type: str | None = None


@dataclass(frozen=True)
class Reading:
    """Where a cell is read in a run folder.

    Args:
        metric: column of per-query values, fractions.
        file: the Parquet file they are in; or `metrics`: the estimate in `metrics.json`; or `server`: what a
            benchmark's server answered, written into `server.json`.
        where: columns and the one value they must have, or a pattern of it (`tent*`).
        minus: changes of `where` that lead to the values taken off.
    """

    metric: str = ""
    file: File | None = None
    where: dict[str, Any] = field(default_factory=dict)
    minus: dict[str, Any] = field(default_factory=dict)

    def within(self, column: Reading) -> Reading:
        """A row's reading in a column; what the row says wins."""
        return Reading(
            self.metric or column.metric,
            self.file or column.file,
            column.where | self.where,
            column.minus | self.minus,
        )


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        read: where its cells are read.
        mean: in place of that, other columns whose mean it is.
        group: the columns of a group are made by one run of a row.
        protocol: ours, as run folders name it.
        queries: how many the paper's cells are over; 0 = not known.
        gallery: items that could be retrieved, likewise.
    """

    read: Reading = Reading()
    mean: Sequence[str] = ()
    group: str = ""
    protocol: str = ""
    queries: int = 0
    gallery: int = 0


@dataclass(frozen=True)
class Tolerance:
    """How far a run may be off, in the table's unit, and why."""

    points: float
    reason: str


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Args:
        name: as published, with what tells it from others.
        values: published numbers by column; a range is two numbers, None = not to be had.
        run: the experiment that makes it, or one for each group of columns.
        read: where it is read, beyond what its columns say.
        only_published: why nothing makes it here; or such reasons by group of columns.
        tolerance: in place of the table's.
        protocol: in place of the columns'.
        notes: by column: typing errors, doubts.
    """

    name: str
    values: Mapping[str, Published]
    run: str | dict[str, str] = ""
    read: Reading = Reading()
    only_published: str | dict[str, str] = ""
    tolerance: Tolerance | None = None
    protocol: str = ""
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """A run of a config.

    Args:
        config: relative to the table's file.
        command: as of a study's arm.
        overrides: dotted key -> value; `{root}` is the folder of this table's runs, `{data}` the datasets'.
        weights: dotted key of a model -> name among the sources.
        data: names among the sources.
        files: file that the DataModule does not check, and without which it is not tried -> name among the
            sources.
        checkpoint: experiment, here or `table/experiment`, whose best checkpoint is tested.
        after: experiments of this table that must have finished.
        gpu: GB of GPU memory without which it is not tried.
        memory: GB of main memory, likewise.
        why: of these two.
    """

    config: str
    command: str = "test"
    overrides: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    data: Sequence[str] = ()
    files: dict[str, str] = field(default_factory=dict)
    checkpoint: str = ""
    after: Sequence[str] = ()
    gpu: float = 0
    memory: float = 0
    why: str = ""

    def __post_init__(self) -> None:
        if self.command not in COMMANDS:
            raise ConfigError(f"command {self.command!r} is none of {', '.join(COMMANDS)}")

    @property
    def before(self) -> list[str]:
        """The experiments of the same table that come first."""
        own = [self.checkpoint] if self.checkpoint and "/" not in self.checkpoint else []
        return [*self.after, *own]


@dataclass(frozen=True)
class Table:
    """A published table.

    Args:
        path: the file it was read from.
        title: what was measured.
        source: paper and table.
        made_by: which code made the numbers, and from where they were taken.
        tolerance: of rows that have none of their own.
        columns: by name, in the paper's order.
        rows: likewise.
        experiments: by name, each after those it needs.
        notes: what a reader must know.
    """

    path: Path
    title: str
    source: str
    made_by: str
    tolerance: Tolerance
    columns: Mapping[str, Column]
    rows: Sequence[Row]
    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def name(self) -> str:
        """As the command line calls it."""
        return self.path.stem
