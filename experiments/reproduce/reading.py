"""Read a cell out of run folders: per-query values, their mean, and its interval over queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.reproduce.cells import Part
from experiments.reproduce.table import Reading
from requery.errors import RunError, first
from requery.formats import read_mapping

RESAMPLES = 2_000
GIVEN = ("metrics", "server")
SERVER = "server.json"
"""A server's answer, written by hand beside the submission: metric -> percent."""


@dataclass(frozen=True)
class Estimate:
    """A cell as it was run, in percent.

    Args:
        value: the mean over queries.
        low: lower end of its 95 % interval; None for a server's answer.
        high: upper end.
        n: queries.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


def estimate(parts: Sequence[tuple[Path, Reading]]) -> Estimate | None:
    """Read a cell.

    Args:
        parts: run folder and reading of it; of several, the cell is the mean.

    Returns:
        None where a server's answer is not there yet.

    Raises:
        RunError: a folder does not hold what the table says.
    """
    given = [_given(folder, reading) for folder, reading in parts if reading.file in GIVEN]
    if given:
        if None in given or len(parts) > len(given):
            return None
        found = [one for one in given if one is not None]
        return found[0] if len(found) == 1 else Estimate(sum(one.value for one in found) / len(found))
    values = [_values(folder, reading) for folder, reading in parts]
    means = torch.stack([_resampled(values, at) for at in range(len(values))]).mean(0)
    low, high = _interval(means)
    mean = float(np.mean([of_part.mean() for _, of_part in values]))
    distinct = {query for queries, _ in values for query in queries}
    return Estimate(100 * mean, 100 * low, 100 * high, len(distinct))


def unlike(folder: Path, part: Part) -> str:
    """What a run was scored on that is not the paper's; empty where all is, or the server scores it."""
    path = folder / "metrics.json"
    if part.reading.file == "server":
        return ""
    scored = read_mapping(path)
    sizes = {"queries": part.queries, "gallery": part.gallery}
    (n, *_) = {estimate["n"] for estimate in scored["metrics"].values()}
    there = {"queries": n, "gallery": scored["n_gallery"]}
    found = [f"{k}: {there[k]:,}, not {size:,}" for k, size in sizes.items() if size not in (0, there[k])]
    if not scored["protocol"].startswith(part.protocol):
        found.insert(0, f"scored under {scored['protocol']}, not {part.protocol}")
    return "; ".join(found)


def _resampled(values: Sequence[tuple[list[str], np.ndarray[Any, Any]]], at: int) -> torch.Tensor:
    """Resampled means of one part; parts over the same queries share their draws."""
    from requery.ranking.bootstrap import resampled_means

    seed = next(number for number, (queries, _) in enumerate(values) if queries == values[at][0])
    return resampled_means(torch.from_numpy(values[at][1])[:, None], RESAMPLES, seed)[:, 0]


def _interval(means: torch.Tensor) -> tuple[float, float]:
    from requery.ranking.bootstrap import interval

    low, high = interval(means[:, None])[:, 0].tolist()
    return low, high


def _given(folder: Path, reading: Reading) -> Estimate | None:
    """What a file says of a metric as a whole; None where a server's answer is not there yet."""
    if reading.file == "server":
        path = folder / SERVER
        answers = read_mapping(path) if path.exists() else {reading.metric: None}
    else:
        path = folder / "metrics.json"
        answers = read_mapping(path)["metrics"]
    if reading.metric not in answers:
        raise RunError(f"{path}: no {reading.metric}; it holds {first(answers)}")
    found = answers[reading.metric]
    if isinstance(found, Mapping):
        return Estimate(*(100 * found[end] for end in ("value", "low", "high")), found["n"])
    return None if found is None else Estimate(float(found))


def _values(folder: Path, reading: Reading) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Queries, sorted, and their values, means over whatever else varies (orders)."""
    path = folder / f"{reading.file or 'ranks'}.parquet"
    found = _mean_by_query(path, reading.metric, reading.where)
    if reading.minus:
        less = _mean_by_query(path, reading.metric, reading.where | reading.minus)
        found = {query: value - less[query] for query, value in found.items()}
    queries = sorted(found)
    return queries, np.array([found[query] for query in queries])


def _mean_by_query(path: Path, metric: str, where: Mapping[str, Any]) -> dict[str, float]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["query_id", metric, *where])
    except (OSError, pa.ArrowInvalid) as error:
        raise RunError(f"{path} cannot be read ({error}); run the experiment again with --fresh") from error
    for name in (metric, *where):
        if name not in table.column_names:
            raise RunError(f"{path}: no column {name}; correct `read` in the table's file")
    for name, value in where.items():
        there = pc.unique(table[name]).to_pylist()
        alike = [
            each
            for each in there
            if each == value or (isinstance(value, str) and fnmatchcase(str(each), value))
        ]
        if len(alike) != 1:
            found = f"{len(alike)} values of {name} are" if alike else f"no row where {name} is"
            raise RunError(f"{path}: {found} {value!r}; there are {first(there, 30)}")
        table = table.filter(pc.equal(table[name], alike[0]))
    grouped = table.group_by("query_id").aggregate([(metric, "mean")])
    return dict(zip(grouped["query_id"].to_pylist(), grouped[f"{metric}_mean"].to_pylist(), strict=True))
