"""Files for CIRR's evaluation server, checked here by the rules that are checked there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from requery.errors import DataError, first
from requery.files import atomic_bytes
from requery.ragged import Ragged
from requery.ranking.qrels import Qrels
from requery.ranking.ranks import Ranking
from requery.task import RetrievalTask

VERSION = "rc2"
LENGTHS = {"recall": 50, "recall_subset": 3}
"""Names per query; a smaller gallery or subset gives as many as it has."""

MAX_BYTES = 5_000_000
"""The server's limit on a file."""


def members_as_relevant(task: RetrievalTask) -> Qrels:
    """The truth to call `rank` with for a submission: every member of a query's subset has its rank found."""
    subset = _subset(task)
    rows = Ragged.from_rows([row.sort().values for row in subset])
    nowhere = torch.full((len(subset),), -1, dtype=torch.int64)
    return Qrels(nowhere, rows, torch.ones_like(rows.values), task.qrels.excluded)


def write_cirr(task: RetrievalTask, ranking: Ranking, folder: Path) -> tuple[Path, Path]:
    """Write the two files that cirr.cecs.anu.edu.au scores, after checking them.

    Args:
        task: a split in CIRR's protocol.
        ranking: of `members_as_relevant(task)`, with `top_k` of 50 or more.
        folder: where `recall.json` and `recall_subset.json` go.

    Returns:
        The two paths.

    Raises:
        DataError: a list breaks the server's rules.
    """
    members = members_as_relevant(task).relevant
    ranks = Ragged(ranking.relevant_rank, members.offsets)
    subsets = [row[order.argsort()] for row, order in zip(members, ranks, strict=True)]
    paths, contents = [], []
    for metric, rows in (("recall", ranking.top_index), ("recall_subset", subsets)):
        submission = _name(task, metric, rows)
        validate_cirr(submission, task)
        contents.append(json.dumps(submission, separators=(",", ":")).encode())
        paths.append(folder / f"{metric}.json")
        if len(contents[-1]) > MAX_BYTES:
            raise DataError(
                f"{paths[-1]}: {len(contents[-1]):,} bytes, above the server's limit of {MAX_BYTES:,}"
            )
    for path, data in zip(paths, contents, strict=True):
        atomic_bytes(path, data)
    return paths[0], paths[1]


def _name(task: RetrievalTask, metric: str, rows: Iterable[Tensor]) -> dict[str, str | list[str]]:
    """Name the first items of each query's ranking, given as gallery indices."""
    firsts = zip(task.query_ids, rows, _rules(task, metric), strict=True)
    names = {query: [task.gallery_ids[i] for i in row[: rule.length].tolist()] for query, row, rule in firsts}
    return {"version": VERSION, "metric": metric, **names}


def validate_cirr(submission: Mapping[str, object], task: RetrievalTask) -> None:
    """Check a submission by the server's rules.

    Every query has its list, of the right length, of distinct names of the gallery, without its reference;
    for `recall_subset` they are members of its subset.

    Raises:
        DataError: lists the first offending pairs.
    """
    metric = submission.get("metric")
    if submission.get("version") != VERSION or metric not in LENGTHS:
        raise DataError(f'a submission states "version": "{VERSION}" and "metric": one of {first(LENGTHS)}')
    given, wanted = set(submission) - {"version", "metric"}, set(task.query_ids)
    if given != wanted:
        raise DataError(
            f"{metric}: {len(wanted - given)} pairs without a list ({first(sorted(wanted - given))}), "
            f"{len(given - wanted)} unknown pairs ({first(sorted(given - wanted))})"
        )
    checks = (
        (query, rule.problem(submission[query])) for query, rule in zip(task.query_ids, _rules(task, metric))
    )
    problems = [f"{query}: {problem}" for query, problem in checks if problem]
    if problems:
        raise DataError(f"{metric}: {len(problems)} pairs break the server's rules: {first(problems)}")


@dataclass(frozen=True)
class _Rule:
    """What one query's list may hold: `length` names of `allowed` (shared by queries) but `forbidden`."""

    allowed: Set[str]
    forbidden: Set[str]
    limit: int

    @property
    def length(self) -> int:
        return min(self.limit, len(self.allowed) - len(self.allowed & self.forbidden))

    def problem(self, names: object) -> str | None:
        """What is wrong with a list, or None."""
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return "not a list of names"
        if len(names) != self.length:
            return f"{len(names)} names instead of {self.length}"
        if len(set(names)) != len(names):
            return "a name occurs twice"
        wrong = [name for name in names if name not in self.allowed or name in self.forbidden]
        return (
            f"{wrong[0]} cannot be an answer (the reference, or not in the gallery or subset)"
            if wrong
            else None
        )


def _rules(task: RetrievalTask, metric: str) -> list[_Rule]:
    excluded = task.qrels.excluded or Ragged.from_rows([[]] * task.n_queries)
    names, gallery = task.gallery_ids, frozenset(task.gallery_ids)
    forbidden = [{names[i] for i in row.tolist()} for row in excluded]
    if metric == "recall":
        return [_Rule(gallery, rest, LENGTHS[metric]) for rest in forbidden]
    members = [{names[i] for i in row.tolist()} for row in _subset(task)]
    return [_Rule(own, rest, LENGTHS[metric]) for own, rest in zip(members, forbidden, strict=True)]


def _subset(task: RetrievalTask) -> Ragged:
    if task.qrels.subset is None:
        raise DataError(f"{task.protocol.key}: only splits in CIRR's layout, with subsets, are submitted")
    return task.qrels.subset
