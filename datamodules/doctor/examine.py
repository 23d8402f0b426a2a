"""Every check of every split of a DataModule; the first problem keeps none from being made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from datamodules.base import RetrievalDataModule
from datamodules.doctor.content import nothing_there, without_targets
from datamodules.doctor.findings import Finding
from datamodules.doctor.ids import outside_gallery, unresolved
from datamodules.doctor.images import Inspected, absent, duplicates, inspect, unreadable
from datamodules.doctor.leakage import leakage
from datamodules.doctor.records import unreadable_records
from datamodules.sources import Sources, of_task
from requery.decode import Background
from requery.errors import DataError

Progress = Callable[[Iterable[Any], int], Iterable[Any]]
"""Passes an iterable of so many items on while it shows how far it is."""


@dataclass(frozen=True)
class Split:
    """What one split holds.

    Args:
        split: `train`, `val` or `test`.
        sources: what its files say; None where they cannot be found.
        digest: SHA-256 of the task made of it; None where problems keep it from being made.
    """

    split: str
    sources: Sources | None
    digest: str | None

    def as_dict(self) -> dict[str, Any]:
        """Counts and hash, fit for JSON."""
        found: dict[str, Any] = {"split": self.split, "sha256": self.digest}
        if self.sources is not None:
            found["where"], found["queries"] = self.sources.where, len(self.sources.queries)
            found["gallery"], found["images"] = self.sources.n_gallery, len(self.sources.names)
        return found


@dataclass(frozen=True)
class Examination:
    """Everything found out: `findings` fail, `remarks` do not."""

    splits: Sequence[Split]
    findings: Sequence[Finding]
    remarks: Sequence[Finding]

    def as_dict(self) -> dict[str, Any]:
        """All of it, fit for JSON."""
        return {
            "splits": [split.as_dict() for split in self.splits],
            "findings": [finding.as_dict() for finding in self.findings],
            "remarks": [remark.as_dict() for remark in self.remarks],
        }


def examine(data: RetrievalDataModule, splits: Sequence[str], progress: Progress) -> Examination:
    """Check some splits, and what they share.

    Args:
        data: the DataModule.
        splits: `train`, `val`, `test` or some of them.
        progress: shows how many images are decoded.
    """
    found: list[Finding] = []
    read = {split: _read(data, split, found) for split in splits}
    there = {split: sources for split, sources in read.items() if sources is not None}
    inspected = _inspect(list(there.values()), progress)
    for split, sources in there.items():
        found += [
            *unreadable_records(sources),
            *nothing_there(sources),
            *without_targets(sources, fails=split == "train"),
            *unresolved(sources),
            *absent(sources),
            *unreadable(sources, inspected),
            *duplicates(sources, inspected),
            *outside_gallery(sources),
        ]
    unsound = {finding.where for finding in found if finding.fails}
    made = [
        Split(split, sources, _digest(data, split, sources, unsound, found))
        for split, sources in read.items()
    ]
    if data.disjoint is None:
        for one, other in combinations(there, 2):
            found += leakage(there[one], there[other], inspected, trained=one == "train")
    return Examination(made, [f for f in found if f.fails], [f for f in found if not f.fails])


def _read(data: RetrievalDataModule, split: str, found: list[Finding]) -> Sources | None:
    try:
        return data.sources(split) or of_task(data.task(split))
    except DataError as error:
        found.append(_unusable(split, error))
        return None


def _inspect(read: Sequence[Sources], progress: Progress) -> dict[Path, Inspected]:
    """Decode every image file once, whichever splits list it."""
    files: dict[Path, Background] = {path: s.background for s in read for path in s.paths.values()}
    if not files:
        return {}
    pool = ThreadPoolExecutor(os.cpu_count())  # Pillow decodes without holding Python's lock
    try:
        results = progress(pool.map(inspect, files.keys(), files.values()), len(files))
        seen = dict(zip(files, results, strict=True))
    finally:
        pool.shutdown(cancel_futures=True)  # else Ctrl-C waits for every image
    return {path: content for path, content in seen.items() if content is not None}


def _digest(
    data: RetrievalDataModule, split: str, sources: Sources | None, unsound: set[str], found: list[Finding]
) -> str | None:
    """Hash what would be trained on or scored, which also tells whether a task can be made of it."""
    if sources is None or sources.where in unsound:
        return None
    try:
        return data.task(split).digest()
    except DataError as error:
        found.append(_unusable(sources.where, error))
        return None


def _unusable(where: str, error: DataError) -> Finding:
    return Finding(where, "split unusable", {str(error): ""})
