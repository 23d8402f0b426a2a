"""Runs and truth as TREC files, for other people's tools.

Tools order a run by its score column and break ties by the larger document id, so the score written is
minus the rank. A query whose truth cannot be retrieved keeps a line, with the id `NOT_IN_GALLERY`: tools
average over the queries of the truth, and a miss counts 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from torch import Tensor

from requery.errors import DataError, first
from requery.files import atomic_write
from requery.ranking.qrels import Qrels

NOT_IN_GALLERY = "not-in-gallery"


def write_run(
    path: Path | str, query_ids: Sequence[str], gallery_ids: Sequence[str], top_index: Tensor, tag: str
) -> None:
    """Write the first items of each query's ranking.

    Args:
        path: of the file.
        query_ids: `Q` names.
        gallery_ids: `N` names.
        top_index: `(Q, k)` int64 gallery indices in ranking order, -1 where there is none.
        tag: name of the run.

    Raises:
        DataError: an id or the tag is empty or holds white space.
        RunError: the file cannot be written.
    """
    _check_ids([tag, *query_ids, *gallery_ids])
    with atomic_write(path) as file:
        for query, row in zip(query_ids, top_index.tolist(), strict=True):
            items = (index for index in row if index >= 0)
            file.writelines(
                f"{query} Q0 {gallery_ids[index]} {rank} {-rank} {tag}\n"
                for rank, index in enumerate(items, 1)
            )


def write_qrels(path: Path | str, query_ids: Sequence[str], gallery_ids: Sequence[str], qrels: Qrels) -> None:
    """Write exactly what `recall@k` counts: each query's target, with grade 1.

    Raises:
        DataError: an id is empty or holds white space.
        RunError: the file cannot be written.
    """
    targets = ([(int(target), 1)] if target >= 0 else [] for target in qrels.target)
    _write_truth(path, query_ids, gallery_ids, targets)


def write_qrels_graded(
    path: Path | str, query_ids: Sequence[str], gallery_ids: Sequence[str], qrels: Qrels
) -> None:
    """Write all relevant items that can be retrieved, with their grades.

    Raises:
        DataError: an id is empty or holds white space.
        RunError: the file cannot be written.
    """
    kept, offsets = qrels.retrievable.tolist(), qrels.relevant.offsets.tolist()
    items, grades = qrels.relevant.values.tolist(), qrels.grades.tolist()
    rows = (
        [(items[i], grades[i]) for i in range(start, stop) if kept[i]] for start, stop in pairwise(offsets)
    )
    _write_truth(path, query_ids, gallery_ids, rows)


def _write_truth(
    path: Path | str,
    query_ids: Sequence[str],
    gallery_ids: Sequence[str],
    rows: Iterable[list[tuple[int, int]]],
) -> None:
    _check_ids([*query_ids, *gallery_ids])
    with atomic_write(path) as file:
        for query, row in zip(query_ids, rows, strict=True):
            if not row:
                file.write(f"{query} 0 {NOT_IN_GALLERY} 1\n")
            file.writelines(f"{query} 0 {gallery_ids[index]} {grade}\n" for index, grade in row)


def read_run(path: Path | str) -> dict[str, dict[str, float]]:
    """Read a run: score of each document of each query.

    Raises:
        DataError: the file is missing or a line is not a run's.
    """
    run: dict[str, dict[str, float]] = {}
    for number, fields in _lines(path, 6):
        run.setdefault(fields[0], {})[fields[2]] = _number(path, number, fields[4])
    return run


def read_qrels(path: Path | str) -> dict[str, dict[str, int]]:
    """Read truth: grade of each document of each query.

    Raises:
        DataError: the file is missing or a line is not one of qrels.
    """
    qrels: dict[str, dict[str, int]] = {}
    for number, fields in _lines(path, 4):
        qrels.setdefault(fields[0], {})[fields[2]] = int(_number(path, number, fields[3]))
    return qrels


def _lines(path: Path | str, width: int) -> Iterable[tuple[int, list[str]]]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    for number, line in enumerate(text.split("\n"), 1):
        fields = line.split()
        if fields and len(fields) != width:
            raise DataError(f"{path}, line {number}: {len(fields)} columns where TREC has {width}")
        if fields:
            yield number, fields


def _number(path: Path | str, line: int, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"{path}, line {line}: {text!r} is not a number") from error


def _check_ids(ids: Iterable[str]) -> None:
    bad = [repr(name) for name in ids if name.split() != [name]]
    if bad:
        raise DataError(
            f"TREC files cannot hold empty ids or ids with white space: {first(bad)}; rename them"
        )
