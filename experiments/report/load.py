"""Find run folders below some paths and read them; what cannot be used is kept with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from experiments.report.expansion import ExpansionView, expansion_view, is_expansion_run
from experiments.report.rounds import RoundsView, is_feedback_run, rounds_view
from experiments.report.shifts import ShiftView, shift_view
from experiments.report.streams import is_shift_run
from experiments.report.sweeps import SweepView, sweep_view
from experiments.report.trials import is_sweep
from requery import record
from requery.errors import RunError
from requery.record import RunRecord

RUN_FILES = frozenset(
    (
        "config.yaml",
        "environment.json",
        "status.json",
        "cost.json",
        "history.jsonl",
        "metrics.json",
        "ranks.parquet",
    )
)
RANK_COLUMNS = ("query_id", "target_id", "target_rank", "top_ids")


@dataclass(frozen=True)
class Problem:
    """A run folder that is not, or not wholly, in the report."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Loaded:
    """What was found.

    Args:
        tested: runs with test metrics.
        trained: runs that only trained.
        problems: folders with something amiss.
        streams: tests of methods that adapt, over streams of shifts.
        feedback: tests of relevance feedback.
        expansion: tests of query expansion.
        sweeps: searches over settings; their trials are no runs of the report, unless given by their folders.
    """

    tested: list[RunRecord]
    trained: list[RunRecord]
    problems: list[Problem]
    streams: list[ShiftView] = field(default_factory=list)
    feedback: list[RoundsView] = field(default_factory=list)
    expansion: list[ExpansionView] = field(default_factory=list)
    sweeps: list[SweepView] = field(default_factory=list)

    @property
    def n_tested(self) -> int:
        """Tests of every kind."""
        return len(self.tested) + len(self.streams) + len(self.feedback) + len(self.expansion)


def load(paths: Sequence[Path | str]) -> Loaded:
    """Read every run folder at or below `paths`.

    Raises:
        RunError: a path is no folder.
    """
    found = Loaded([], [], [])
    for folder in run_folders(paths):
        try:
            if is_sweep(folder):
                found.sweeps.append(sweep_view(folder))
                continue
            run = record.read(folder)
            if is_shift_run(folder):
                found.streams.append(shift_view(run))
                continue
            if is_feedback_run(folder):
                found.feedback.append(rounds_view(run))
                continue
            if is_expansion_run(folder):
                found.expansion.append(expansion_view(run))
                continue
            if run.metrics is not None:
                _check(run)
        except RunError as error:
            found.problems.append(Problem(folder, str(error)))
            continue
        if run.metrics is not None:
            found.tested.append(run)
        elif run.history:
            found.trained.append(run)
        reason = _unfinished(run)
        if reason:
            found.problems.append(Problem(folder, reason))
    return found


def run_folders(paths: Sequence[Path | str]) -> list[Path]:
    """Every folder at or below `paths` with a run's files, a sweep's, or nothing at all, in order and once.

    Raises:
        RunError: a path is no folder.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise RunError(f"{path} is not a folder; give the folder that holds the runs")
        for folder in _walk(path, top=True):
            found.setdefault(folder.resolve(), folder)
    return sorted(found.values())


def _walk(folder: Path, top: bool = False) -> Iterator[Path]:
    entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    if is_sweep(folder) or any(entry.name in RUN_FILES for entry in entries):
        yield folder
        return
    children = [
        entry for entry in entries if entry.is_dir() and not entry.is_symlink() and entry.name != "wandb"
    ]
    if not entries and not top:
        yield folder  # a run that died before its first file
    for child in children:
        yield from _walk(child)


def _check(run: RunRecord) -> None:
    """Raise a RunError where the test files miss something the report stands on."""
    metrics, ranks = run.metrics or {}, run.ranks
    missing = [key for key in ("protocol", "split", "metrics") if not metrics.get(key)]
    if missing:
        raise RunError(f"{run.path / 'metrics.json'} has no {', '.join(missing)}; test the run again")
    for name, entry in metrics["metrics"].items():
        if not isinstance(entry, dict) or any(entry.get(key) is None for key in ("value", "low", "high")):
            raise RunError(
                f"{run.path / 'metrics.json'}: {name} has no value, low and high; test the run again"
            )
    if ranks is None:
        raise RunError(f"{run.path / 'ranks.parquet'} is missing beside metrics.json; test the run again")
    absent = [column for column in (*RANK_COLUMNS, *metrics["metrics"]) if column not in ranks]
    if absent:
        raise RunError(f"{run.path / 'ranks.parquet'} has no column {', '.join(absent)}; test the run again")
    if not len(ranks["query_id"]):
        raise RunError(f"{run.path / 'ranks.parquet'} holds no query; test the run again")


def _unfinished(run: RunRecord) -> str | None:
    status = run.status or {}
    state, message = status.get("state"), status.get("message")
    if state == "failed":
        return f"the run failed{f': {message}' if message else ''}"
    if run.metrics is not None:
        return None
    if state == "running":
        return "not finished (still running, or killed): no test metrics yet; continue it with --resume"
    return None if run.history else "neither test metrics nor training curves; fit or test it"
