"""What a trial's run folder says of it: the metric by epoch, the value it ends with, why it failed."""

from __future__ import annotations

from pathlib import Path

from experiments.sweep.file import Sweep
from requery.errors import RunError, first
from requery.formats import read_history, read_mapping

FILES = {"test": "metrics.json", "validate": "validation.json"}


def course(folder: Path, metric: str) -> dict[int, float]:
    """A fit's metric by the number of epochs done, without those in which it was no number."""
    path = folder / "history.jsonl"
    rows = read_history(path) if path.exists() else []
    return {row["epoch"] + 1: float(row[metric]) for row in rows if row.get(metric) is not None}


def value(folder: Path, sweep: Sweep) -> float:
    """What a finished trial is worth: a fit its best epoch, as W&B counts; another command what it measured.

    Raises:
        RunError: the run did not measure the sweep's metric.
    """
    if sweep.command == "fit":
        found = course(folder, sweep.metric)
        if found:
            return max(found.values(), key=lambda value: sweep.sign * value)
        path = folder / "history.jsonl"
        known = sorted({key for row in read_history(path) for key in row}) if path.exists() else []
    else:
        path = folder / FILES[sweep.command]
        measured = read_mapping(path).get("metrics", {}) if path.exists() else {}
        split, _, name = sweep.metric.partition("/")
        if measured.get(name, {}).get("value") is not None:
            return float(measured[name]["value"])
        known = [f"{split}/{key}" for key in measured]
    raise RunError(f"{path} has no {sweep.metric}; it has {first(known) or 'nothing'}")


def state(folder: Path) -> str | None:
    """Where the run stands; None before it has begun."""
    path = folder / "status.json"
    return read_mapping(path).get("state") if path.exists() else None


def failure(folder: Path, log: Path, status: int) -> str:
    """Why a trial's process ended with a status other than 0, in one line."""
    if status < 0:
        return f"killed by signal {-status}" + (" (out of memory?)" if status == -9 else "")
    if state(folder) == "failed":
        return str(read_mapping(folder / "status.json").get("message"))
    said = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    errors = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    return errors[-1] if errors else f"ended with status {status}; see {log}"
