"""The file for CIRCO's evaluation server, checked here by the rules that are checked there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from pathlib import Path

from requery.errors import DataError, first
from requery.files import atomic_bytes
from requery.ranking.ranks import Ranking
from requery.task import RetrievalTask

LENGTH = 50
"""Image ids per query; a smaller gallery gives as many as it has."""


def write_circo(task: RetrievalTask, ranking: Ranking, folder: Path) -> Path:
    """Write the file that CIRCO's server scores, after checking it.

    Args:
        task: a split in CIRCO's protocol; its gallery ids are COCO's image ids.
        ranking: of it, with `top_k` of 50 or more.
        folder: where `submission.json` goes.

    Raises:
        DataError: a list breaks the server's rules.
    """
    gallery = [int(name) for name in task.gallery_ids]
    rows = zip(task.query_ids, ranking.top_index[:, :LENGTH].tolist(), strict=True)
    submission = {query: [gallery[item] for item in row if item >= 0] for query, row in rows}
    validate_circo(submission, task)
    path = folder / "submission.json"
    atomic_bytes(path, json.dumps(submission, separators=(",", ":")).encode())
    return path


def validate_circo(submission: Mapping[str, object], task: RetrievalTask) -> None:
    """Check that every query, and nothing else, has 50 distinct ids of the gallery.

    Raises:
        DataError: lists the first offending queries.
    """
    given, wanted = set(submission), set(task.query_ids)
    if given != wanted:
        raise DataError(
            f"{len(wanted - given)} queries without a list ({first(sorted(wanted - given))}), "
            f"{len(given - wanted)} unknown queries ({first(sorted(given - wanted))})"
        )
    gallery = {int(name) for name in task.gallery_ids}
    problems = [
        f"{query}: {problem}" for query, ids in submission.items() if (problem := _problem(ids, gallery))
    ]
    if problems:
        raise DataError(f"{len(problems)} queries break the server's rules: {first(problems)}")


def _problem(ids: object, gallery: Set[int]) -> str | None:
    length = min(LENGTH, len(gallery))
    if not isinstance(ids, list) or not all(type(one) is int for one in ids):
        return "not a list of whole numbers"
    if len(ids) != length or len(set(ids)) != length:
        return f"{len(set(ids))} different ids of {len(ids)} instead of {length}"
    stranger = next((one for one in ids if one not in gallery), None)
    return None if stranger is None else f"{stranger} is not in the gallery"
