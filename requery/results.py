"""What a test leaves in its run folder: metrics, ranks per query, TREC files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from requery.ragged import Ragged
from requery.ranking.ceiling import ceiling
from requery.ranking.circo_submission import write_circo
from requery.ranking.metrics import evaluate, per_query
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking
from requery.ranking.submission import members_as_relevant, write_cirr
from requery.ranking.ties import tied_targets
from requery.ranking.trec import write_qrels, write_qrels_graded, write_run
from requery.record import RunFolder
from requery.task import RetrievalTask

TOP = 100
"""Items of each query's list kept in `ranks.parquet`."""


def score(
    task: RetrievalTask, ranking: Ranking, names: Sequence[str] | None = None, seed: int = 0
) -> dict[str, Any]:
    """Score a ranking under its task's protocol; what `metrics.json` holds.

    Args:
        task: queries, gallery and truth.
        ranking: the ranks of the task's queries.
        names: metrics to report; None for the protocol's.
        seed: of the bootstrap's draws.
    """
    names = task.protocol.metrics if names is None else names
    estimates = evaluate(ranking, task.qrels, names, seed=seed)
    tied = int(tied_targets(ranking).sum())
    return {
        "protocol": task.protocol.key,
        "split": task.split,
        **({"shift": task.shift} if task.shift else {}),
        "metrics": {name: asdict(value) for name, value in estimates.items()},
        **({"ceiling": ceiling(task.qrels, names)} if task.qrels.graded else {}),
        "notes": {**task.notes, **({"targets_tied": tied} if tied else {})},
        "n_gallery": ranking.n_gallery,
    }


def write_test(
    folder: RunFolder,
    task: RetrievalTask,
    ranking: Ranking,
    names: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Score a ranking under its task's protocol and write `metrics.json`, `ranks.parquet` and the TREC files.

    `metrics.json` comes last: where it is, the other files are whole.

    Args:
        folder: the run's folder.
        task: queries, gallery and truth.
        ranking: the ranks of the task's queries.
        names: metrics to report; None for the protocol's.
        seed: of the bootstrap's draws.

    Returns:
        What `metrics.json` holds.
    """
    names = task.protocol.metrics if names is None else names
    qrels, record = task.qrels, score(task, ranking, names, seed)
    folder.write_table("ranks.parquet", rank_columns(task, ranking, names))
    write_run(folder.file("run.trec"), task.query_ids, task.gallery_ids, ranking.top_index, folder.name)
    write_qrels(folder.file("qrels.trec"), task.query_ids, task.gallery_ids, qrels)
    if qrels.graded:
        write_qrels_graded(folder.file("qrels_graded.trec"), task.query_ids, task.gallery_ids, qrels)
    folder.write_json("metrics.json", record)
    return record


def write_predictions(folder: RunFolder, task: RetrievalTask, ranking: Ranking) -> None:
    """Write `run.trec`, and the submission files of a benchmark that keeps its targets (CIRR, CIRCO).

    Args:
        folder: the run's folder.
        task: queries and gallery.
        ranking: made with `prediction_qrels(task)`.
    """
    write_run(folder.file("run.trec"), task.query_ids, task.gallery_ids, ranking.top_index, folder.name)
    if task.protocol.server == "cirr":
        write_cirr(task, ranking, folder.path)
    elif task.protocol.server == "circo":
        write_circo(task, ranking, folder.path)


def prediction_qrels(task: RetrievalTask) -> Qrels:
    """What `rank` needs for `write_predictions`: no truth; the members of subsets where a server asks."""
    if task.protocol.server == "cirr":
        return members_as_relevant(task)
    return Qrels.from_targets(torch.full((task.n_queries,), -1), task.qrels.excluded)


def rank_columns(task: RetrievalTask, ranking: Ranking, names: Sequence[str]) -> dict[str, Any]:
    """The columns of `ranks.parquet`, one row per query, as pyarrow arrays."""
    import pyarrow as pa

    qrels: Qrels = task.qrels
    gallery = pa.array(task.gallery_ids, pa.string())
    top = _shown(ranking.top_index[:, :TOP])
    scores = ranking.top_score[:, :TOP][ranking.top_index[:, :TOP] >= 0]
    return {
        "query_id": pa.array(task.query_ids, pa.string()),
        "target_id": gallery.take(pa.array(qrels.target.numpy(), mask=(qrels.target < 0).numpy())),
        "target_rank": pa.array(ranking.target_rank.numpy(), pa.int64()),
        "target_score": pa.array(ranking.target_score.float().numpy(), pa.float32()),
        "subset_rank": _subset_ranks(ranking, qrels),
        "n_relevant": pa.array(qrels.relevant.lengths.numpy(), pa.int64()),
        "relevant_ranks": _lists(qrels.relevant.offsets, pa.array(ranking.relevant_rank.numpy(), pa.int64())),
        "top_ids": _lists(top.offsets, gallery.take(pa.array(top.values.numpy()))),
        "top_scores": _lists(top.offsets, pa.array(scores.float().numpy(), pa.float32())),
        **{name: pa.array(per_query(name, ranking, qrels).float().numpy(), pa.float32()) for name in names},
    }


def _subset_ranks(ranking: Ranking, qrels: Qrels) -> Any:
    import pyarrow as pa

    if ranking.subset_rank is None or qrels.subset is None:
        return pa.nulls(len(qrels), pa.int64())
    return pa.array(ranking.subset_rank.numpy(), pa.int64(), mask=(qrels.subset.lengths == 0).numpy())


def _shown(top_index: Tensor) -> Ragged:
    """The rows of `(Q, K)` gallery indices without their padding of -1."""
    real = top_index >= 0
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), real.sum(1).cumsum(0)])
    return Ragged(top_index[real], offsets)


def _lists(offsets: Tensor, values: Any) -> Any:
    import pyarrow as pa

    return pa.ListArray.from_arrays(pa.array(offsets.numpy().astype(np.int32)), values)
